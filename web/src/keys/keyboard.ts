import { signal } from "@preact/signals";
import table from "./table.json";

/** One act of a screen with its key. The table is data: the sheet under `?` and the test for clashes read the same. */
export interface Bound {
  key: string;
  act: string;
  words: string;
}
export type Scope = keyof typeof table;
export type Acts = Record<string, (event: KeyboardEvent) => void>;

const book: Record<Scope, Bound[]> = table;

/** The screen whose keys are alive, and what its acts do. */
export const scope = signal<Scope>("everywhere");
const acts: Partial<Record<Scope, Acts>> = {};
const releases: Partial<Record<Scope, Acts>> = {};

/** Single keys can be switched off for people who dictate or use a switch; chords stay alive. */
export const singleKeys = signal(localStorage.getItem("single-keys") !== "off");

export function setSingleKeys(on: boolean): void {
  singleKeys.value = on;
  localStorage.setItem("single-keys", on ? "on" : "off");
}

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
  return book[where];
}

/** The key of an act as it is shown on a button. */
export function keyOf(where: Scope, act: string): string {
  return shown(book[where].find((bound) => bound.act === act)?.key ?? "");
}

const names: Record<string, string> = { ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→", PageUp: "PgUp", PageDown: "PgDn", Escape: "Esc" };

export function shown(key: string): string {
  return key
    .split("+")
    .map((part) => names[part] ?? (part.length === 1 ? part.toUpperCase() : part))
    .join("+");
}

function writes(target: EventTarget | null): boolean {
  const element = target as HTMLElement | null;
  return !!element?.closest?.("input:not([type=checkbox]):not([type=radio]), textarea, select, [contenteditable=true]");
}

function nameOf(event: KeyboardEvent): string {
  const control = event.ctrlKey || event.metaKey ? "Ctrl+" : "";
  const letter = event.key.length === 1 && /[a-z]/i.test(event.key);
  const shift = event.shiftKey && (letter || event.key.length > 1) ? "Shift+" : "";
  const key = letter ? (shift ? event.key.toUpperCase() : event.key.toLowerCase()) : event.key;
  return control + shift + key;
}

let prefix = "";

function pressed(event: KeyboardEvent): void {
  if (event.defaultPrevented || event.isComposing || event.altKey) return;
  const name = nameOf(event);
  const chord = name.startsWith("Ctrl+") || name === "F6";
  if (writes(event.target)) {
    // In a text field only chords act; Escape leaves the field.
    if (name === "Escape") (event.target as HTMLElement).blur();
    if (!chord) return;
  }
  if (document.querySelector("dialog[open]")) return; // a dialog owns its own keys
  const button = (event.target as HTMLElement | null)?.closest?.("button, a[href], summary");
  if (button && (name === "Enter" || name === " ")) return; // the focused control is what Enter means
  if (!chord && !singleKeys.peek()) return;
  const whole = prefix ? `${prefix} ${name}` : name;
  prefix = "";
  for (const where of [scope.peek(), "everywhere"] as const) {
    const bound = book[where].find((one) => one.key === whole);
    const act = bound && acts[where]?.[bound.act];
    if (act) {
      event.preventDefault();
      act(event);
      return;
    }
  }
  if (whole === "g") prefix = "g";
}

function released(event: KeyboardEvent): void {
  const where = scope.peek();
  const bound = book[where].find((one) => one.key.toLowerCase() === event.key.toLowerCase());
  if (bound) releases[where]?.[bound.act]?.(event);
}

export function startKeyboard(): void {
  addEventListener("keydown", pressed);
  addEventListener("keyup", released);
}
