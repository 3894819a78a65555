import { type Signal, signal } from "@preact/signals";
import { Trouble } from "./door";

/** How far a load has come, in things that a person can count. */
export interface Progress {
  done: number;
  of: number;
  unit: string;
  /** Whether it is worked out rather than fetched. */
  computing?: boolean;
}

/** What a page knows of something that it asked for. `since` lets a page stay still for the first moments. */
export type Loaded<T> =
  | { at: "loading"; since: number; progress?: Progress }
  | { at: "there"; value: T; time: Date; stale: boolean }
  | { at: "failed"; trouble: Trouble };

export type Tell = (progress: Progress) => void;

/** A value from the server with its state, fetched again on request; late answers of older requests are dropped. */
export class Source<T> {
  readonly state: Signal<Loaded<T>> = signal<Loaded<T>>({ at: "loading", since: performance.now() });
  private turn = 0;
  private abort: AbortController | null = null;

  constructor(private readonly fetcher: (abort: AbortSignal, tell: Tell) => Promise<T>) {}

  get value(): T | null {
    const state = this.state.value;
    return state.at === "there" ? state.value : null;
  }

  /** Ask again. What is on screen stays there until the answer comes, and is marked stale when none can come. */
  async load(): Promise<void> {
    const turn = ++this.turn;
    this.abort?.abort();
    this.abort = new AbortController();
    const before = this.state.peek();
    if (before.at !== "there") this.state.value = { at: "loading", since: performance.now() };
    const tell: Tell = (progress) => {
      const now = this.state.peek();
      if (turn === this.turn && now.at === "loading") this.state.value = { ...now, progress };
    };
    try {
      const value = await this.fetcher(this.abort.signal, tell);
      if (turn === this.turn) this.state.value = { at: "there", value, time: new Date(), stale: false };
    } catch (error) {
      if (turn !== this.turn) return;
      const trouble = asTrouble(error);
      this.state.value = before.at === "there" && trouble.unreached ? { ...before, stale: true } : { at: "failed", trouble };
    }
  }

  /** Put a newer value in place, as the answer to a write brings it. */
  put(value: T): void {
    this.turn += 1;
    this.state.value = { at: "there", value, time: new Date(), stale: false };
  }

  stop(): void {
    this.turn += 1;
    this.abort?.abort();
  }

  /** A person does not want to wait any longer. */
  cancel(): void {
    this.stop();
    this.state.value = { at: "failed", trouble: new Trouble(-1, "You cancelled this", "it was still being loaded", "Load it again when you want it", "cancelled") };
  }
}

export function asTrouble(error: unknown): Trouble {
  if (error instanceof Trouble) return error;
  return new Trouble(-1, "This page failed", error instanceof Error ? error.message : String(error), "Reload the page", "page");
}
