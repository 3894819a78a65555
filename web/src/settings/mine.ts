import { effect, signal } from "@preact/signals";
import { ask } from "../api/door";
import { onHappening } from "../api/live";
import type { Buttons } from "../viewer/mouse";
import { ownKeys, singleKeys } from "../keys/keyboard";

/** A named question to the worklist: its filter words, its order, and whether AI may raise. */
export interface View {
  name: string;
  q: string;
  sort: string;
  ai: boolean;
}

/** A text block: in a report its text stands for its name, each line as a sentence, blanks in [brackets]. */
export interface TextBlock {
  name: string;
  text: string;
}

/** What a person has made theirs; kept on the server, the same in every browser. */
export interface Mine {
  /** "screen": light where tables and plots are, dark where images are. */
  theme: "screen" | "dark" | "light" | "system";
  density: "compact" | "regular" | "roomy";
  motion: "system" | "none";
  vision: "own" | "protan" | "deutan" | "tritan";
  single_keys: boolean;
  keys: Record<string, string>;
  views: View[];
  /** Name of the view with which the worklist opens; empty for all studies. */
  default_view: string;
  macros: TextBlock[];
  checklist: "open" | "closed";
  /** What the buttons and the wheel do over an image. */
  mouse: Buttons;
  /** What the reading room keeps: hanging, tools. */
  room: Record<string, unknown>;
}

export interface Kept {
  settings: Mine;
  /** Names of the settings that this person has changed; the others have the shipped value. */
  changed: string[];
  /** A ticket, to be handed back with a change. */
  version: string;
}

export const SHIPPED: Mine = {
  theme: "screen", density: "regular", motion: "system", vision: "own", single_keys: true, keys: {}, views: [], default_view: "", macros: [], checklist: "open",
  mouse: { left: "window", middle: "pan", right: "window", wheel: "scroll" }, room: {},
}; // prettier-ignore

// The last theme that was worn here, so that a page does not flash in the other one before the server has answered.
const worn = localStorage.getItem("worn");

export const mine = signal<Mine>({ ...SHIPPED, theme: worn === "light" || worn === "dark" || worn === "system" ? worn : "screen" });
export const changed = signal<readonly string[]>([]);
export const known = signal(false);

let version: string | null = null;
let person = "";

effect(() => {
  ownKeys.value = mine.value.keys;
  singleKeys.value = mine.value.single_keys;
});

/** What a person set, as it came from the server. */
export function takeMine(kept: Kept): void {
  mine.value = { ...SHIPPED, ...kept.settings };
  changed.value = kept.changed;
  version = kept.version;
  known.value = true;
  localStorage.setItem("worn", mine.value.theme);
}

/** Fetch what this person set. */
export async function fetchMine(): Promise<void> {
  takeMine(await ask<Kept>("/api/settings/me"));
}

/** Follow what this person sets in another browser. */
export function followMine(name: string): void {
  if (person === name) return;
  person = name;
  onHappening(({ kind, subject }) => {
    if (kind === "SettingsChanged" && subject === `me:${person}`) void ask<Kept>("/api/settings/me").then(takeMine, () => undefined);
  });
}

/** Change some settings. They act at once, and are taken back when the server refuses. */
export async function change(patch: Partial<Mine>): Promise<void> {
  const before = mine.peek();
  mine.value = { ...before, ...patch };
  if (!known.peek()) return;
  try {
    takeMine(await ask<Kept>("/api/settings/me", { method: "PUT", body: { version, settings: patch } }));
  } catch (error) {
    mine.value = before;
    throw error;
  }
}
