/** Hand a file that the page holds to whoever sits there. */
export function keep(file: Blob, name: string): void {
  const link = document.createElement("a");
  [link.href, link.download] = [URL.createObjectURL(file), name];
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
