import type { Row } from "../api/shapes";

/** A column by which a person sorts the list, and which way; without one it stands in the order in which to read. */
export interface Sort {
  by: Column;
  down: boolean;
}
export type Column = "due" | "patient" | "study" | "waits" | "state";

const COLUMNS: readonly string[] = ["due", "patient", "study", "waits", "state"];

export function sortOf(text: string): Sort | null {
  const by = text.replace(/^-/, "");
  return COLUMNS.includes(by) ? { by: by as Column, down: text.startsWith("-") } : null;
}

export function textOf(sort: Sort | null): string {
  return sort ? `${sort.down ? "-" : ""}${sort.by}` : "";
}

const keys: Record<Column, (row: Row) => string | number> = {
  due: (row) => (row.due ? Date.parse(row.due) : Number.MAX_SAFE_INTEGER),
  patient: (row) => row.patient.name.toLowerCase(),
  study: (row) => `${row.modalities.join(" ")} ${row.description}`.toLowerCase(),
  waits: (row) => row.waits_s,
  state: (row) => `${row.state} ${row.reader || row.assigned}`,
};

/** The rows in a person's order; equal ones stay as they were. */
export function sorted(rows: Row[], sort: Sort | null): Row[] {
  if (!sort) return rows;
  const key = keys[sort.by];
  const turn = sort.down ? -1 : 1;
  return rows
    .map((row, i) => ({ row, at: key(row), i }))
    .sort((a, b) => (a.at < b.at ? -turn : a.at > b.at ? turn : a.i - b.i))
    .map(({ row }) => row);
}

/** How many rows stand elsewhere: those that came, those that went, and the fewest that must be lifted to make one order of the other. */
export function moves(before: Row[], after: Row[]): number {
  const place = new Map(after.map((row, i) => [row.study, i]));
  const common = before.flatMap((row) => place.get(row.study) ?? []);
  return before.length - common.length + (after.length - common.length) + common.length - longestRise(common);
}

/** Length of the longest rising subsequence: what may stay where it is. */
function longestRise(numbers: number[]): number {
  const tails: number[] = [];
  for (const number of numbers) {
    let low = 0;
    let high = tails.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (tails[middle]! < number) low = middle + 1;
      else high = middle;
    }
    tails[low] = number;
  }
  return tails.length;
}
