import { computed, effect, signal } from "@preact/signals";
import { asTrouble } from "../api/load";
import type { Trouble } from "../api/door";
import { tellWaiting } from "../api/waiting";

/** Another person's act came first: what we wanted, and how to send it again on top of theirs. */
export interface Conflict {
  mine: string;
  trouble: Trouble;
  again: () => void;
}

/** Sends an act under the name that was drawn for it: sent again after a lost answer, the server does it once. */
type Send = (name: string) => Promise<void>;

interface Act {
  words: string;
  name: string;
  send: Send;
}

const RETRY_MS = 2000;
let places = 0;

const drawName = (): string => `${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`;

/** Each act goes to the server at once, one after the other. What could not be sent waits, is counted, and is sent again: nothing is ever unsaved. */
export class Acts {
  readonly waiting = signal<readonly Act[]>([]);
  readonly unsent = computed(() => this.waiting.value.length);
  readonly trouble = signal<Trouble | null>(null);
  readonly conflict = signal<Conflict | null>(null);
  readonly saved = signal<Date | null>(null);
  private busy = false;
  private clock = 0;

  private readonly place = `room ${(places += 1)}`;
  private readonly untell = effect(() => tellWaiting(this.place, this.waiting.value.map((act) => act.words)));

  constructor(private readonly afterConflict: () => Promise<void>) {}

  do(words: string, send: Send): void {
    this.trouble.value = null;
    this.waiting.value = [...this.waiting.value, { words, name: drawName(), send }];
    void this.work();
  }

  /** The page is left. What still waits goes on being sent, and is counted in the foot of every page until it has arrived. */
  stop(): void {
    if (this.waiting.peek().length) return;
    clearTimeout(this.clock);
    this.untell();
  }

  private async work(): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    clearTimeout(this.clock);
    for (let act = this.waiting.value[0]; act; act = this.waiting.value[0]) {
      try {
        await act.send(act.name);
        this.saved.value = new Date();
      } catch (error) {
        const trouble = asTrouble(error);
        if (trouble.unreached) {
          this.clock = window.setTimeout(() => void this.work(), RETRY_MS);
          break;
        }
        const refused = act;
        if (trouble.cameSecond) {
          await this.afterConflict().catch(() => undefined); // what came first is read again by the next act; the queue must go on
          this.conflict.value = { mine: refused.words, trouble, again: () => this.do(refused.words, refused.send) };
        } else {
          this.trouble.value = trouble;
        }
      }
      this.waiting.value = this.waiting.value.slice(1);
    }
    this.busy = false;
  }
}
