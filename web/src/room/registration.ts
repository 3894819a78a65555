import { computed, signal } from "@preact/signals";
import { ask } from "../api/door";
import { asTrouble } from "../api/load";
import type { Join } from "../viewer/joins";
import type { Lightbox } from "../viewer/lightbox";
import type { Session } from "./session";

interface Proposal extends Join {
  proposal: string;
  residual_mm: number;
  overlap: number;
}

const DEADLINE_S = 120;

/** Two series without a common frame of reference: registered by the server, looked at, and accepted by a person. */
export class Registration {
  readonly proposal = signal<Proposal | null>(null);
  readonly busy = signal(false);
  readonly trouble = signal("");
  /** The two series that could be registered now: they were to be laid over one another, and each has a space. */
  readonly pair = computed(() => {
    const apart = this.lightbox.apart.value;
    return apart?.fixed.frame && apart.moving.frame ? apart : null;
  });
  private kept: Join[] = [];

  constructor(private readonly session: Session, private readonly lightbox: Lightbox) {}

  /** What the study holds already. Without an answer there is none, and what shares no frame is refused. */
  async load(): Promise<void> {
    const found = await this.session.absent.tried("registrations", "how its series are registered", () => ask<{ registrations: Join[] }>(this.path), () => void this.load());
    if (found) this.keep(found.registrations);
  }

  async propose(): Promise<void> {
    const pair = this.pair.peek();
    if (!pair || this.busy.peek()) return;
    await this.wait(async () => {
      this.proposal.value = await ask<Proposal>(`/api/studies/${this.session.uid}/register`, { method: "POST", body: { fixed: pair.fixed.uid, moving: pair.moving.uid }, deadline_s: DEADLINE_S });
      this.lightbox.join([...this.kept, this.proposal.value]);
    });
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

  private keep(joins: Join[]): void {
    this.kept = joins;
    this.proposal.value = null;
    this.lightbox.join(joins);
  }

  private get path(): string {
    return `/api/studies/${this.session.uid}/registrations`;
  }

  private async wait(act: () => Promise<void>): Promise<void> {
    this.busy.value = true;
    this.trouble.value = "";
    await act().catch((error: unknown) => (this.trouble.value = asTrouble(error).message));
    this.busy.value = false;
  }
}
