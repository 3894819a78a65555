import { useEffect } from "preact/hooks";
import { bind } from "../keys/keyboard";
import { Empty } from "../kit/states";
import { Tabs } from "../kit/tabs";
import { to } from "../router";

const PARTS = [
  { part: "", name: "Shared" },
  { part: "consent", name: "Consent" },
  { part: "in-and-out", name: "In and out" },
];

/** Give exactly this, to exactly them, until exactly then; and take it back. */
export function SharingPage({ part }: { part: string }) {
  useEffect(() => bind("sharing", {}), []);
  return (
    <>
      <header class="bar" data-region tabIndex={-1}>
        <h1>Sharing and consent</h1>
        <Tabs label="Parts of sharing" here={part} tabs={PARTS.map((one) => ({ ...one, at: to.sharing(one.part) }))} />
      </header>
      <main class="desk-list" data-region tabIndex={0}>
        {part === "consent" ? (
          <Empty title="No consent is recorded">
            <p>For each person stands here what they agreed to: purpose, recipient and date, each with its document. A withdrawal shows what it reaches before it is done.</p>
            <p>Until consent can be recorded here, nothing is shared on the ground of one.</p>
          </Empty>
        ) : part === "in-and-out" ? (
          <Empty title="No ledger of imports and exports yet">
            <p>Each import and export stands here as a sum that adds up: expected = stored + rejected + missing.</p>
            <p>What has come in over the network and by folder is in the journal: see Oversight.</p>
          </Empty>
        ) : (
          <Empty title="Nothing is shared">
            <p>What somebody outside may see stands here: which studies, what they may do, until when, how often it was opened, and a button that takes it back.</p>
            <p>To take a study out without names today, run <code>isocenter export STUDY --folder OUT</code>: what is not surely clean stays here, and the reason is told.</p>
          </Empty>
        )}
      </main>
    </>
  );
}
