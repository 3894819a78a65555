import { askOrTake, give } from "./api/early";
import type { Me } from "./api/shapes";
import { place } from "./router";
import type { Kept } from "./settings/mine";
import { addressOf, FIRST } from "./worklist/pages";
import { question } from "./worklist/question";

/** Who asks, how they have set it and what they are to look through; on the worklist also what stands in it and above it. A part that was refused is null. */
interface Begun {
  me: Me;
  settings: Kept;
}

/** What was opened in an emergency and this person is to look through. */
export const REVIEWS = "/api/glass/reviews";

/** Where a part of the answer would be asked for alone. */
const ALONE = { views: "/api/views", critical: "/api/critical", stops: "/api/stops" };

/**
 * What a page needs first, in one question. The server names it in the head of the page, so that the browser asks while
 * it still reads the code: the words of the question are the same there (`doors/pages_web.py`).
 */
export function begin(): Promise<Begun> {
  const { q, ai } = question();
  const listed = place.peek().page === "worklist";
  const asked = new URLSearchParams({ limit: String(listed ? FIRST : 0), ai: ai ? "on" : "off" });
  if (listed && q) asked.set("q", q);
  const answer = askOrTake<Begun & Record<string, unknown>>(`/api/begin?${asked}`);
  const part = (name: string) => answer.then((told) => told[name] ?? undefined, () => undefined);
  give(REVIEWS, part("glass"));
  if (listed) {
    for (const [name, path] of Object.entries(ALONE)) give(path, part(name));
    give(addressOf({ q, ai }, 0, FIRST), part("list"));
  }
  return answer;
}
