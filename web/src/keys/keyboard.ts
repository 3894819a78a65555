import { computed, signal } from "@preact/signals";
import table from "./table.json";

/** One act of a screen with its key. The table is data: the sheet under `?`, the palette and the test for clashes read the same. */
export interface Bound {
  key: string;
  act: string;
  words: string;
}
export type Scope = keyof typeof table;
export type Acts = Record<string, (event?: KeyboardEvent) => void>;

const shipped: Record<Scope, Bound[]> = table;
export const SCOPES = Object.keys(table) as Scope[];

/** The screens by name, as people call them. */
export const SCREENS: Record<Scope, string> = {
  everywhere: "Everywhere", worklist: "Worklist", room: "Reading room", report: "Report", why: "Why was this not analysed", patients: "Patients", timeline: "Timeline of a patient", department: "Department", analyses: "Analyses",
  models: "Models", cohorts: "Cohorts", sharing: "Sharing", oversight: "Oversight", settings: "Settings", segment: "Analyse without keeping", headset: "Surfaces", shared: "Shared by a link", "sign-in": "Sign in",
}; // prettier-ignore

/** Keys that this person has changed: "scope.act" -> key. */
export const ownKeys = signal<Readonly<Record<string, string>>>({});

const book = computed(() => {
  const own = ownKeys.value;
  return Object.fromEntries(SCOPES.map((where) => [where, shipped[where].map((bound) => ({ ...bound, key: own[`${where}.${bound.act}`] ?? bound.key }))])) as Record<Scope, Bound[]>;
});

/** The screen whose keys are alive, and what its acts do. */
export const scope = signal<Scope>("everywhere");
const acts: Partial<Record<Scope, Acts>> = {};
const releases: Partial<Record<Scope, Acts>> = {};

/** Single keys can be switched off for people who dictate or use a switch; chords stay alive, and so does the palette. */
export const singleKeys = signal(true);

export function bind(where: Scope, to: Acts, release: Acts = {}): () => void {
  acts[where] = to;
  releases[where] = release;
  if (where !== "everywhere") scope.value = where;
  return () => {
    if (acts[where] !== to) return;
    delete acts[where];
    delete releases[where];
    if (scope.peek() === where) scope.value = "everywhere";
  };
}

export function keysOf(where: Scope): Bound[] {
  return book.value[where];
}

/** The acts of this screen and of every screen that can be done now, for the palette. */
export function actsNow(): { where: Scope; bound: Bound; act: () => void }[] {
  const alive = scope.peek() === "everywhere" ? (["everywhere"] as const) : ([scope.peek(), "everywhere"] as const);
  return alive.flatMap((where) => keysOf(where).flatMap((bound) => {
    const act = acts[where]?.[bound.act];
    return act ? [{ where, bound, act: () => act() }] : [];
  }));
}

/** The key of an act as it is shown on a button. */
export function keyOf(where: Scope, act: string): string {
  return shown(book.value[where].find((bound) => bound.act === act)?.key ?? "");
}

/** Who owns a key already on a screen where this act would be alive too; a key that begins a longer one clashes with it. */
export function ownerOf(where: Scope, act: string, key: string): { where: Scope; bound: Bound } | null {
  const alive = where === "everywhere" ? SCOPES : ([where, "everywhere"] as const);
  for (const other of alive) {
    for (const bound of book.value[other]) {
      if (other === where && bound.act === act) continue;
      if (bound.key === key || bound.key.startsWith(`${key} `) || key.startsWith(`${bound.key} `)) return { where: other, bound };
    }
  }
  return null;
}

const names: Record<string, string> = { ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→", PageUp: "PgUp", PageDown: "PgDn", Escape: "Esc", Enter: "↵", Backspace: "⌫", " ": "Space" };

export function shown(key: string): string {
  if (key === " ") return "Space";
  return key
    .split(" ")
    .map((stroke) => stroke.split("+").map((part) => names[part] ?? (part.length === 1 ? part.toUpperCase() : part)).join("+").replace("Shift+", "⇧"))
    .join(" ");
}

function writes(target: EventTarget | null): boolean {
  const element = target as HTMLElement | null;
  return !!element?.closest?.("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable=true]");
}

/** A key press as the table writes it. */
export function nameOf(event: KeyboardEvent): string {
  const control = event.ctrlKey || event.metaKey ? "Ctrl+" : "";
  const letter = event.key.length === 1 && /[a-z]/i.test(event.key);
  const shift = event.shiftKey && (letter || event.key.length > 1) ? "Shift+" : "";
  const key = letter ? (shift ? event.key.toUpperCase() : event.key.toLowerCase()) : event.key;
  const alt = event.altKey && event.key.length > 1 ? "Alt+" : "";
  if (event.altKey && !alt) return ""; // with Alt a letter is another letter on many keyboards, and no key of ours
  return control + alt + shift + (control && letter && !shift ? key.toUpperCase() : key);
}

const PREFIX_MS = 1500;
let prefix = "";
let prefixed = 0;

function pressed(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing || event.key === "Shift" || event.key === "Control" || event.key === "Alt") return;
  const name = nameOf(event);
  if (!name) return;
  const chord = name.startsWith("Ctrl+") || name === "F6";
  if (writes(event.target)) {
    // In a text field only chords act; Escape leaves the field.
    if (name === "Escape") (event.target as HTMLElement).blur();
    if (!chord || name === "Ctrl+Z") return; // a text field takes back its own words
  }
  if (document.querySelector("dialog[open]")) return; // a dialog owns its own keys
  const button = (event.target as HTMLElement | null)?.closest?.("button, a[href], summary");
  if (button && (name === "Enter" || (name === " " && !button.closest("[data-rows]")))) return; // the focused control is what Enter means
  if (!chord && !singleKeys.peek()) return;
  const whole = prefix && performance.now() - prefixed < PREFIX_MS ? `${prefix} ${name}` : name;
  prefix = "";
  const alive = scope.peek() === "everywhere" ? (["everywhere"] as const) : ([scope.peek(), "everywhere"] as const);
  for (const where of alive) {
    const bound = book.peek()[where].find((one) => one.key === whole);
    const act = bound && acts[where]?.[bound.act];
    if (act) {
      event.preventDefault();
      act(event);
      return;
    }
  }
  if (alive.some((where) => book.peek()[where].some((one) => one.key.startsWith(`${whole} `) && one.key !== " "))) {
    prefix = whole;
    prefixed = performance.now();
  }
}

function released(event: KeyboardEvent): void {
  const where = scope.peek();
  const bound = book.peek()[where].find((one) => one.key.toLowerCase() === event.key.toLowerCase());
  if (bound) releases[where]?.[bound.act]?.(event);
}

export function startKeyboard(): void {
  addEventListener("keydown", pressed);
  addEventListener("keyup", released);
}
