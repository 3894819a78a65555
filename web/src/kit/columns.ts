const NARROW = matchMedia("(max-width: 700px)");

/**
 * On a narrow screen the row of a table is a block of lines, and each line says the name of its column: a table that is
 * wider than the screen hides its last columns from whoever does not think of looking for them.
 */
export function nameColumns(): void {
  let asked = 0;
  const name = () => {
    asked ||= requestAnimationFrame(() => {
      asked = 0;
      for (const table of document.querySelectorAll<HTMLTableElement>("main table.plain:not(.checks)")) nameOf(table);
    });
  };
  const seen = new MutationObserver(name);
  const look = () => (seen.disconnect(), NARROW.matches && (seen.observe(document.body, { childList: true, subtree: true, characterData: true }), name()));
  NARROW.addEventListener("change", look);
  look();
}

/** Every cell says its column; a cell that stands for several rows takes its place in each of them. */
function nameOf(table: HTMLTableElement): void {
  const heads = [...(table.tHead?.rows[table.tHead.rows.length - 1]?.cells ?? [])].flatMap((cell) => Array<string>(cell.colSpan).fill(cell.querySelector(".hidden") ? "" : (cell.textContent?.trim() ?? "")));
  const held: number[] = []; // how many more rows each column is taken from above
  for (const row of [...table.tBodies].flatMap((body) => [...body.rows])) {
    let at = 0;
    for (const cell of row.cells) {
      while ((held[at] ?? 0) > 0) held[at++]! -= 1;
      const column = cell.colSpan > 1 ? "" : (heads[at] ?? "");
      if (cell.dataset.column !== column) cell.dataset.column = column;
      for (let i = 0; i < cell.colSpan; i += 1) held[at++] = cell.rowSpan - 1;
    }
    for (; at < held.length; at += 1) if (held[at]! > 0) held[at]! -= 1;
  }
}
