/**
 * The one live channel of this browser, shared by all pages of it. Over HTTP/1.1 a browser opens six connections to one
 * server: were each page to hold a channel of its own, the seventh could load nothing at all.
 */
import type { Said } from "./live";

const pages = new Set<MessagePort>();
let source: EventSource | null = null;

function say(said: Said): void {
  for (const page of pages) page.postMessage(said);
}

/** Open the channel where it is not; one that the server refused (nobody was signed in) is opened anew. */
function open(page: MessagePort): void {
  if (source && source.readyState !== EventSource.CLOSED) {
    if (source.readyState === EventSource.OPEN) page.postMessage({ at: "open" } satisfies Said);
    return;
  }
  source = new EventSource("/api/events");
  source.onopen = () => say({ at: "open" });
  source.onerror = () => say({ at: source?.readyState === EventSource.CLOSED ? "refused" : "lost" });
  source.onmessage = (message: MessageEvent<string>) => say({ at: "said", data: message.data });
  source.addEventListener("pulse", () => say({ at: "pulse" }));
}

(self as unknown as { onconnect: (event: MessageEvent) => void }).onconnect = ({ ports: [page] }) => {
  page!.onmessage = ({ data }: MessageEvent<"listen" | "bye">) => {
    if (data === "listen") return pages.add(page!), open(page!);
    pages.delete(page!);
    if (pages.size) return;
    source?.close();
    source = null;
  };
};
