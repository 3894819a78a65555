import type { ComponentChildren } from "preact";
import type { Doubt } from "../api/shapes";

/** Text in which every doubted place is underlined; what overlaps is one place. */
export function Marked({ text, doubts }: { text: string; doubts: Doubt[] }) {
  const parts: ComponentChildren[] = [];
  let at = 0;
  for (const { start, end, what } of [...doubts].sort((a, b) => (a.start ?? 0) - (b.start ?? 0))) {
    if (start === undefined || end === undefined || end > text.length) continue;
    const from = Math.max(at, start);
    if (from >= end) continue;
    parts.push(text.slice(at, from), <mark key={from} title={what}>{text.slice(from, end)}</mark>);
    at = end;
  }
  return <>{parts}{text.slice(at)}</>;
}

/** The reasons, beneath the sentence that they are about. */
export function Reasons({ doubts, id }: { doubts: Doubt[]; id?: string }) {
  if (!doubts.length) return null;
  return (
    <ul class="reasons" id={id}>
      {doubts.map(({ what, start }) => <li key={what + start}><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Look again: </span>{what}</li>)}
    </ul>
  );
}
