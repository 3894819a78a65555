import { signal } from "@preact/signals";
import { Channel, type Said } from "./channel";

/** Something that happened on the server: what, and the study or thing that it is about. */
export interface Happening {
  kind: string;
  subject: string;
  who: string;
}

/** An analysis was stopped, or started again: its subject is the analysis, and every page that shows what it said is concerned. */
export const STOPS: ReadonlySet<string> = new Set(["AnalysisStopped", "StopExplained", "AnalysisResumed"]);

/** When the live channel last spoke, and whether it is open. */
export const heard = signal<Date | null>(null);
export const live = signal(false);

/** Whether it has been closed for so long that a page may show what is true no more. */
export const deaf = signal(false);
const DEAF_MS = 10_000;
let growingDeaf = 0;

/** How often the server has refused the channel, as it does when the session has ended. */
export const refused = signal(0);

const listeners = new Set<(happening: Happening) => void>();
let close: (() => void) | null = null;

/** Open the channel once. The browser itself resumes it with the last event's number, so that nothing is missed. */
export function listen(): void {
  if (!close) notHearing();
  close ??= typeof SharedWorker === "undefined" ? ofOnesOwn() : shared();
}

export function hangUp(): void {
  close?.();
  close = null;
  live.value = deaf.value = false;
  clearTimeout(growingDeaf);
}

function notHearing(): void {
  live.value = false;
  clearTimeout(growingDeaf);
  growingDeaf = window.setTimeout(() => (deaf.value = true), DEAF_MS);
}

function hearing(): void {
  clearTimeout(growingDeaf);
  live.value = true;
  deaf.value = false;
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
  worker.onerror = () => close && (hangUp(), notHearing(), (close = ofOnesOwn())); // its code did not come
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
  const channel = new Channel(take);
  channel.open();
  return () => channel.close();
}

function take(said: Said): void {
  if (said.at !== "lost" && said.at !== "refused") {
    hearing();
    heard.value = new Date();
  } else if (live.value) notHearing();
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
