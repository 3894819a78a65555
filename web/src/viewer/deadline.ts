/** No image load may hang: a promise that does not settle in time fails with words. */
export function within<T>(seconds: number, what: string, promise: Promise<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const clock = setTimeout(() => reject(new Error(`${what} did not come within ${seconds} s`)), seconds * 1000);
    promise.then(resolve, reject).finally(() => clearTimeout(clock));
  });
}

export const DAMAGED = "its stored file was damaged, and is shown to nobody. Whoever keeps the archive can bring it back from a copy";

/** The words of whatever a library threw. */
export function wordsOf(error: unknown): string {
  const inner = (error as { error?: unknown } | null)?.error ?? error;
  if ((inner as { kind?: string } | null)?.kind === "Damaged") return DAMAGED;
  if (inner instanceof Error) return inner.message;
  const status = (inner as { status?: number } | null)?.status;
  return status ? `the server answered ${status}` : String((inner as { message?: string } | null)?.message ?? inner);
}

export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));
