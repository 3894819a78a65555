import { computed, signal } from "@preact/signals";

/** Acts on their way to the server, by where they were done. They are listed and counted, never silent. */
const lists = signal<ReadonlyMap<string, readonly string[]>>(new Map());

export const waitingActs = computed(() => [...lists.value.values()].flat());

/** Tell which acts of one place wait; an empty list when all have arrived. */
export function tellWaiting(where: string, words: readonly string[]): void {
  const before = lists.peek();
  if (!words.length && !before.has(where)) return;
  const next = new Map(before);
  if (words.length) next.set(where, words);
  else next.delete(where);
  lists.value = next;
}
