import { bind } from "../keys/keyboard";
import { useEffect } from "preact/hooks";
import { Empty } from "../kit/states";

/** How it came about, how long it took, how good we are, whether AI helped and whom it cost. */
export function OversightPage(_: { part: string; id: string }) {
  useEffect(() => bind("oversight", {}), []);
  return (
    <>
      <header class="bar" data-region tabIndex={-1}><h1>Oversight</h1></header>
      <main class="desk-list" data-region tabIndex={-1}>
        <Empty title="Nothing is counted here yet">
          <p>Audit, turnaround, peer learning, readers with AI, what triage gave and cost, and follow-up stand here, computed from the journal.</p>
        </Empty>
      </main>
    </>
  );
}
