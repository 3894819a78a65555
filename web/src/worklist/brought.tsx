import { signal } from "@preact/signals";
import { count } from "../words";

/** What a person is bringing in, file by file: expected = stored + rejected + missing. */
export interface Ledger {
  expected: number;
  stored: number;
  rejected: { name: string; why: string }[];
  busy: boolean;
  /** Why it stopped before the end; empty while it has not. */
  trouble: string;
}

/** It outlives the page on which it began: the list takes that place with the first study, while files are still coming. */
export const brought = signal<Ledger | null>(null);

export function Sum({ of }: { of: Ledger }) {
  const missing = of.expected - of.stored - of.rejected.length;
  return (
    <>
      <p>{count(of.expected, "file")} expected = {of.stored} stored + {of.rejected.length} rejected{missing > 0 && ` + ${missing} ${of.busy ? "on their way" : "missing"}`}</p>
      {of.rejected.length > 0 && <details class="whole"><summary>What was rejected, and why</summary><ul tabIndex={0} aria-label="What was rejected, and why">{of.rejected.map((one, i) => <li key={i}>{one.name && <code>{one.name}</code>} {one.why}</li>)}</ul></details>}
    </>
  );
}

/** Above the list, until somebody has seen how it ended. */
export function BroughtBar() {
  const told = brought.value;
  if (!told) return null;
  return (
    <div class="callout slim brought" role={told.trouble ? "alert" : "status"}>
      <Sum of={told} />
      {told.trouble && <p><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {told.trouble}</p>}
      {!told.busy && <button type="button" onClick={() => (brought.value = null)}>Seen</button>}
    </div>
  );
}
