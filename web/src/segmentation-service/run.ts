import { signal } from "@preact/signals";
import { ask, Trouble, troubleOf } from "../api/door";
import { asTrouble } from "../api/load";
import { filesOf } from "../kit/drops";

export interface Measurement {
  what: { meaning: string };
  definition?: string;
  value: number;
  unit: string;
  low?: number | null;
  high?: number | null;
}

export interface Result {
  analysis: string;
  /** Place of its study among those of the run. */
  study: number;
  answer: "found" | "none" | "declined";
  reasons: string[];
  findings: { what: { meaning: string } | null; words: string; measurements: Measurement[]; where: { volume_ml: number | null } | null }[];
  measurements: Measurement[];
  files: { name: string; size: number }[];
  pictures: { name: string; slice: number }[];
  left: { name: string; why: string }[];
  /** The series it was given, in words. */
  on: string[];
}

/** Whose study it is, and which. */
export interface OfStudy {
  patient: string;
  patient_id: string;
  description: string;
  date: string;
  modalities: string[];
  images: number;
}

/** A run of this person, as a list of them tells it. */
export interface Yours {
  id: string;
  state: string;
  words: string;
  analysis: string;
  files: number;
  gone_at: string;
}

export interface Told extends Yours {
  /** The first two hundred of them. */
  rejected: { file: string; why: string }[];
  rejected_in_all: number;
  studies: OfStudy[];
  results: Result[];
}

const LOOK_MS = 700;
/** After the server's time of deletion, before it is asked whether it has deleted. */
const LATE_MS = 2000;
const GONE = new Trouble(404, "These images and results are deleted", "nobody looked at them for half an hour, they were deleted in another window, or the server was started anew", "Drop the images again", "gone");

/** One run of a guest: files go up one by one, then it is asked after until it is done. It stays when the page is left, until it is deleted. */
export class Run {
  readonly state = signal<"empty" | "sending" | "waiting" | "running" | "done" | "failed">("empty");
  readonly sent = signal(0);
  readonly total = signal(0);
  readonly told = signal<Told | null>(null);
  readonly trouble = signal<Trouble | null>(null);
  /** Runs of this person on the server, the newest first. */
  readonly yours = signal<readonly Yours[]>([]);
  /** False where it could not be asked which those are. */
  readonly listed = signal(true);
  /** False while the server does not answer; the run goes on there. */
  readonly heard = signal(true);
  private turn = 0;
  private clock = 0;

  async send(files: File[], analysis: string, modality: string): Promise<void> {
    if (!files.length || this.state.peek() !== "empty") return;
    if (!modality && files.every((file) => /\.nii(\.gz)?$/i.test(file.name))) {
      this.trouble.value = new Trouble(400, "A NIfTI file does not tell what its numbers mean", "nothing was sent", "Choose its modality above, then drop it again", "Refused");
      return;
    }
    const turn = ++this.turn;
    [this.state.value, this.sent.value, this.total.value, this.trouble.value] = ["sending", 0, files.length, null];
    try {
      const begun = await ask<Told>("/api/segment", { method: "POST", body: { analysis, modality } });
      if (turn !== this.turn) return void this.remove(begun.id);
      this.told.value = begun;
      for (const file of files) {
        await put(begun.id, file);
        if (turn !== this.turn) return;
        this.sent.value += 1;
      }
      await this.follow(await ask<Told>(`/api/segment/${begun.id}/start`, { method: "POST", body: {} }));
    } catch (error) {
      if (turn !== this.turn) return;
      const trouble = asTrouble(error);
      void this.leave();
      this.trouble.value = trouble;
    }
  }

  /** What of this person is here from before; the newest is opened where it is the only one. */
  async find(): Promise<void> {
    if (!(await this.list())) return;
    const [first, second] = this.yours.peek();
    if (first && !second && first.state !== "taking" && this.state.peek() === "empty") await this.open(first.id);
  }

  async open(id: string): Promise<void> {
    this.trouble.value = null;
    try {
      await this.follow(await ask<Told>(`/api/segment/${id}`));
    } catch (error) {
      this.trouble.value = asTrouble(error).status === 404 ? GONE : asTrouble(error);
      await this.list();
    }
  }

