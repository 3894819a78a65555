import { ask } from "../api/door";
import { change, mine, SHIPPED, type Mine } from "./mine";

interface Change {
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

/** Whether a setting has the value that is shipped. */
export function asShipped(name: keyof Mine): boolean {
  return JSON.stringify(mine.value[name]) === JSON.stringify(SHIPPED[name]);
}
