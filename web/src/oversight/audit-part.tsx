import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../api/door";
import { Source } from "../api/load";
import { keyOf } from "../keys/keyboard";
import { Key } from "../kit/marks";
import { Empty, Shown } from "../kit/states";
import { address, setQuery } from "../router";
import { Explained } from "./explained";
import { TakeOut } from "./take-out";

interface Entry {
  /** Its name: the numbers of entries are not told, since the gaps between them would tell what is withheld. */
  ticket: string;
  time: string;
  kind: string;
  who: string;
  subject: string;
  words: string;
  explains: boolean;
}

interface Journal {
  rows: Entry[];
  /** None where there are fewer than ten. */
  counts: Record<string, number | null> | null;
  next: string | null;
  looked: number;
  /** Studies with entries that may not be heard of yet. */
  withheld: string[];
  may_see_rows: boolean;
}

interface Chain {
  whole: boolean;
  broken: { what: string; why: string; do: string } | null;
}

const wanted = () => address.value.searchParams.get("q") ?? "";

/** The journal as people read it: a sentence an entry, newest first. */
export function AuditPart() {
  const [before, setBefore] = useState([""]);
  const at = useRef("");
  at.current = before[before.length - 1]!;
  const source = useRef<Source<Journal>>(null);
  source.current ??= new Source((abort) => ask<Journal>(`/api/audit?${new URLSearchParams({ q: wanted(), before: at.current })}`, { abort, deadline_s: 60 }));
  const chain = useRef<Source<Chain>>(null);
  chain.current ??= new Source((abort) => ask<Chain>("/api/audit/chain", { abort, deadline_s: 120 }));
  const [explained, setExplained] = useState<string>("");
  const q = wanted();
  useEffect(() => void chain.current!.load(), []);
  useEffect(() => setBefore([""]), [q]);
  useEffect(() => void source.current!.load(), [q, at.current]);
  return (
    <>
      <form class="controls" role="search" onSubmit={(event) => (event.preventDefault(), setQuery("q", new FormData(event.currentTarget).get("q") as string, { keep: true }))}>
        <label class="wide">Filter<input key={q} name="q" type="search" defaultValue={q} placeholder="who:ito what:sign since:2026-11-01" /></label>
        <button type="submit">Filter</button>
        <TakeOut path={`/api/audit?${new URLSearchParams({ q })}`} name="journal.jsonl" />
        <ChainMark of={chain.current} />
      </form>
      <Shown of={source.current} what="the journal">
        {(told) => !told.may_see_rows ? <Counts counts={told.counts ?? {}} /> : told.rows.length === 0 && told.withheld.length === 0 ? <Empty title={q ? "No entry fits the filter" : "The journal is empty"}>{q && `${told.looked} entries were looked through.`}</Empty> : (
          <>
            {told.withheld.length > 0 && <Withheld studies={told.withheld} />}
            <table class="plain wide log">
              <caption class="hidden">Entries of the journal, newest first</caption>
              <thead><tr><th scope="col">When (UTC)</th><th scope="col">What happened</th><th scope="col">About</th><th scope="col"><span class="hidden">Explain</span></th></tr></thead>
              <tbody>
                {told.rows.map((row) => (
                  <tr key={row.ticket} data-row tabIndex={-1}>
                    <td class="id">{row.time.slice(0, 19).replace("T", " ")}</td><td>{row.words}</td>
                    <td class="id about">{row.subject}</td>
                    <td>{row.explains && <button type="button" class="quiet" data-explain onClick={() => setExplained(row.subject)}>Explain <Key of={keyOf("oversight", "explain")} /></button>}</td>
                  </tr>
                ))}
              </tbody>
            </table>
            <p class="acts">
              {before.length > 1 && <button type="button" onClick={() => setBefore(before.slice(0, -1))}>Newer</button>}
              {told.next !== null && <button type="button" onClick={() => setBefore([...before, told.next!])}>Older</button>}
              {told.next !== null && <span class="muted">{told.rows.length} entries are shown here; there are older ones: narrow the filter, or take all of them <Key of={keyOf("oversight", "download")} /></span>}
            </p>
          </>
        )}
      </Shown>
      {explained && <Explained name={explained} close={() => setExplained("")} />}
    </>
  );
}

/** One line for all that may not be heard of yet: no count of entries, for more of them would tell of a finding. */
function Withheld({ studies }: { studies: string[] }) {
  const many = studies.length > 1;
  return (
    <details class="callout withheld">
      <summary>Entries about {many ? `${studies.length} studies` : "one study"} are withheld until your own opinion {many ? "on each of them" : "on it"} is locked, whatever they say.</summary>
      <ul>{studies.map((study) => <li key={study}><a class="id" href={`/study/${study}`}>{study}</a></li>)}</ul>
    </details>
  );
}

function ChainMark({ of }: { of: Source<Chain> }) {
  const state = of.state.value;
  if (state.at === "loading") return <span class="chain muted" role="status">Walking the chain of hashes</span>;
  if (state.at === "failed") return <span class="chain muted" role="status">The chain could not be walked: {state.trouble.what}</span>;
  const { whole, broken } = state.value;
  if (whole) return <span class="chain" role="status"><span class="fine" aria-hidden="true">✓</span> chain unbroken from the first entry to the last</span>;
  return <span class="chain now" role="alert"><span aria-hidden="true">⬢</span> <span class="hidden">Important:</span> {broken!.what}: {broken!.why}. {broken!.do}</span>;
}

function Counts({ counts }: { counts: Record<string, number | null> }) {
  return (
    <>
      <p class="callout">You may see how much happened, not what: reading the journal is for an administrator of this site.</p>
      <table class="plain"><thead><tr><th scope="col">What happened</th><th scope="col" class="num">Times</th></tr></thead><tbody>{Object.entries(counts).map(([kind, n]) => <tr key={kind}><th scope="row">{kind}</th><td class="num">{n?.toLocaleString("en") ?? <span class="muted">under 10</span>}</td></tr>)}</tbody></table>
    </>
  );
}
