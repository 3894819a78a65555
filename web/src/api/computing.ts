import { ask } from "./door";
import type { Tell } from "./load";

/** What the server counts while it works: each is one page's answer. */
export type Answer = "cohort" | "turnaround" | "triage" | "readers";

const BETWEEN_MS = 500;
/** As long as an answer is counted, somebody sees that it comes: it may take its time. */
const DEADLINE_S = 600;

/** An answer that the server makes of many studies: meanwhile it is told how many of them are done. */
export async function computed<T>(answer: Answer, path: string, abort: AbortSignal, tell: Tell): Promise<T> {
  const over = new AbortController();
  const ended = AbortSignal.any([over.signal, abort]);
  const look = async () => {
    const { done, of } = await ask<{ done: number; of: number }>(`/api/counting/${answer}`, { abort: ended });
    if (of && !ended.aborted) tell({ done, of, unit: of === 1 ? "study" : "studies", computing: true });
  };
  const clock = setInterval(() => void look().catch(() => undefined), BETWEEN_MS); // the answer itself says what fails
  try {
    return await ask<T>(path, { abort, deadline_s: DEADLINE_S });
  } finally {
    clearInterval(clock);
    over.abort();
  }
}
