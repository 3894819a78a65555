import { useEffect, useRef } from "preact/hooks";
import { ask } from "../api/door";
import { Source } from "../api/load";
import { Empty, Shown } from "../kit/states";
import { DayTyped } from "../oversight/period";
import { address, setQuery, to } from "../router";
import { count, moment } from "../words";

interface Delivery {
  time: string;
  offered: number;
  stored: number;
  there: number;
  conflict: number;
  rejected: number;
  missing: number;
  adds_up: boolean;
}

interface Arrival {
  day: string;
  sender: string;
  studies: number;
  stored: number;
  there: number;
  set_aside: number;
  rejected: number;
  reasons: string[];
  deliveries: Delivery[];
}

interface Departure {
  time: string;
  who: string;
  kind: string;
  study: string;
  to: string;
  objects: number;
  failed: number;
  held_back: number;
  purpose: string;
  permitted: string;
  reasons: string[];
  /** Of what another archive took by a link: how many came to which end. */
  parts: Record<string, number>;
}

interface Ledger<T> {
  rows: T[];
  /** Of how many rows, and how many stand on one page. */
  found: number;
  most: number;
  /** After how many entries the search was given up; null where all of the days were looked through. */
  looked: number | null;
}

/** What came and what left, and whether it adds up. */
export function LedgerPart() {
  const query = address.value.searchParams;
  const [since, until] = [query.get("since") ?? "", query.get("until") ?? ""];
  const day = (name: string, label: string, value: string) => <label>{label}<DayTyped value={value} taken={(words) => setQuery(name, words, { keep: true })} /></label>;
  const period = new URLSearchParams({ ...(since && { since }), ...(until && { until }) }).toString();
  return (
    <>
      <div class="whom days">
        {day("since", "From", since)}
        {day("until", "To, included", until)}
        <p class="muted">{since || until ? "Days of UTC." : "The last thirty days."} Read off the journal, so that nothing is counted that is not written there.</p>
      </div>
      <h2>What came</h2>
      <Half key={`arrivals ${period}`} way="arrivals" period={period}>{(rows: Arrival[]) => <Arrivals rows={rows} />}</Half>
      <h2>What left</h2>
      <Half key={`departures ${period}`} way="departures" period={period}>{(rows: Departure[]) => <Departures rows={rows} />}</Half>
    </>
  );
}

function Half<T>({ way, period, children }: { way: string; period: string; children: (rows: T[]) => preact.ComponentChildren }) {
  const source = useRef<Source<Ledger<T>>>(null);
  source.current ??= new Source((abort) => ask<Ledger<T>>(`/api/ledger/${way}?${period}`, { abort }));
  const ledger = source.current;
  useEffect(() => (void ledger.load(), () => ledger.stop()), []);
  return (
    <Shown of={ledger} what="the ledger">
      {(told) => (
        <>
          {(told.looked !== null || told.found > told.most) && <p class="callout" role="status"><span class="soon" aria-hidden="true">▲</span> {told.looked !== null ? `These days hold more than the ${told.looked} entries that one question looks through` : `These days hold ${told.found} rows, and a page ${told.most}`}: the newest stand here. Choose fewer days, or take the journal out whole under <a href={to.oversight("audit")}>Audit</a>.</p>}
          {children(told.rows)}
        </>
      )}
    </Shown>
  );
}

