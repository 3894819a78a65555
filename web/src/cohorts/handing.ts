import { signal } from "@preact/signals";
import { ask, Trouble } from "../api/door";
import { asTrouble } from "../api/load";

/** What it is wanted for, with what terms of use may want to know. */
export interface Wanted {
  purpose: string;
  project: string;
  ethics: string;
  institutions: string[];
  countries: string[];
  diseases: string[];
  topics: string[];
  non_profit?: boolean;
  non_commercial?: boolean;
  publishes?: boolean;
  collaborates?: boolean;
  returns?: boolean;
}

export interface Plan {
  id: string;
  name: string;
  purpose: string;
  studies: number;
  of: number;
  people: number;
  left_out: { why: string; studies: number }[];
  smallest_group: number;
  purposes: string[];
  institution: string[];
  country: string[];
  /** This person's own run of it, where there is one. */
  running: string;
  before: { when: string; by: string; purpose: string; studies: number; smallest_group: number | null; reason: string }[];
}

/** What travels with the copies; it names no original. */
export interface Report {
  standard: string;
  written: number;
  patients: number;
  cohort: { name: string; studies: number };
  smallest_group_wanted: number;
  smaller_groups_because: string;
  held_back: { kind: string; why: string; count: number }[];
  faces: { objects: Record<string, number> };
  attributes: unknown[];
  risk: { smallest_group: number; patients_alone_in_their_group: number; unique_rate: number; remaining: { risk: string; objects: number }[] };
}

export interface Told {
  id: string;
  state: "waiting" | "running" | "done" | "refused";
  words: string;
  done: number;
  of: number;
  report: Report | null;
  /** Studies and objects that stayed; of an object, whether a person has to look (`review`), whether it leaves once they have said so, and of which study it is. */
  left: { study: string; object: string; why: string; kind?: "review" | "rejected"; leaves?: "reviewed" | ""; of?: string }[];
  left_in_all: number;
  bytes: number | null;
  gone_at: string;
}

export const PURPOSES: Record<string, string> = {
  research: "research",
  training: "training a model",
  federation: "training a model together with other houses",
  sharing: "the research of another house",
};

const LOOK_MS = 700;
const GONE = new Trouble(404, "The copies are not here any more", "they were deleted, or nobody asked for them for a day; what was handed out before stands beside", "Hand the cohort out again", "gone");

/** One hand-out of this person: begun, asked after until it ends, taken, deleted. It goes on when the page is left. */
export class HandOut {
  readonly told = signal<Told | null>(null);
  readonly trouble = signal<Trouble | null>(null);
  private turn = 0;

  async begin(cohort: string, how: Wanted & { smallest_group: number; reason: string; blank: boolean; reviewed: string[] }): Promise<void> {
    this.trouble.value = null;
    try {
      await this.follow(await ask<Told>(`/api/cohorts/${cohort}/hand-out`, { method: "POST", body: how, deadline_s: 60 }));
    } catch (error) {
      this.trouble.value = asTrouble(error);
    }
  }

  /** Look again at one that was begun before this page was opened. */
  async resume(id: string): Promise<void> {
    if (!id || this.told.peek()) return;
    const told = await ask<Told>(`/api/hand-outs/${id}`).catch(() => null);
    if (told) void this.follow(told);
  }

  /** Take the file to this computer; where it is gone that is said, instead of a download that fails without a word. */
  async take(): Promise<void> {
    const id = this.told.peek()?.id;
    if (!id) return;
    try {
      this.told.value = await ask<Told>(`/api/hand-outs/${id}`);
      const link = document.createElement("a");
      [link.href, link.download] = [`/api/hand-outs/${id}/file`, ""];
      link.click();
    } catch (error) {
      this.missed(error);
      if (asTrouble(error).status !== 404) this.trouble.value = asTrouble(error);
    }
  }

  /** One look that fails is made again; of what is gone it is said, and nothing waits for it. */
  private missed(error: unknown): void {
    if (asTrouble(error).status !== 404) return;
    this.stop();
    this.told.value = null;
    this.trouble.value = GONE;
  }

  /** Stop it, or delete its copies. */
  async remove(): Promise<void> {
    const id = this.told.peek()?.id;
    this.stop();
    this.told.value = null;
    if (id) await ask(`/api/hand-outs/${id}`, { method: "DELETE" }).catch(() => undefined); // it goes by itself after a day
  }

  /** The page is left; the copies are made all the same. */
  stop(): void {
    this.turn += 1;
  }

  private async follow(told: Told): Promise<void> {
    const turn = ++this.turn;
    this.told.value = told;
    while (turn === this.turn && (this.told.peek()?.state === "waiting" || this.told.peek()?.state === "running")) {
      await new Promise((done) => setTimeout(done, LOOK_MS));
      if (turn !== this.turn) return;
      try {
        const now = await ask<Told>(`/api/hand-outs/${told.id}`);
        if (turn === this.turn) this.told.value = now;
      } catch (error) {
        if (turn === this.turn) this.missed(error);
      }
    }
  }
}
