import { useEffect, useRef } from "preact/hooks";
import { bind, keyOf } from "../keys/keyboard";
import { WithRight } from "../kit/states";
import { Tabs } from "../kit/tabs";
import { go, to } from "../router";
import { AuditPart } from "./audit-part";
import { CasePart } from "./case-part";
import { DoublePart } from "./double-part";
import { FollowUpPart } from "./followup-part";
import "./oversight.css";
import { PeerPart } from "./peer-part";
import { ReadersPart } from "./readers-part";
import { TriagePart } from "./triage-part";
import { TurnaroundPart } from "./turnaround-part";
import { ViewPart } from "./view-part";

const parts = [
  { part: "audit", name: "Audit", verb: "oversight", Part: AuditPart },
  { part: "turnaround", name: "Turnaround", verb: "oversight", Part: TurnaroundPart },
  { part: "peer", name: "Peer learning", verb: "peer", Part: PeerPart },
  { part: "triage", name: "Triage benefit", verb: "oversight", Part: TriagePart },
  { part: "readers", name: "Readers with AI", verb: "oversight", Part: ReadersPart },
  { part: "followups", name: "Follow-up", verb: "followup", Part: FollowUpPart },
  { part: "double", name: "Double reading", verb: "peer", Part: DoublePart },
];

/** Mark the next row of a list, or the one before; at first the uppermost. */
function step(main: HTMLElement | null, by: 1 | -1): void {
  const rows = [...(main?.querySelectorAll<HTMLElement>("tr[data-row]") ?? [])];
  const now = rows.findIndex((row) => row.contains(document.activeElement));
  rows[now < 0 ? 0 : Math.min(Math.max(now + by, 0), rows.length - 1)]?.focus();
}

/** How it came about, how long it took, how good we are, whether AI helped and whom it cost. */
export function OversightPage({ part, id }: { part: string; id: string }) {
  const main = useRef<HTMLElement>(null);
  const here = parts.find((one) => one.part === part) ?? parts[0]!;
  useEffect(() => {
    const first = (what: string) => main.current?.querySelector<HTMLElement>(what)?.focus();
    return bind("oversight", {
      ...Object.fromEntries(parts.map((one, i) => [`tab-${i + 1}`, () => go(to.oversight(one.part))])),
      filter: () => first("input[type=search], .controls input, .controls select"),
      facet: () => first(".controls select"),
      explain: () => (main.current?.querySelector("tr:focus-within") ?? main.current)?.querySelector<HTMLElement>("[data-explain]")?.click(),
      down: () => step(main.current, 1),
      up: () => step(main.current, -1),
      download: () => main.current?.querySelector<HTMLElement>("[data-take]")?.click(),
    });
  }, []);
  if (part === "view" && id) return <ViewPart study={id} />;
  const Shown = here.part === "peer" && id ? () => <CasePart id={id} /> : here.Part;
  return (
    <>
      <header class="bar" data-region tabIndex={-1}>
        <h1>Oversight</h1>
        <Tabs label="Parts of oversight" here={here.part} tabs={parts.map((one, i) => ({ part: one.part, name: one.name, at: to.oversight(one.part), key: keyOf("oversight", `tab-${i + 1}`) }))} />
      </header>
      <main class="oversight" data-region tabIndex={-1} ref={main}>
        <WithRight verb={here.verb}><Shown key={`${here.part} ${id}`} /></WithRight>
      </main>
    </>
  );
}
