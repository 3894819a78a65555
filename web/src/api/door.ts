import { signal } from "@preact/signals";
import { sentence } from "../words";

/** A refusal in the server's own words: what failed, why, and what to do. */
export class Trouble extends Error {
  constructor(
    readonly status: number,
    readonly what: string,
    readonly why: string,
    readonly remedy: string,
    readonly kind: string,
    /** Under which number the server's log has it; empty where it is no fault of the server's. */
    readonly event = "",
  ) {
    super(why ? `${what}: ${why}` : what);
  }

  /** All of it in sentences, as a page says it. */
  get told(): string {
    return [this.message, this.remedy].filter(Boolean).map((one) => `${sentence(one)}.`).join(" ");
  }

  /** Whether another person's act came first. */
  get cameSecond(): boolean {
    return this.status === 409;
  }

  /** Whether the server could not be reached, so that the same act may succeed later. */
  get unreached(): boolean {
    return this.status === 0;
  }
}

/** False as soon as a call could not reach the server; true again with the next answer. */
export const reachable = signal(true);

/** Counts up whenever the server says that nobody is signed in. */
export const signedOut = signal(0);

/** When the server last answered something that was asked: from then on it counts how long nobody asks. */
export const answered = { at: Date.now() };

/** The page is being reloaded or shut: what is sent now must outlive it. */
let goes = false;
addEventListener("pagehide", () => (goes = true), { capture: true });
addEventListener("pageshow", () => (goes = false));

/** So many characters may be on their way when a page goes; a browser refuses to send more. */
const LAST_WORDS = 15_000;

interface Ask {
  method?: "GET" | "POST" | "PUT" | "DELETE";
  body?: unknown;
  deadline_s?: number;
  abort?: AbortSignal;
  headers?: Record<string, string>;
}

/** One call to the JSON beneath the pages. No call waits for ever: it ends by its deadline, and says so. */
export async function ask<T>(path: string, how: Ask = {}): Promise<T> {
  const answer = await answerTo(path, how);
  return (answer.status === 204 ? undefined : await answer.json()) as T;
}

/** An array from the server, and what its head tells of it. */
export async function askArray<T>(path: string, deadline_s = 60): Promise<{ told: T; body: ArrayBuffer }> {
  const answer = await answerTo(path, { deadline_s });
  return { told: JSON.parse(answer.headers.get("X-Isocenter-Array") ?? "null") as T, body: await answer.arrayBuffer() };
}

/** A file from the server, as it comes. */
export async function askBlob(path: string, headers: Record<string, string>, deadline_s = 600): Promise<Blob> {
  return (await answerTo(path, { headers, deadline_s })).blob();
}

async function answerTo(path: string, { method = "GET", body, deadline_s = 20, abort, headers }: Ask): Promise<Response> {
  const clock = AbortSignal.timeout(deadline_s * 1000);
  let answer: Response;
  try {
    const said = body === undefined ? null : JSON.stringify(body);
    answer = await fetch(path, {
      method,
      keepalive: goes && (said?.length ?? 0) < LAST_WORDS,
      signal: abort ? AbortSignal.any([clock, abort]) : clock,
      credentials: "same-origin",
      headers: { Accept: "application/json", ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
      body: said,
    });
  } catch (error) {
    if (abort?.aborted) throw error;
    if (clock.aborted) throw new Trouble(0, "No answer", `the server said nothing for ${deadline_s} s`, "Try again", "late");
    reachable.value = false;
    throw new Trouble(0, "The server cannot be reached", "the connection failed", "Check that Isocenter is running, then try again", "offline");
  }
  reachable.value = true;
  if (answer.ok) answered.at = Date.now();
  if (answer.ok) return answer;
  if (answer.status === 401) signedOut.value += 1;
  throw await troubleOf(answer);
}

export async function troubleOf(answer: Response): Promise<Trouble> {
  try {
    const { error, detail } = await answer.json();
    if (error) return new Trouble(answer.status, error.what ?? answer.statusText, error.why ?? "", error.do ?? "", error.kind ?? "", error.event ?? "");
    return new Trouble(answer.status, `Refused (${answer.status})`, JSON.stringify(detail ?? ""), "", "");
  } catch {
    return new Trouble(answer.status, `The server answered ${answer.status}`, answer.statusText, "Try again; if it stays, look into the server's log", "");
  }
}
