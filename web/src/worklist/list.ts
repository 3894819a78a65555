import { computed, signal } from "@preact/signals";
import { Trouble } from "../api/door";
import { onHappening } from "../api/live";
import { Source } from "../api/load";
import type { Row } from "../api/shapes";
import { count } from "../words";
import { moves, type Sort, sorted } from "./order";
import { type Asked, first, rowsOf, whole } from "./pages";

export interface Listed {
  rows: Row[];
  total: number;
  /** Where the rest of a long list begins. */
  next: number | null;
  /** Whether it was ordered with AI. */
  ai: boolean;
  /** One line that says why AI did not order this list; empty where it did. */
  without: string;
}

/** So long the rest of a long list is not asked for: its beginning is drawn first, and takes a key. */
const FIRST_LOOK_MS = 150;
/** Events that can change a row; the others need no new list. */
const SPEAK = new Set(["InstancesReceived", "Planned", "ResultMade", "ReadingAssigned", "ReadingOpened", "ReadingClosed", "ReportSigned", "ReportAmended", "OpinionLocked", "ModeSet", "AnalysisStopped", "AnalysisResumed", "SettingsChanged"]);

/** The list as the server orders it, and as it lies before a person: what a person holds does not move under their hands. */
export class WorkList {
  readonly source = new Source<Listed>((abort) => firstPage(this.asked, abort));
  readonly sort = signal<Sort | null>(null);
  /** The study that has the focus; it is a study and not a place, so that arrivals do not move it. */
  readonly focused = signal<string | null>(null);
  /** How many rows stand elsewhere in the newest order; they are shown when focus leaves or somebody asks. */
  readonly moved = signal(0);
  /** What of a long list could not be loaded, in a sentence; empty where all of it is here. */
  readonly missing = signal("");
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
  private turn = 0;
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
    await this.load({ early: true });
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

  private async load({ early = false } = {}): Promise<void> {
    const turn = ++this.turn;
    const began = performance.now();
    await this.source.load();
    const value = this.source.value;
    if (!value || turn !== this.turn) return;
    let rows = value.rows;
    let missing = "";
    if (value.next !== null) {
      // The beginning of a long list can be read while the rest is on its way.
      if (early) {
        this.newest = rows;
        this.settle();
      }
      if (early) await new Promise((resolve) => setTimeout(resolve, FIRST_LOOK_MS));
      if (turn !== this.turn) return;
      const all = await whole({ ...this.asked, ai: value.ai }, rows, value.next, value.total, () => turn === this.turn).catch(() => null);
      if (turn !== this.turn) return;
      if (!all) missing = `Only the first ${rows.length} of ${value.total} studies are here: the rest could not be loaded. Load the list again with R`;
      rows = all ?? rows;
    }
    this.costs = performance.now() - began;
    this.newest = rows;
    this.missing.value = missing;
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

/** One question for a list that fits a page. The list must not fall with the machine that orders it: then it is asked for without. */
async function firstPage(asked: Asked, abort: AbortSignal): Promise<Listed> {
  let without = "";
  const told = await first(asked, abort).catch((error: unknown) => {
    if (!asked.ai || !(error instanceof Trouble) || error.status < 500) throw error;
    without = "AI could not be asked: this is the plain list, in order of arrival and request";
    return first({ ...asked, ai: false }, abort);
  });
  return { rows: rowsOf(told), total: told.total, next: told.next, without: without || (told.without ?? ""), ai: asked.ai && !without };
}

/** The study to take next: the first that waits and that nobody else was asked to read. */
export function rowToTake(rows: Row[], me = ""): Row | undefined {
  return rows.find((row) => row.state === "waiting" && (!row.assigned || row.assigned === me));
}

const LIST_FIRST_MS = 300;

/** Begin something that stands beside the list once the list itself has had its turn; the answer ends it. */
export function afterTheList(begin: () => () => void): () => void {
  let end = () => undefined as void;
  const later = setTimeout(() => (end = begin()), LIST_FIRST_MS);
  return () => (clearTimeout(later), end());
}
