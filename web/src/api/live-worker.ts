/**
 * The one live channel of this browser, shared by all pages of it. Over HTTP/1.1 a browser opens six connections to one
 * server: were each page to hold a channel of its own, the seventh could load nothing at all.
 */
import { Channel, type Said } from "./channel";

const pages = new Set<MessagePort>();
const channel = new Channel((said: Said) => {
  for (const page of pages) page.postMessage(said);
});

(self as unknown as { onconnect: (event: MessageEvent) => void }).onconnect = ({ ports: [page] }) => {
  page!.onmessage = ({ data }: MessageEvent<"listen" | "bye">) => {
    if (data === "bye") {
      pages.delete(page!);
      if (!pages.size) channel.close();
      return;
    }
    pages.add(page!);
    if (channel.isOpen) page!.postMessage({ at: "open" } satisfies Said);
    else channel.open(); // one that the server refused (nobody was signed in) is opened anew
  };
};
