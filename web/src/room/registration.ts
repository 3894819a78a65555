import { computed, effect, signal } from "@preact/signals";
import { ask } from "../api/door";
import { asTrouble } from "../api/load";
import { type Join, joinOf } from "../viewer/joins";
import type { Lightbox } from "../viewer/lightbox";
import type { Loaded } from "../viewer/series";
import type { Session } from "./session";

interface Proposal extends Join {
  proposal: string;
  residual_mm: number;
  overlap: number;
}

interface Pair {
  fixed: Loaded;
  moving: Loaded;
}

/** So long a registration may take, while it is told how far it is. */
const DEADLINE_S = 600;
const LOOK_MS = 400;

/** Two series without a common frame of reference, of this study or one of an earlier one: registered by the server, looked at, and accepted by a person. */
export class Registration {
  readonly proposal = signal<Proposal | null>(null);
  /** Which part of the longest possible way is computed, 0 to 1; null while nothing is. */
  readonly part = signal<number | null>(null);
  readonly busy = signal(false);
  readonly trouble = signal("");
  /** The two series that could be registered now: they were to be laid over one another, or hang beside one another. */
  readonly pair = computed<Pair | null>(() => {
    const apart = this.lightbox.apart.value;
    if (apart) return apart.fixed.frame && apart.moving.frame ? apart : null;
    return this.beside.value;
  });
  /** Nothing joins them yet. */
  readonly lacking = computed(() => {
    const pair = this.pair.value;
    return !!pair && !joinOf(this.lightbox.joins.value, pair.fixed.frame, pair.moving.frame);
  });
  private readonly beside = computed<Pair | null>(() => {
    const hung = this.lightbox.viewports.value.flatMap((one) => (one.series.value && !one.series.value.noVolume && one.series.value.frame ? [one.series.value] : []));
    const lead = this.lightbox.active.value?.series.value;
    const own = hung.filter((one) => one.study === this.session.uid);
    const fixed = own.find((one) => one === lead) ?? own[0];
    const moving = fixed && hung.find((one) => one.frame !== fixed.frame);
    return fixed && moving ? { fixed, moving } : null;
  });
  private kept: Join[] = [];
  private abort: AbortController | null = null;
  private run = "";
  private readonly forget: () => void;

  constructor(private readonly session: Session, private readonly lightbox: Lightbox) {
    let before = "";
    this.forget = effect(() => {
      const pair = this.pair.value;
      const name = pair ? `${pair.fixed.uid} ${pair.moving.uid}` : "";
      if (name !== before) this.trouble.value = ""; // it spoke of another pair
      before = name;
    });
  }

  end(): void {
    this.stop();
    this.forget();
  }

  /** What the study holds already. Without an answer there is none, and what shares no frame is refused. */
  async load(): Promise<void> {
    const found = await this.session.absent.tried("registrations", "how its series are registered", () => ask<{ registrations: Join[] }>(this.path), () => void this.load());
    if (found) this.keep(found.registrations);
  }

  async propose(): Promise<void> {
    const pair = this.pair.peek();
    if (this.busy.peek()) return;
    if (!pair) return void (this.trouble.value = "nothing here could be registered: hang an earlier study, or another series, of another frame of reference beside");
    if (!this.session.mine.peek()) return void (this.trouble.value = "read-only: this study is not open with you");
    const [run, abort] = [word(), new AbortController()];
    [this.run, this.abort, this.part.value] = [run, abort, 0];
    const clock = setInterval(() => void this.look(run, abort.signal), LOOK_MS);
    await this.wait(async () => {
      const made = await ask<Proposal>(`${this.base}/register`, { method: "POST", body: { fixed: pair.fixed.uid, moving: pair.moving.uid, run }, deadline_s: DEADLINE_S, abort: abort.signal });
      if (abort.signal.aborted) return;
      this.proposal.value = made;
      this.lightbox.links.unpin(pair.fixed.uid, pair.moving.uid);
      this.lightbox.join([...this.kept, made]);
    });
    clearInterval(clock);
    if (this.run === run) [this.run, this.abort, this.part.value] = ["", null, null];
  }

  /** End what is being computed; false where nothing is. */
  stop(): boolean {
    const { run } = this;
    if (!run) return false;
    this.abort?.abort();
    [this.run, this.abort, this.part.value, this.busy.value] = ["", null, null, false];
    void ask(`${this.base}/register/${run}`, { method: "DELETE" }).catch(() => undefined); // it may have ended by itself
    return true;
  }

  /** Esc: what is computed ends, what is proposed and not accepted goes. False where there is neither. */
  giveUp(): boolean {
    if (this.stop()) return true;
    if (!this.proposal.peek()) return false;
    this.discard();
    return true;
  }

  async accept(): Promise<void> {
    const proposal = this.proposal.peek();
    if (!proposal) return;
    await this.wait(async () => {
      const { registrations } = await ask<{ registrations: Join[] }>(this.path, { method: "POST", body: { proposal: proposal.proposal } });
      this.keep(registrations);
      await this.session.refresh();
    });
  }

  discard(): void {
    this.keep(this.kept);
  }

  private async look(run: string, abort: AbortSignal): Promise<void> {
    const told = await ask<{ part: number | null }>(`${this.base}/register/${run}`, { abort }).catch(() => null); // the next look may be answered
    if (told && told.part !== null && this.run === run) this.part.value = told.part;
  }

  private keep(joins: Join[]): void {
    this.kept = joins;
    this.proposal.value = null;
    this.lightbox.join(joins);
  }

  private get base(): string {
    return `/api/studies/${this.session.uid}`;
  }

  private get path(): string {
    return `${this.base}/registrations`;
  }

  private async wait(act: () => Promise<void>): Promise<void> {
    this.busy.value = true;
    this.trouble.value = "";
    await act().catch((error: unknown) => {
      if (!(error instanceof DOMException)) this.trouble.value = asTrouble(error).message; // else somebody stopped it
    });
    this.busy.value = false;
  }
}

function word(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
