import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../api/door";
import { onHappening } from "../api/live";
import { asTrouble, Source } from "../api/load";
import { Empty, Shown } from "../kit/states";
import { may, ruleOf } from "../me";
import { to } from "../router";
import { count, day, moment } from "../words";

interface Term {
  code: string;
  short: string;
  label: string;
  limited_to: string[];
}

interface Terms {
  id: string;
  patient: string;
  issuer: string;
  study: string;
  terms: Term[];
  permits: boolean;
  refuses: string[];
  given: string;
  until: string | null;
  by: string;
  source: string;
}

interface Reached {
  studies: string[];
  exports: unknown[];
  tables: unknown[];
  links: unknown[];
  sent: unknown[];
  cohorts: { id: string; name: string }[];
  models: { model: string; version: string; known_by: string }[];
}

/** What data may be used for, by patient and study; a withdrawal shows what it can no longer call back. */
export function Consents() {
  const source = useRef<Source<Terms[]>>(null);
  source.current ??= new Source(async (abort) => (await ask<{ consents: Terms[] }>("/api/consents/of", { method: "POST", body: {}, abort })).consents);
  const consents = source.current;
  const again = () => void consents.load();
  const [reached, setReached] = useState<Reached | null>(null);
  useEffect(() => {
    if (!may("consent")) return;
    again();
    const forget = onHappening(({ kind }) => kind.startsWith("Consent") && again());
    return () => (forget(), consents.stop());
  }, []);
  if (!may("consent")) return <Empty title="Not yours to see">{ruleOf("consent")}</Empty>;
  return (
    <>
      <Give again={again} />
      {reached && <What reached={reached} done={() => setReached(null)} />}
      <Shown of={consents} what="terms of use">
        {(all) => (all.length ? <List terms={all} again={again} reached={setReached} /> : (
          <Empty title="No consent is recorded">
            <p>For each patient and study stands here what their data may be used for, by the terms of the Data Use Ontology, with who recorded it and where it is written.</p>
            <p>Where nothing is known, care is allowed and research is not, unless the site has set it otherwise.</p>
          </Empty>
        ))}
      </Shown>
    </>
  );
}

const EMPTY = { patient: "", issuer: "", study: "", said: "", until: "", source: "" };

/** Terms as one types them: GRU NPUNCU DS=363406005. */
function read(said: string): Record<string, string[]> {
  return Object.fromEntries(said.split(/\s+/).filter(Boolean).map((one) => {
    const [name, values] = one.split("=", 2) as [string, string?];
    return [name, values ? values.split(",").filter(Boolean) : []];
  }));
}

function Give({ again }: { again: () => void }) {
  const [given, setGiven] = useState(EMPTY);
  const [refuses, setRefuses] = useState(false);
  const [trouble, setTrouble] = useState("");
  const set = (name: keyof typeof EMPTY) => (event: Event) => setGiven({ ...given, [name]: (event.currentTarget as HTMLInputElement).value });
  const send = async (event: SubmitEvent) => {
    event.preventDefault();
    const { patient, issuer, study, said, until, source } = given;
    const body = {
      patient, issuer, study, source,
      terms: refuses ? {} : read(said),
      refuses: refuses ? ["research", "training", "federation", "sharing"] : [],
      until: until ? `${until}T23:59:59Z` : null,
    };
    try {
      await ask("/api/consents", { method: "POST", body });
      setGiven(EMPTY);
      setTrouble("");
      again();
    } catch (error) {
      setTrouble(asTrouble(error).message);
    }
  };
  return (
    <section class="for" aria-label="Record terms of use">
      <h2>Record what data may be used for</h2>
      {trouble && <p class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> {trouble}</p>}
      <form class="add" onSubmit={(event) => void send(event)} aria-label="Terms of use">
        <label>Patient's number<input maxLength={64} autocomplete="off" value={given.patient} onInput={set("patient")} /></label>
        <label>or one study (UID)<input maxLength={64} autocomplete="off" value={given.study} onInput={set("study")} /></label>
        <label>Terms (DUO)<input disabled={refuses} required={!refuses} placeholder="GRU NPUNCU DS=363406005" autocomplete="off" value={given.said} onInput={set("said")} /></label>
        <label>Until (optional)<input type="date" value={given.until} onInput={set("until")} /></label>
        <label>Written where<input maxLength={200} autocomplete="off" value={given.source} onInput={set("source")} /></label>
        <label class="tick"><input type="checkbox" checked={refuses} onChange={(event) => setRefuses(event.currentTarget.checked)} /> Every use but care is refused</label>
        <button class="primary">Record</button>
      </form>
    </section>
  );
}

function What({ reached, done }: { reached: Reached; done: () => void }) {
  const left = [
    count(reached.exports.length, "export"), count(reached.tables.length, "table"), count(reached.links.length, "link"),
    count(reached.sent.length, "transfer"), count(reached.cohorts.length, "cohort"),
  ];
  return (
    <section class="for" role="status" aria-label="What the withdrawal reached">
      <h2>Withdrawn for {count(reached.studies.length, "study", "studies")}</h2>
      <p>From now on no cohort, export, link for research or training takes them. What had left before cannot be called back: {left.join(", ")}.</p>
      {reached.models.length > 0 && <ul class="bullets">{reached.models.map((one) => <li key={`${one.model} ${one.version}`}>Model {one.model} {one.version} learned from them <span class="muted">({one.known_by})</span></li>)}</ul>}
      <button type="button" onClick={done}>Done</button>
    </section>
  );
}

function List({ terms, again, reached }: { terms: Terms[]; again: () => void; reached: (told: Reached) => void }) {
  const [trouble, setTrouble] = useState("");
  const withdraw = (one: Terms) => ask<Reached>("/api/consents/withdraw", { method: "POST", body: one.study ? { study: one.study } : { patient: one.patient, issuer: one.issuer } })
    .then((told) => (reached(told), again()), (error: unknown) => setTrouble(asTrouble(error).message));
  return (
    <>
      {trouble && <p class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> {trouble}</p>}
      <table class="plain wide">
        <thead><tr><th scope="col">About</th><th scope="col">May be used for</th><th scope="col">Until</th><th scope="col">Recorded</th><th scope="col"><span class="hidden">Act</span></th></tr></thead>
        <tbody>
          {terms.map((one) => (
            <tr key={one.id}>
              <td>{one.study ? <a href={to.study(one.study)}>one study</a> : <>patient {one.patient}{one.issuer && <span class="muted"> of {one.issuer}</span>}</>}</td>
              <td>{one.permits ? one.terms.map((term) => <div key={term.code}><abbr title={term.code}>{term.short}</abbr> {term.label}{term.limited_to.length > 0 && `: ${term.limited_to.join(", ")}`}</div>) : `refused: ${one.refuses.join(", ")}`}</td>
              <td>{one.until ? day(one.until.slice(0, 10)) : <span class="muted">open</span>}</td>
              <td>{moment(one.given)} <span class="muted">by {one.by}{one.source && `, ${one.source}`}</span></td>
              <td><button type="button" onClick={() => void withdraw(one)}>Withdraw all<span class="hidden"> of {one.study || one.patient}</span></button></td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  );
}
