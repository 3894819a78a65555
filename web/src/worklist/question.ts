import { address } from "../router";

/** Filter words that name a property stand in the address. Other words may be a patient's name: they stay in this window's
 * history, where reload and Back find them and nobody else does. */
const NAMED = /^(mod|is|level|to|from|until|site):\S+$/i;

export interface Question {
  /** All words as the field shows them and the server is asked. */
  q: string;
  sort: string;
  ai: boolean;
}

const free = (): string => (history.state as { words?: string } | null)?.words ?? "";

/** What is asked now, by the address and by this entry of the history. */
export function question(): Question {
  const { searchParams } = address.value;
  return { q: [searchParams.get("q") ?? "", free()].filter(Boolean).join(" "), sort: searchParams.get("sort") ?? "", ai: searchParams.get("ai") !== "off" };
}

/** Ask something else. With `keep` the browser's Back leads to the question before. */
export function askFor(next: Partial<Question>, { keep = false } = {}): void {
  const { q, sort, ai } = { ...question(), ...next };
  const words = q.split(/\s+/).filter(Boolean);
  const there = new URL(location.href);
  const set = (name: string, value: string) => (value ? there.searchParams.set(name, value) : there.searchParams.delete(name));
  set("q", words.filter((word) => NAMED.test(word)).join(" "));
  set("sort", sort);
  set("ai", ai ? "" : "off");
  const state = { ...(history.state as object | null), words: words.filter((word) => !NAMED.test(word)).join(" ") };
  if (there.href === location.href && state.words === free()) return;
  history[keep ? "pushState" : "replaceState"](state, "", there);
  address.value = new URL(location.href);
}

export function without(q: string, word: string): string {
  return q.split(/\s+/).filter((one) => one && one !== word).join(" ");
}
