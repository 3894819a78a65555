import { ask } from "./door";

const FRESH_MS = 3000;
const begun = new Map<string, { answer: Promise<unknown>; since: number }>();

/** Ask for what a page will need while its own code is still on its way. */
export function askEarly(...paths: string[]): void {
  for (const path of paths) {
    const answer = ask(path);
    answer.catch(() => undefined); // whoever takes it hears of it
    begun.set(path, { answer, since: performance.now() });
  }
}

/** An answer that comes as a part of another; undefined where it did not. */
export function give(path: string, answer: Promise<unknown>): void {
  begun.set(path, { answer, since: performance.now() });
}

/** The answer that was asked for early, once and while it is fresh; else asked for now. */
export async function askOrTake<T>(path: string, abort?: AbortSignal): Promise<T> {
  const early = begun.get(path);
  begun.delete(path);
  const told = early && performance.now() - early.since < FRESH_MS ? ((await early.answer) as T | undefined) : undefined;
  return told ?? ask<T>(path, { abort });
}
