import { effect, type Signal, signal } from "@preact/signals";
import type { Acts } from "../keys/keyboard";
import { to } from "../router";

type Side = "images" | "panel";
type Told =
  | { kind: "here" | "gone" | "acted" | "back" }
  | { kind: "act"; act: string; released: boolean }
  | { kind: "jump"; tracking: string }
  | { kind: "value"; name: string; value: string };
type Message = Told & { study: string; from: Side };

/** What in a window of the panel is done there; every other key is for the images in the other window. */
const OF_THE_PANEL = new Set(["finding+1", "finding-1", "jump", "keep", "change", "strike", "nothing", "lock", "undo", "add", "report", "blocks", "sign", "next", "leave", "panel"]);

/** The panel in a window of its own, for whoever has two screens: what is in hand, what was on screen and what is written is the same in both windows, and keys for the images go to the images. */
export class Apart {
  /** In the window of the images: the panel is in another one. */
  readonly away = signal(false);
  /** In the window of the panel: the images are on screen in the other one. */
  readonly images = signal(false);
  private readonly channel = new BroadcastChannel("isocenter-panel");
  private readonly shared = new Map<string, { take: (value: string) => void; now: () => string; last: string }>();
  private readonly stops: (() => void)[] = [];
  private acts: Acts = {};
  private releases: Acts = {};
  private heard: { jump: (tracking: string) => void; acted: () => void; follow: (study: string) => void } = { jump: () => undefined, acted: () => undefined, follow: () => undefined };
  private readonly bye = () => this.tell({ kind: "gone" });

  constructor(readonly study: string, readonly side: Side) {
    this.channel.onmessage = ({ data }: MessageEvent<Message>) => this.hear(data);
    addEventListener("pagehide", this.bye);
  }

  /** Begin to speak: who is there answers. */
  begin(heard: Apart["heard"]): void {
    this.heard = heard;
    this.tell({ kind: "here" });
  }

  end(): void {
    this.bye();
    removeEventListener("pagehide", this.bye);
    for (const stop of this.stops) stop();
    this.channel.close();
  }

  /** Open the window of the panel; false where the browser opens none. */
  open(): boolean {
    return window.open(to.study(this.study, "panel"), "isocenter-panel", "popup,width=720,height=1000") !== null;
  }

  tell(told: Told): void {
    this.channel.postMessage({ ...told, study: this.study, from: this.side } as Message);
  }

  /** One value in both windows, as words of JSON; `one_way` says which window alone gives it. */
  share<T>(name: string, of: Signal<T>, { from, write = (value: T): unknown => value, read = (value: unknown): T => value as T }: { from?: Side; write?: (value: T) => unknown; read?: (value: unknown) => T } = {}): void {
    const now = () => JSON.stringify(write(of.peek()));
    const mine = { now, last: now(), take: (value: string) => (of.value = read(JSON.parse(value))) };
    this.shared.set(name, mine);
    if (from && from !== this.side) return;
    this.stops.push(effect(() => {
      const value = JSON.stringify(write(of.value));
      if (value === mine.last) return;
      mine.last = value;
      this.tell({ kind: "value", name, value });
    }));
  }

  /** Keys of this window: where the panel is alone, those of the images are done in the other window. */
  keys(acts: Acts): Acts {
    this.acts = acts;
    if (this.side === "images") return acts;
    return Object.fromEntries(Object.entries(acts).map(([act, does]) => [act, OF_THE_PANEL.has(act) ? does : () => this.tell({ kind: "act", act, released: false })]));
  }

  /** What ends when a key is let go. */
  letGo(releases: Acts): Acts {
    this.releases = releases;
    if (this.side === "images") return releases;
    return Object.fromEntries(Object.keys(releases).map((act) => [act, () => this.tell({ kind: "act", act, released: true })]));
  }

  private hear(message: Message): void {
    if (message.from === this.side) return;
    if (message.study !== this.study) return this.other(message);
    switch (message.kind) {
      case "here":
        this.here();
        break;
      case "gone":
        this.away.value = this.images.value = false;
        break;
      case "back":
        window.close();
        break;
      case "value": {
        const mine = this.shared.get(message.name);
        if (!mine) break;
        mine.last = message.value;
        mine.take(message.value);
        break;
      }
      case "act":
        if (this.side === "images") (message.released ? this.releases : this.acts)[message.act]?.();
        break;
      case "jump":
        this.heard.jump(message.tracking);
        break;
      case "acted":
        this.heard.acted();
    }
  }

  /** The images are those of another study now: the panel goes along, so that nobody writes beside images that are gone. */
  private other({ kind, study }: Message): void {
    if (this.side === "panel" && kind === "here") this.heard.follow(study);
  }

  private here(): void {
    if (this.side === "panel") {
      this.images.value = true;
      return this.tell({ kind: "here" });
    }
    const first = !this.away.peek();
    this.away.value = true;
    if (first) this.tell({ kind: "here" });
    for (const [name, one] of this.shared) this.tell({ kind: "value", name, value: (one.last = one.now()) });
  }
}
