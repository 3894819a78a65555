/**
 * A browser leaves the page for a file that is dropped where none is awaited, and what was being done there is gone.
 * A page that takes files hears of them before this does, and says so by `preventDefault`.
 */
export function keepThePage(): void {
  const refuse = (event: DragEvent) => {
    if (event.defaultPrevented || !event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    event.dataTransfer.dropEffect = "none"; // the pointer says that nothing is taken here
  };
  addEventListener("dragover", refuse);
  addEventListener("drop", refuse);
}

/** Files of a drop, also those in folders. It is to be asked at once: what was dropped is gone from the event a moment later. */
export async function filesOf(drop: DataTransfer): Promise<File[]> {
  const entries = [...drop.items].map((item) => item.webkitGetAsEntry?.()).filter((entry) => !!entry);
  if (!entries.length) return [...drop.files];
  return (await Promise.all(entries.map(under))).flat();
}

async function under(entry: FileSystemEntry): Promise<File[]> {
  if (entry.isFile) return [await new Promise<File>((take, fail) => (entry as FileSystemFileEntry).file(take, fail))];
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: File[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((take, fail) => reader.readEntries(take, fail));
    if (!some.length) return found;
    for (const one of some) found.push(...(await under(one)));
  }
}
