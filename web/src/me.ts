import { signal } from "@preact/signals";
import { answered, ask, signedOut, Trouble } from "./api/door";
import { hangUp, refused } from "./api/live";
import type { Me } from "./api/shapes";
import { address, go, place } from "./router";
import { begin } from "./begin";
import { fetchMine, followMine, takeMine } from "./settings/mine";

/** Who is signed in; null while nobody is, undefined while we do not know yet. */
export const me = signal<Me | null | undefined>(undefined);

export async function whoAmI(): Promise<void> {
  try {
    const person = await begin().then(({ me, settings }) => (takeMine(settings), me), alone);
    followMine(person.name);
    me.value = person;
  } catch {
    me.value = null;
  }
}

/** Where the first answer failed as a whole: who it is all the same. Without settings the shipped ones serve. */
async function alone(error: unknown): Promise<Me> {
  if (error instanceof Trouble && error.status === 401) throw error;
  const [person] = await Promise.all([ask<Me>("/api/me"), fetchMine().catch(() => undefined)]);
  return person;
}

/** Pages that nobody has to sign in for. */
export const OPEN: ReadonlySet<string> = new Set(["sign-in", "shared"]);

/** Send whoever is not signed in to the door, and remember where they wanted to go. */
export function guardTheDoor(): void {
  signedOut.subscribe((count) => {
    if (!count) return;
    hangUp();
    const here = address.peek();
    const door = `/sign-in?to=${encodeURIComponent(here.pathname + here.search)}`;
    if (me.peek() && !OPEN.has(place.peek().page)) return leave(door);
    me.value = null;
    if (!OPEN.has(place.peek().page)) go(door, { replace: true });
  });
  refused.subscribe((count) => count && me.peek() && void ask("/api/me").catch(() => undefined)); // 401 leads to the above
  setInterval(() => void lookWhetherOver(), 30_000);
}

/** Go to the door as a page of its own: what this one showed goes at once, and what it held in memory with it. */
function leave(door: string): void {
  document.body.replaceChildren();
  location.replace(door);
}

/** A page that cannot reach the server hears of no end: after as long a silence as the server bears, it leaves by itself. */
async function lookWhetherOver(): Promise<void> {
  const person = me.peek();
  if (!person?.idle_s || OPEN.has(place.peek().page) || Date.now() - answered.at < person.idle_s * 1000) return;
  try {
    await ask("/api/me/sessions"); // another page of this browser may have been used meanwhile; asking this keeps nothing awake
  } catch (error) {
    if (error instanceof Trouble && error.unreached) leave("/sign-in");
  }
}

export async function signOut(): Promise<void> {
  await ask("/api/sign-out", { method: "POST" });
  hangUp();
  leave("/sign-in");
}

/** Whether the table of rights lets this person do something. The server decides; this only keeps inert what would be refused. */
export function may(verb: string): boolean {
  return me.value?.rights?.[verb]?.may ?? false;
}

/** The rule behind a right, in words. */
export function ruleOf(verb: string): string {
  return me.value?.rights?.[verb]?.rule ?? "";
}

/** May this person decide and sign? */
export function mayRead(): boolean {
  return me.value?.role === "admin" || me.value?.role === "reader";
}