function Arrivals({ rows }: { rows: Arrival[] }) {
  if (!rows.length) return <Empty title="Nothing came in these days">Images that scanners send, that are imported or handed over by a link are counted here by day and sender.</Empty>;
  return (
    <table class="plain wide ledgers">
      <thead><tr><th scope="col">Day</th><th scope="col">From whom</th><th scope="col" class="num">Studies</th><th scope="col" class="num">Stored</th><th scope="col" class="num">There before</th><th scope="col" class="num">Set aside</th><th scope="col" class="num">Rejected</th><th scope="col">Why, and does it add up</th></tr></thead>
      <tbody>
        {rows.map((one) => (
          <tr key={one.day + one.sender}>
            <td>{one.day}</td>
            <td>{one.sender}</td>
            {[one.studies, one.stored, one.there, one.set_aside, one.rejected].map((n, i) => <td key={i} class={n ? "num" : "num faint"}>{n}</td>)}
            <td>
              {one.reasons.map((reason) => <div key={reason}>{reason}</div>)}
              {one.set_aside > 0 && <div class="soon"><span aria-hidden="true">▲</span> Known images with other content wait for a person.</div>}
              {one.deliveries.map((lot) => <div key={lot.time} class="muted"><span class={lot.adds_up ? "fine" : "now"}><span aria-hidden="true">{lot.adds_up ? "✓" : "⬢"}</span> {moment(lot.time).slice(11)} UTC</span> {sum(lot)}{!lot.adds_up && <strong> does not add up</strong>}</div>)}
              {!one.reasons.length && !one.deliveries.length && !one.set_aside && <span class="muted">all of it stored</span>}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** 310 expected = 306 stored + 1 there before + 3 missing. */
function sum(lot: Delivery): string {
  const parts = [[lot.stored, "stored"], [lot.there, "there before"], [lot.conflict, "set aside"], [lot.rejected, "rejected"], [lot.missing, "missing"]] as const;
  return `${lot.offered} expected = ${parts.filter(([n]) => n).map(([n, words]) => `${n} ${words}`).join(" + ") || "nothing"}`;
}

const HOW: Record<string, string> = { Sent: "sent", SendFailed: "sent in part", Exported: "exported without names", Shared: "shared by a link", ShareTaken: "taken by another archive", CohortExported: "table of a cohort", AuditExported: "entries of the journal" };
const UNITS: Record<string, [string, string?]> = { CohortExported: ["row"], AuditExported: ["entry", "entries"] };
const PURPOSES: Record<string, string> = { care: "care", research: "research", sharing: "sharing for research", training: "training of models", commercial: "commercial use" };

/** A cohort left whole: what permitted it stands at each of its studies, which have entries of their own. */
const handedOut = (one: Departure) => one.kind === "CohortExported" && one.permitted === "dicom";

function Departures({ rows }: { rows: Departure[] }) {
  if (!rows.length) return <Empty title="Nothing left in these days">What is sent to another system, exported without names, shared by a link or taken out as a table stands here, with to whom and what permitted it.</Empty>;
  return (
    <table class="plain wide ledgers">
      <thead><tr><th scope="col">When (UTC)</th><th scope="col">How</th><th scope="col">By</th><th scope="col">To whom</th><th scope="col" class="num">How much</th><th scope="col">For what, by which consent</th><th scope="col">Study</th></tr></thead>
      <tbody>
        {rows.map((one, i) => (
          <tr key={i}>
            <td>{moment(one.time)}</td>
            <td>{handedOut(one) ? "cohort handed out, with its images" : (HOW[one.kind] ?? one.kind)}</td>
            <td>{one.who}</td>
            <td>{one.to || <span class="muted">{one.kind === "ShareTaken" ? "another archive" : one.kind === "Sent" || one.kind === "Shared" ? "nobody was named" : "taken out here"}</span>}</td>
            <td class="num">{one.kind === "Shared" ? <span class="muted">see Shared</span> : handedOut(one) ? count(one.objects, "study", "studies") : count(one.objects, ...((UNITS[one.kind] ?? ["object"]) as [string, string?]))}</td>
            <td>
              {PURPOSES[one.purpose] ?? one.purpose}
              {one.permitted && !handedOut(one) && <span class="muted">{one.purpose && " · "}{one.kind === "Shared" ? `until ${moment(one.permitted)} UTC` : one.permitted}</span>}
              {one.held_back > 0 && <div class="soon"><span aria-hidden="true">▲</span> {count(one.held_back, "object")} held back: not surely without a name</div>}
              {one.kind === "ShareTaken" && <span class={one.failed ? "soon" : "muted"}>{one.objects} expected = {Object.entries(one.parts).filter(([, n]) => n).map(([words, n]) => `${n} ${words === "there" ? "there before" : words}`).join(" + ") || "nothing"}</span>}
              {one.failed > 0 && one.kind !== "ShareTaken" && <div class="soon"><span aria-hidden="true">▲</span> {one.failed} of {one.objects} did not arrive{one.reasons.length > 0 && `: ${one.reasons.join("; ")}`}</div>}
            </td>
            <td>{one.study && <a href={to.study(one.study)}>Open</a>}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
