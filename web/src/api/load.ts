import { type Signal, signal } from "@preact/signals";
import { Trouble } from "./door";

/** What a page knows of something that it asked for. `since` lets a page stay still for the first moments. */
export type Loaded<T> =
  | { at: "loading"; since: number }
  | { at: "there"; value: T; time: Date; stale: boolean }
  | { at: "failed"; trouble: Trouble };

/** A value from the server with its state, fetched again on request; late answers of older requests are dropped. */
export class Source<T> {
  readonly state: Signal<Loaded<T>> = signal<Loaded<T>>({ at: "loading", since: performance.now() });
  private turn = 0;
  private abort: AbortController | null = null;

  constructor(private readonly fetcher: (abort: AbortSignal) => Promise<T>) {}

  get value(): T | null {
    const state = this.state.value;
    return state.at === "there" ? state.value : null;
  }

  /** Ask again. What is on screen stays there, marked stale, until the answer comes. */
  async load(): Promise<void> {
    const turn = ++this.turn;
    this.abort?.abort();
    this.abort = new AbortController();
    const before = this.state.peek();
    if (before.at !== "there") this.state.value = { at: "loading", since: performance.now() };
    try {
      const value = await this.fetcher(this.abort.signal);
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
}

export function asTrouble(error: unknown): Trouble {
  if (error instanceof Trouble) return error;
  return new Trouble(-1, "This page failed", error instanceof Error ? error.message : String(error), "Reload the page", "page");
}
