import { signal } from "@preact/signals";
import { ask, type Trouble } from "../api/door";
import { asTrouble } from "../api/load";

interface Measurement {
  what: { meaning: string };
  value: number;
  unit: string;
  low?: number | null;
  high?: number | null;
}

export interface Result {
  analysis: string;
  answer: "found" | "none" | "declined";
  reasons: string[];
  findings: { what: { meaning: string } | null; words: string; measurements: Measurement[]; where: { volume_ml: number | null } | null }[];
  measurements: Measurement[];
  files: { name: string; size: number }[];
  pictures: { name: string; slice: number }[];
  left: { name: string; why: string }[];
}

export interface Told {
  id: string;
  state: string;
  words: string;
  gone_at: string;
  rejected: { file: string; why: string }[];
  results: Result[];
}

const LOOK_MS = 700;

/** One run of a guest: files go up one by one, then it is asked after until it is done; leaving deletes it. */
export class Run {
  readonly state = signal<"empty" | "sending" | "waiting" | "running" | "done" | "failed">("empty");
  readonly sent = signal(0);
  readonly total = signal(0);
  readonly told = signal<Told | null>(null);
  readonly trouble = signal<Trouble | null>(null);
  private turn = 0;

  async send(files: File[], analysis: string, modality: string): Promise<void> {
    if (!files.length || this.state.peek() !== "empty") return;
    const turn = ++this.turn;
    [this.state.value, this.sent.value, this.total.value, this.trouble.value] = ["sending", 0, files.length, null];
    try {
      const { id } = await ask<Told>("/api/segment", { method: "POST", body: { analysis, modality } });
      if (turn !== this.turn) return void this.remove(id);
      this.told.value = { id, state: "taking", words: "", gone_at: "", rejected: [], results: [] };
      for (const file of files) {
        await put(id, file);
        if (turn !== this.turn) return;
        this.sent.value += 1;
      }
      this.hear(await ask<Told>(`/api/segment/${id}/start`, { method: "POST", body: {} }));
      while (turn === this.turn && (this.state.peek() === "waiting" || this.state.peek() === "running")) {
        await new Promise((done) => setTimeout(done, LOOK_MS));
        if (turn === this.turn) this.hear(await ask<Told>(`/api/segment/${id}`));
      }
    } catch (error) {
      if (turn !== this.turn) return;
      const trouble = asTrouble(error);
      this.leave();
      this.trouble.value = trouble;
    }
  }

  /** Delete it, and begin with an empty page. */
  leave(): void {
    this.turn += 1;
    const id = this.told.peek()?.id;
    if (id) this.remove(id);
    this.told.value = null;
    this.state.value = "empty";
  }

  private remove(id: string): void {
    void ask(`/api/segment/${id}`, { method: "DELETE" }).catch(() => undefined); // it goes by itself when this fails
  }

  private hear(told: Told): void {
    this.told.value = told;
    this.state.value = told.state as "waiting" | "running" | "done" | "failed";
  }
}

async function put(id: string, file: File): Promise<void> {
  const answer = await fetch(`/api/segment/${id}/files?name=${encodeURIComponent(file.name.slice(-200))}`, { method: "PUT", body: file, credentials: "same-origin", headers: { "Content-Type": "application/octet-stream" } });
  if (answer.ok) return;
  const { error } = (await answer.json()) as { error: { what: string; why: string; do: string; kind: string } };
  const { Trouble } = await import("../api/door");
  throw new Trouble(answer.status, error.what, error.why, error.do, error.kind);
}

/** Files of a drop, also those in folders. */
export async function filesOf(drop: DataTransfer): Promise<File[]> {
  const entries = [...drop.items].map((item) => item.webkitGetAsEntry?.()).filter((entry) => !!entry);
  if (!entries.length) return [...drop.files];
  return (await Promise.all(entries.map(under))).flat();
}

async function under(entry: FileSystemEntry): Promise<File[]> {
  if (entry.isFile) return [await new Promise<File>((take, fail) => (entry as FileSystemFileEntry).file(take, fail))];
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  const found: File[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((take, fail) => reader.readEntries(take, fail));
    if (!some.length) return found;
    for (const one of some) found.push(...(await under(one)));
  }
}
