import { signal } from "@preact/signals";
import { ask } from "../api/door";
import { change, SHIPPED, type Mine } from "./mine";

export interface Change {
  version: string;
  by: string;
  when: string;
  reason: string;
  changes: { name: string; was: unknown; now: unknown }[];
}

export const historyOf = async (scope: "me" | "site"): Promise<Change[]> => (await ask<{ changes: Change[] }>(`/api/settings/${scope}/history`)).changes;

/** Take the last change of one's own settings back; that is itself a change, so nothing is ever lost. */
export async function undoLast(): Promise<string> {
  const [last] = await historyOf("me");
  if (!last?.changes.length) return "Nothing to undo";
  const before = Object.fromEntries(last.changes.map((one) => [one.name, one.was ?? SHIPPED[one.name as keyof Mine]]));
  await change(before as Partial<Mine>);
  return `Undone: ${last.changes.map((one) => one.name.replace(/_/g, " ")).join(", ")}`;
}

/** The change of the site's settings for whose putting back a reason is asked; empty: none. */
export const puttingBack = signal("");

/** Changes of which every value is still as they set it, newest first: what was set over since is not theirs to put back. */
export function standing(newestFirst: Change[]): Change[] {
  const over = new Set<string>();
  return newestFirst.filter(({ changes }) => {
    const free = changes.length > 0 && changes.every((one) => !over.has(one.name));
    changes.forEach((one) => over.add(one.name));
    return free;
  });
}

/** Begin to put the newest standing change of the site back: its form asks for the reason. */
export async function askBack(): Promise<string> {
  const [last] = standing(await historyOf("site"));
  puttingBack.value = last?.version ?? "";
  return last ? "" : "Nothing to undo";
}
