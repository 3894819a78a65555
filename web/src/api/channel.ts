/** What the channel that all pages of a browser share tells each of them. */
export type Said = { at: "open" | "lost" | "refused" | "pulse" } | { at: "said"; data: string };

/** The server shows every five seconds that it lives; after three times as long a line is dead, whatever the browser thinks of it. */
const SILENT_MS = 16_000;
/** Until a channel that was refused is tried again: at first, and at most. */
const SOON_MS = 2000;
const LATE_MS = 30_000;

/**
 * The stream of events, taken up where it broke off. A browser does that by itself only where the line breaks: not where
 * something between answers in the server's place while it starts anew, nor where a line dies without a word, as it does
 * when a laptop has slept.
 */
export class Channel {
  private source: EventSource | null = null;
  private last = "";
  private silent = 0;
  private again = 0;
  private wait = SOON_MS;

  constructor(private readonly say: (said: Said) => void) {}

  get isOpen(): boolean {
    return this.source?.readyState === EventSource.OPEN;
  }

  /** Open it, where it is not opening or open already. */
  open(): void {
    if (this.source && this.source.readyState !== EventSource.CLOSED) return;
    clearTimeout(this.again);
    const source = new EventSource(this.last ? `/api/events?since=${this.last}` : "/api/events");
    this.source = source;
    source.onopen = () => {
      this.wait = SOON_MS;
      this.tell({ at: "open" });
    };
    source.onerror = () => this.broke(source.readyState === EventSource.CLOSED);
    source.onmessage = (message: MessageEvent<string>) => this.hear(message, { at: "said", data: message.data });
    source.addEventListener("pulse", (message) => this.hear(message, { at: "pulse" }));
    this.listenOn();
  }

  close(): void {
    clearTimeout(this.silent);
    clearTimeout(this.again);
    this.source?.close();
    this.source = null;
  }

  private hear(message: MessageEvent, said: Said): void {
    this.last = message.lastEventId || this.last;
    this.tell(said);
  }

  private tell(said: Said): void {
    this.listenOn();
    this.say(said);
  }

  private broke(refused: boolean): void {
    this.say({ at: refused ? "refused" : "lost" });
    if (!refused) return; // the browser tries again
    clearTimeout(this.silent);
    this.again = setTimeout(() => this.open(), this.wait) as unknown as number;
    this.wait = Math.min(LATE_MS, 2 * this.wait);
  }

  private listenOn(): void {
    clearTimeout(this.silent);
    this.silent = setTimeout(() => {
      this.source?.close();
      this.say({ at: "lost" });
      this.open();
    }, SILENT_MS) as unknown as number;
  }
}
