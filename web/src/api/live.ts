import { signal } from "@preact/signals";

/** Something that happened on the server: what, and the study or thing that it is about. */
export interface Happening {
  kind: string;
  subject: string;
  who: string;
}

/** When the live channel last spoke, and whether it is open. */
export const heard = signal<Date | null>(null);
export const live = signal(false);

const listeners = new Set<(happening: Happening) => void>();
let source: EventSource | null = null;

/** Open the channel once. The browser itself resumes it with the last event's number, so that nothing is missed. */
export function listen(): void {
  if (source) return;
  source = new EventSource("/api/events");
  source.onopen = () => {
    live.value = true;
    heard.value = new Date();
  };
  source.onerror = () => {
    live.value = false;
  };
  source.onmessage = (message: MessageEvent<string>) => {
    heard.value = new Date();
    const happening = read(message);
    if (happening) for (const listener of listeners) listener(happening);
  };
  source.addEventListener("pulse", () => (heard.value = new Date())); // nothing happened, but the channel lives
}

export function hangUp(): void {
  source?.close();
  source = null;
  live.value = false;
}

/** Hear what happens until the returned function is called. */
export function onHappening(listener: (happening: Happening) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function read(message: MessageEvent<string>): Happening | null {
  try {
    const { kind = "", subject = "", who = "" } = JSON.parse(message.data) as Partial<Happening>;
    return { kind, subject, who };
  } catch {
    return null; // a line that is no event
  }
}
