import { signal } from "@preact/signals";

/** Something that happened on the server: what, and the study or thing that it is about. */
export interface Happening {
  kind: string;
  subject: string;
  who: string;
}

/** An analysis was stopped, or started again: its subject is the analysis, and every page that shows what it said is concerned. */
export const STOPS: ReadonlySet<string> = new Set(["AnalysisStopped", "AnalysisResumed"]);

/** What the channel that all pages of a browser share tells each of them. */
export type Said = { at: "open" | "lost" | "refused" | "pulse" } | { at: "said"; data: string };

/** When the live channel last spoke, and whether it is open. */
export const heard = signal<Date | null>(null);
export const live = signal(false);

/** How often the server has refused the channel, as it does when the session has ended. */
export const refused = signal(0);

const listeners = new Set<(happening: Happening) => void>();
let close: (() => void) | null = null;

/** Open the channel once. The browser itself resumes it with the last event's number, so that nothing is missed. */
export function listen(): void {
  close ??= typeof SharedWorker === "undefined" ? ofOnesOwn() : shared();
}

export function hangUp(): void {
  close?.();
  close = null;
  live.value = false;
}

/** Hear what happens until the returned function is called. */
export function onHappening(listener: (happening: Happening) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** One channel for all pages of this browser: each would take one of the six connections that it opens to a server. */
function shared(): () => void {
  const worker = new SharedWorker(new URL("./live-worker.ts", import.meta.url), { type: "module", name: "isocenter-live" });
  const { port } = worker;
  worker.onerror = () => close && (hangUp(), (close = ofOnesOwn())); // its code did not come
  port.onmessage = ({ data }: MessageEvent<Said>) => take(data);
  const begin = () => port.postMessage("listen");
  const end = () => port.postMessage("bye");
  begin();
  addEventListener("pagehide", end);
  addEventListener("pageshow", begin); // a page that comes back from the browser's memory
  return () => {
    removeEventListener("pagehide", end);
    removeEventListener("pageshow", begin);
    end();
    port.close();
  };
}

/** Where a browser shares no worker between pages. */
function ofOnesOwn(): () => void {
  const source = new EventSource("/api/events");
  source.onopen = () => take({ at: "open" });
  source.onerror = () => take({ at: source.readyState === EventSource.CLOSED ? "refused" : "lost" });
  source.onmessage = (message: MessageEvent<string>) => take({ at: "said", data: message.data });
  source.addEventListener("pulse", () => take({ at: "pulse" })); // nothing happened, but the channel lives
  return () => source.close();
}

function take(said: Said): void {
  const deaf = said.at === "lost" || said.at === "refused";
  if (said.at !== "pulse") live.value = !deaf;
  if (!deaf) heard.value = new Date();
  if (said.at === "refused") refused.value += 1;
  const happening = said.at === "said" && read(said.data);
  if (happening) for (const listener of listeners) listener(happening);
}

function read(data: string): Happening | null {
  try {
    const { kind = "", subject = "", who = "" } = JSON.parse(data) as Partial<Happening>;
    return { kind, subject, who };
  } catch {
    return null; // a line that is no event
  }
}