  /** Files of a drop. A run that stands here is put aside for them; while files go up, more are not taken. */
  async take(dropped: DataTransfer): Promise<File[] | null> {
    const [files, sending] = [filesOf(dropped), this.state.peek() === "sending"]; // what was dropped can be asked for only at once
    try {
      const found = await files;
      if (sending) throw new Trouble(400, "What you dropped was not taken", "other files are still being sent", "Drop it again when they are there, or stop them", "busy");
      if (!found.length) throw new Trouble(400, "There was no file in what you dropped", "a folder without files, or something that is none", "Drop images, a folder of them or a ZIP", "empty");
      if (this.state.peek() !== "empty") this.aside();
      return found;
    } catch (error) {
      this.trouble.value = error instanceof Trouble ? error : new Trouble(400, "What you dropped could not be read", error instanceof Error ? error.message : String(error), "Choose it by the button instead", "unreadable");
      return null;
    }
  }

  /** Take one file to this computer; where it is deleted already that is said, instead of a download that fails without a word. */
  async fetch(name: string): Promise<void> {
    const id = this.told.peek()?.id;
    if (!id) return;
    try {
      this.hear(await ask<Told>(`/api/segment/${id}`));
      const link = document.createElement("a");
      [link.href, link.download] = [`/api/segment/${id}/files/${name}`, name];
      link.click();
    } catch (error) {
      this.failed(error);
    }
  }

  /** Delete it, and begin with an empty page. */
  async leave(): Promise<void> {
    const id = this.told.peek()?.id;
    this.putDown();
    if (id) await this.remove(id);
  }

  async remove(id: string): Promise<void> {
    await ask(`/api/segment/${id}`, { method: "DELETE" }).catch(() => undefined); // it goes by itself when this fails
    await this.list();
  }

  /** The page is left. What was sent whole goes on; what was sent in part is of no use to anybody. */
  stop(): void {
    if (this.state.peek() === "sending") void this.leave();
    else this.putDown();
  }

  /** Show no run any more; it stays where it is. */
  putDown(): void {
    this.turn += 1;
    clearTimeout(this.clock);
    this.told.value = null;
    this.state.value = "empty";
  }

  /** Put it down and begin with an empty page; it stands among those from before. */
  aside(): void {
    this.putDown();
    this.trouble.value = null;
    void this.list();
  }

  private async list(): Promise<boolean> {
    const { runs } = await ask<{ runs: Yours[] }>("/api/segment").catch(() => ({ runs: null }));
    if (runs) this.yours.value = runs;
    this.listed.value = runs !== null;
    return runs !== null;
  }

  private async follow(told: Told): Promise<void> {
    const turn = ++this.turn;
    this.hear(told);
    while (turn === this.turn && (this.state.peek() === "waiting" || this.state.peek() === "running")) {
      await new Promise((done) => setTimeout(done, LOOK_MS));
      if (turn !== this.turn) return;
      try {
        const now = await ask<Told>(`/api/segment/${told.id}`);
        if (turn === this.turn) this.hear(now);
      } catch (error) {
        if (turn === this.turn) this.failed(error);
      }
    }
  }

  private failed(error: unknown): void {
    const trouble = asTrouble(error);
    this.heard.value = !trouble.unreached;
    if (trouble.unreached) return; // it is asked again
    this.putDown();
    this.trouble.value = trouble.status === 404 ? GONE : trouble;
    void this.list();
  }

  private hear(told: Told): void {
    this.heard.value = true;
    this.told.value = told;
    this.state.value = told.state as "waiting" | "running" | "done" | "failed";
    clearTimeout(this.clock);
    const left = new Date(told.gone_at).getTime() - Date.now();
    this.clock = window.setTimeout(() => void this.stillThere(told.id), Math.max(LATE_MS, left + LATE_MS));
  }

  /** Whether it is there after the time at which it was to go; to ask in this way is not to look at it. */
  private async stillThere(id: string): Promise<void> {
    if (!(await this.list()) || this.told.peek()?.id !== id || this.yours.peek().some((one) => one.id === id)) return;
    this.putDown();
    this.trouble.value = GONE;
  }
}

async function put(id: string, file: File): Promise<void> {
  let answer: Response;
  try {
    answer = await fetch(`/api/segment/${id}/files?name=${encodeURIComponent(file.name.slice(-200))}`, { method: "PUT", body: file, credentials: "same-origin", headers: { "Content-Type": "application/octet-stream" } });
  } catch {
    throw new Trouble(0, `${file.name} was not sent`, "the server cannot be reached, or the file was changed or deleted meanwhile", "Drop the images again", "offline");
  }
  if (answer.ok) return;
  throw await troubleOf(answer);
}
