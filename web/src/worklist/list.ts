import { computed, signal } from "@preact/signals";
import { ask, Trouble } from "../api/door";
import { onHappening } from "../api/live";
import { Source, type Tell } from "../api/load";
import type { Row } from "../api/shapes";
import { count } from "../words";
import { moves, type Sort, sorted } from "./order";

export interface Asked {
  q: string;
  ai: boolean;
}

export interface Listed {
  rows: Row[];
  total: number;
  /** One line that says why AI did not order this list; empty where it did. */
  without: string;
}

const FIRST = 200;
const REST = 100_000;
/** Events that can change a row; the others need no new list. */
const SPEAK = new Set(["InstancesReceived", "ResultMade", "ReadingAssigned", "ReadingOpened", "ReadingClosed", "ReportSigned", "ReportAmended", "OpinionLocked", "ModeSet", "SettingsChanged"]);

/** The list as the server orders it, and as it lies before a person: what a person holds does not move under their hands. */
export class WorkList {
  readonly source = new Source<Listed>((abort, tell) => wholeList(this.asked, abort, tell));
  readonly sort = signal<Sort | null>(null);
  /** The study that has the focus; it is a study and not a place, so that arrivals do not move it. */
  readonly focused = signal<string | null>(null);
  /** How many rows stand elsewhere in the newest order; they are shown when focus leaves or somebody asks. */
  readonly moved = signal(0);
  /** What is said aloud, once. */
  readonly said = signal("");
  readonly shown = signal<Row[]>([]);
  readonly time = signal(new Date());
  readonly at = computed(() => this.shown.value.findIndex((row) => row.study === this.focused.value));

  private asked: Asked = { q: "", ai: true };
  private newest: Row[] = [];
  private held = false;
  private timer = 0;
  private costs = 0;
  private readonly forget: () => void;

  constructor() {
    this.forget = onHappening(({ kind }) => {
      if (!SPEAK.has(kind)) return;
      clearTimeout(this.timer);
      // A burst of arrivals asks once, and a long list is not asked for more often than it takes to read it.
      this.timer = window.setTimeout(() => void this.refresh(), Math.max(400, 8 * this.costs));
    });
  }

  end(): void {
    this.forget();
    clearTimeout(this.timer);
    this.source.stop();
  }

  /** A new question: the old rows are no answer to it. */
  async begin(asked: Asked): Promise<void> {
    this.asked = asked;
    this.newest = [];
    await this.load();
    this.settle();
  }

  /** The same question again, as a person asks it: everything is where it belongs now. */
  async reload(): Promise<void> {
    await this.load();
    this.settle();
  }

  /** The same question again because something happened. */
  async refresh(): Promise<void> {
    const before = new Set(this.newest.map((row) => row.study));
    await this.load();
    if (!this.source.value) return;
    this.announce(this.newest.filter((row) => !before.has(row.study)));
    if (this.held) this.hold();
    else this.settle();
  }

  /** A person's focus is in the list, or has left it. */
  keep(held: boolean): void {
    if (this.held === held) return;
    this.held = held;
    if (!held) this.settle();
  }

  /** Put every row where the newest order has it. */
  settle(): void {
    this.shown.value = sorted(this.newest, this.sort.peek());
    this.moved.value = 0;
  }

  setSort(sort: Sort | null): void {
    this.sort.value = sort;
    this.settle();
  }

  step(by: number): void {
    const rows = this.shown.peek();
    const at = this.at.peek();
    const next = rows[Math.min(rows.length - 1, Math.max(0, at < 0 ? 0 : at + by))];
    if (next) this.focused.value = next.study;
  }

  row(): Row | undefined {
    return this.shown.peek()[this.at.peek()];
  }

  private async load(): Promise<void> {
    const began = performance.now();
    await this.source.load();
    this.costs = performance.now() - began;
    const value = this.source.value;
    if (!value) return;
    this.newest = value.rows;
    this.time.value = new Date();
  }

  /** Newer facts in the old places: a row keeps its place, what is new waits, what is gone stays until focus leaves. */
  private hold(): void {
    const now = new Map(this.newest.map((row) => [row.study, row]));
    this.shown.value = this.shown.peek().map((row) => now.get(row.study) ?? { ...row, gone: true });
    this.moved.value = moves(this.shown.peek(), sorted(this.newest, this.sort.peek()));
  }

  private announce(fresh: Row[]): void {
    const [first, ...more] = fresh;
    if (!first) return;
    const words = `${first.description || first.modalities.join(" ")}, ${first.level}`;
    this.said.value = `Arrived: ${words}${more.length ? `, and ${count(more.length, "more study", "more studies")}` : ""}`;
  }
}

interface Columns {
  columns: (keyof Row)[];
  rows: unknown[][];
  next: number | null;
  total: number;
  without?: string;
}

/** One question for a list that fits a page; of a longer one the beginning at once, and the rest in one answer. */
async function wholeList({ q, ai }: Asked, abort: AbortSignal, tell: Tell): Promise<Listed> {
  const page = async (cursor: number, limit: number, with_ai: boolean) => {
    const asked = new URLSearchParams({ form: "columns", limit: String(limit), ai: with_ai ? "on" : "off" });
    if (q) asked.set("q", q);
    if (cursor) asked.set("cursor", String(cursor));
    return ask<Columns>(`/api/worklist?${asked}`, { abort });
  };
  let with_ai = ai;
  let without = "";
  let first: Columns;
  try {
    first = await page(0, FIRST, with_ai);
  } catch (error) {
    // The list itself must not fall with the machine that orders it: then it is asked for without.
    if (!ai || !(error instanceof Trouble) || error.status < 500) throw error;
    with_ai = false;
    first = await page(0, FIRST, with_ai);
    without = "AI could not be asked: this is the plain list, in order of arrival and request";
  }
  const rows = rowsOf(first);
  if (first.next !== null) {
    tell({ done: rows.length, of: first.total, unit: "studies" });
    rows.push(...rowsOf(await page(first.next, REST, with_ai)));
  }
  return { rows, total: first.total, without: without || (first.without ?? "") };
}

function rowsOf({ columns, rows }: Columns): Row[] {
  return rows.map((values) => Object.fromEntries(columns.map((name, i) => [name, values[i]])) as unknown as Row);
}

/** The study to take next: the first that waits and that nobody else was asked to read. */
export function rowToTake(rows: Row[], me = ""): Row | undefined {
  return rows.find((row) => row.state === "waiting" && (!row.assigned || row.assigned === me));
}
