import { signal } from "@preact/signals";
import { ask } from "../api/door";
import { asTrouble } from "../api/load";
import type { Spot } from "./slices";

interface Told {
  people?: string[];
  who?: string;
  page?: string;
  series?: string;
  image?: string;
  frame?: number;
  window?: [number, number] | null;
  marks?: [number, number][];
  cursor?: [number, number] | null;
  leads?: boolean;
}

const EVERY_MS = 80;

/** Two people on one view: slice, window and cursor go from page to page and are kept nowhere. */
export class Together {
  readonly on = signal(false);
  readonly follow = signal(true);
  readonly people = signal<string[]>([]);
  readonly others = signal<{ who: string; place: [number, number] }[]>([]);
  readonly trouble = signal("");
  private readonly page = Array.from(crypto.getRandomValues(new Uint8Array(8)), (byte) => byte.toString(36).padStart(2, "0")).join("");
  private source: EventSource | null = null;
  private cursor: [number, number] | null = null;
  private due = 0;
  private leads = false;
  private shown = "";

  constructor(
    private readonly study: string,
    private readonly here: () => Spot,
    private readonly move: (to: Spot) => void,
  ) {}

  join(): void {
    this.on.value = true;
    this.trouble.value = "";
    this.shown = JSON.stringify(this.here());
    this.source = new EventSource(`/api/studies/${this.study}/together`);
    this.source.onmessage = (message: MessageEvent<string>) => this.hear(JSON.parse(message.data) as Told);
    this.source.onerror = () => {
      if (this.source?.readyState === EventSource.CLOSED) (this.leave(), (this.trouble.value = "The other desk cannot be reached: you may not look together at this study, your own opinion comes first, or the server is gone."));
    };
  }

  leave(): void {
    this.source?.close();
    this.source = null;
    clearTimeout(this.due);
    this.on.value = false;
    this.people.value = [];
    this.others.value = [];
  }

  point(place: [number, number] | null): void {
    this.cursor = place;
    this.soon();
  }

  /** The view has changed. Only one's own act leads the other; what came from there is not sent back. */
  moved(): void {
    const now = JSON.stringify(this.here());
    if (now === this.shown) return;
    this.shown = now;
    this.leads = true;
    this.soon();
  }

  private soon(): void {
    if (!this.on.peek() || this.due) return;
    this.due = window.setTimeout(() => {
      this.due = 0;
      if (!this.on.peek()) return;
      const body = { page: this.page, leads: this.leads, ...this.here(), cursor: this.cursor };
      this.leads = false;
      void ask(`/api/studies/${this.study}/together`, { method: "POST", body }).then(() => (this.trouble.value = ""), (error: unknown) => (this.trouble.value = asTrouble(error).what));
    }, EVERY_MS);
  }

  private hear(told: Told): void {
    if (told.people) {
      const wasHere = this.people.peek().length > 0;
      const somebodyCame = told.people.length > this.people.peek().length;
      this.people.value = told.people;
      if (wasHere && somebodyCame) {
        this.leads = true; // whoever has just come is brought to where I am
        this.soon();
      }
      return;
    }
    if (told.page === this.page || !told.who) return;
    const rest = this.others.peek().filter((one) => one.who !== told.who);
    this.others.value = told.cursor ? [...rest, { who: told.who, place: told.cursor }] : rest;
    if (!told.leads || !this.follow.peek() || !told.image) return;
    const next: Spot = { series: told.series ?? "", image: told.image, frame: told.frame ?? 0, window: told.window ?? null, marks: told.marks ?? [] };
    const words = JSON.stringify(next);
    if (words === this.shown) return;
    this.shown = words;
    this.move(next);
  }
}
