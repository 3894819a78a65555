import { askOrTake } from "../api/early";
import type { Row } from "../api/shapes";

/** What is asked of the list: filter words, and whether AI may raise. */
export interface Asked {
  q: string;
  ai: boolean;
}

/** A part of the list as the server sends it: the names of the columns once, each row as a list. */
export interface Columns {
  columns: (keyof Row)[];
  rows: unknown[][];
  /** Where the next part begins. */
  next: number | null;
  total: number;
  without?: string;
}

/** As many rows as are on screen at once. */
export const FIRST = 60;
/** So many rows come in one answer behind the first: reading one must not keep a key waiting. */
const PART = 2000;
const ALL = 100_000;

export function addressOf({ q, ai }: Asked, cursor: number, limit: number): string {
  const asked = new URLSearchParams({ form: "columns", limit: String(limit), ai: ai ? "on" : "off" });
  if (q) asked.set("q", q);
  if (cursor) asked.set("cursor", String(cursor));
  return `/api/worklist?${asked}`;
}

/** The beginning of the list. */
export function first(asked: Asked, abort?: AbortSignal): Promise<Columns> {
  return askOrTake<Columns>(addressOf(asked, 0, FIRST), abort);
}

/** The beginning with all that stands behind it, part by part; `wanted` says whether anybody still waits for it. */
export async function whole(asked: Asked, beginning: Row[], from: number, total: number, wanted: () => boolean): Promise<Row[]> {
  const rows = new Map(beginning.map((row) => [row.study, row]));
  for (let next: number | null = from; next !== null && wanted(); ) {
    const part: Columns = await askOrTake<Columns>(addressOf(asked, next, PART));
    for (const row of rowsOf(part)) rows.set(row.study, row);
    next = part.next;
    await new Promise((resolve) => setTimeout(resolve)); // keys first
  }
  if (rows.size === total || !wanted()) return [...rows.values()];
  return rowsOf(await askOrTake<Columns>(addressOf(asked, 0, ALL))); // the order became another between two parts
}

export function rowsOf({ columns, rows }: Columns): Row[] {
  return rows.map((values) => Object.fromEntries(columns.map((name, i) => [name, values[i]])) as unknown as Row);
}
