import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../api/door";
import { onHappening } from "../api/live";
import { asTrouble, Source } from "../api/load";
import type { Study } from "../api/shapes";
import { Empty, Shown } from "../kit/states";
import { DayField } from "../oversight/period";
import { address, to } from "../router";
import { count, day, moment, person } from "../words";
import { Requests } from "./requests";

interface Term {
  code: string;
  short: string;
  label: string;
  permits: boolean;
  limited: boolean;
}

export interface Consent {
  id: string;
  patient: string;
  issuer: string;
  study: string;
  terms: { code: string; short: string; label: string; limited_to: string[] }[];
  permits: boolean;
  refuses: string[];
  given: string;
  until: string | null;
  by: string;
  source: string;
}

/** What stands, and what it answers today. */
interface Standing {
  consents: Consent[];
  answers: { purpose: string; allowed: boolean; reason: string }[];
}

/** A patient by number and issuer, or one study. Names and numbers go in the body of a call, never into an address. */
interface About {
  patient: string;
  issuer: string;
  study: string;
}

interface Reached {
  studies: string[];
  exports: unknown[];
  examples: unknown[];
  sent: unknown[];
  links: unknown[];
  cohorts: { id: string; name: string }[];
  tables: unknown[];
  models: { model: string; version: string; known_by: string }[];
}

export const PURPOSES: Record<string, string> = {
  research: "research (cohorts, tables, images without names)", training: "training of models", federation: "training together with other houses",
  sharing: "links for the research of another house", care: "care of this patient",
}; // prettier-ignore

/** What one record says, in words. */
export function inWords(one: Consent): string {
  if (one.permits) return `permits ${one.terms.map((term) => term.label + (term.limited_to.length ? `: ${term.limited_to.join(", ")}` : "")).join("; ")}`;
  return `refuses ${one.refuses.map((purpose) => PURPOSES[purpose] ?? purpose).join("; ") || "every use but care"}`;
}

/** What data may be used for: what stands of each patient or study, new terms, and withdrawal with what it reaches. */
export function ConsentPart() {
  const study = address.value.searchParams.get("study") ?? "";
  const [about, setAbout] = useState<About>({ patient: "", issuer: "", study });
  return (
    <>
      <p class="muted">Where nothing is recorded the site's setting decides: as shipped, care needs no terms, and research, training and sharing are refused. A refusal always wins, and a withdrawal reaches every use at once.</p>
      <Whom about={about} choose={setAbout} />
      {!about.patient && <Requests key={about.study} study={about.study} purposes={PURPOSES} />}
      <OfWhom key={JSON.stringify(about)} about={about} />
    </>
  );
}

/** Of whom: everybody, one patient, or one study that the address names. */
function Whom({ about, choose }: { about: About; choose: (about: About) => void }) {
  const named = useRef<Source<Study> | null>(null);
  named.current ??= about.study ? new Source((abort) => ask<Study>(`/api/studies/${about.study}`, { abort })) : null;
  useEffect(() => (void named.current?.load(), () => named.current?.stop()), []);
  const send = (event: SubmitEvent) => {
    event.preventDefault();
    const told = new FormData(event.currentTarget as HTMLFormElement);
    choose({ patient: String(told.get("patient") ?? "").trim(), issuer: String(told.get("issuer") ?? "").trim(), study: "" });
  };
  const one = named.current?.value;
  if (about.study) return <p>Of the study <a href={to.study(about.study)}>{one ? `${person(one.patient.name)}, ${one.description || one.modalities.join(" ")}, ${day(one.date)}` : "that was chosen"}</a>. <button type="button" onClick={() => choose({ patient: "", issuer: "", study: "" })}>Of everybody</button></p>;
  return (
    <form class="whom" onSubmit={send} aria-label="Of whom">
      <label>Patient number<input name="patient" maxLength={64} autocomplete="off" defaultValue={about.patient} /></label>
      <label>Issuer<input name="issuer" maxLength={64} placeholder="where several give numbers out" autocomplete="off" defaultValue={about.issuer} /></label>
      <button>{about.patient ? "Show another" : "Show this patient"}</button>
      {about.patient && <button type="button" onClick={() => choose({ patient: "", issuer: "", study: "" })}>Of everybody</button>}
    </form>
  );
}

function OfWhom({ about }: { about: About }) {
  const source = useRef<Source<Standing>>(null);
  source.current ??= new Source((abort) => ask<Standing>("/api/consents/of", { method: "POST", body: about, abort }));
  const standing = source.current;
  const again = () => void standing.load();
  const one = !!(about.patient || about.study);
  useEffect(() => {
    again();
    const forget = onHappening(({ kind }) => kind.startsWith("Consent") && again());
    return () => (forget(), standing.stop());
  }, []);
  return (
    <>
      {one && <Give about={about} again={again} />}
      {standing.value && standing.value.answers.length > 0 && <Today answers={standing.value.answers} />}
      <Shown of={standing} what="what may be done">
        {({ consents: all }) => (all.length ? <><List all={all} />{one && <Withdraw about={about} again={again} />}</> : (
          <Empty title={one ? "No terms of use stand here" : "No terms of use are recorded"}>
            <p>{one ? "Nothing was recorded of this patient or study, or it was withdrawn; what holds today stands above." : "For each patient or study stands here what they agreed to, what they refused, until when, and by which document."}</p>
            {!one && <p>Name a patient above, take “Consent” from the menu of a row in the <a href={to.worklist}>worklist</a>, or send FHIR Consent resources to the archive.</p>}
          </Empty>
        ))}
      </Shown>
    </>
  );
}

/** What the terms, a withdrawal or the site's setting answer for each purpose. */
function Today({ answers }: { answers: Standing["answers"] }) {
  return (
    <section aria-label="What holds today">
      <h2>What holds today</h2>
      <table class="plain wide">
        <thead><tr><th scope="col">Use</th><th scope="col">Answer</th><th scope="col">Because</th></tr></thead>
        <tbody>
          {answers.map((one) => (
            <tr key={one.purpose}>
              <th scope="row">{PURPOSES[one.purpose] ?? one.purpose}</th>
              <td>{one.allowed ? <span class="fine"><span aria-hidden="true">✓</span> permitted</span> : <span class="now"><span aria-hidden="true">⬢</span> refused</span>}</td>
              <td>{one.reason}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

function List({ all }: { all: Consent[] }) {
  return (
    <table class="plain wide">
      <thead><tr><th scope="col">Of whom</th><th scope="col">Says</th><th scope="col">Given (UTC)</th><th scope="col">Until (UTC)</th><th scope="col">Document</th></tr></thead>
      <tbody>
        {all.map((one) => (
          <tr key={one.id}>
            <td>{one.study ? <a href={to.study(one.study)}>one study</a> : "the whole patient"} <span class="id">{one.patient}</span></td>
            <td>{one.permits
              ? <><span class="fine"><span aria-hidden="true">✓</span> permits</span> {one.terms.map((term) => <span key={term.code} title={term.code}>{term.label}{term.limited_to.length > 0 && `: ${term.limited_to.join(", ")}`}; </span>)}</>
              : <><span class="now"><span aria-hidden="true">⬢</span> refuses</span> {one.refuses.map((purpose) => PURPOSES[purpose] ?? purpose).join("; ") || "every use but care"}</>}</td>
            <td>{moment(one.given)} <span class="muted">by {one.by}</span></td>
            <td>{one.until ? moment(one.until) : <span class="muted">until withdrawn</span>}</td>
            <td>{one.source || <span class="muted">none was named</span>}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Record what somebody agreed to, or refused. */
function Give({ about, again }: { about: About; again: () => void }) {
  const source = useRef<Source<Term[]>>(null);
  source.current ??= new Source(async (abort) => (await ask<{ terms: Term[] }>("/api/consents/terms", { abort })).terms);
  const [refusing, setRefusing] = useState(false);
  const [chosen, setChosen] = useState<Record<string, string>>({});
  const [refused, setRefused] = useState("");
  const [told, setTold] = useState({ until: "", source: "" });
  const [open, setOpen] = useState(false);
  useEffect(() => (void source.current?.load(), () => source.current?.stop()), []);
  const summary = useRef<HTMLElement>(null);
  const [reached, setReached] = useState<Reached | null>(null);
  // A change shows what it touches before it is made.
  useEffect(() => void (open && refusing && ask<Reached>("/api/consents/reached", { method: "POST", body: about }).then(setReached, (error: unknown) => setRefused(asTrouble(error).message))), [open, refusing]);
  const toggle = (code: string) => setChosen(({ [code]: was, ...rest }) => (was === undefined ? { ...rest, [code]: "" } : rest));
  const send = async (event: SubmitEvent) => {
    event.preventDefault();
    const terms = refusing ? {} : Object.fromEntries(Object.entries(chosen).map(([code, values]) => [code, values.split(",").map((one) => one.trim()).filter(Boolean)]));
    const body = { ...about, terms, refuses: refusing ? Object.keys(chosen) : [], until: told.until ? `${told.until}T23:59:59Z` : null, source: told.source };
    try {
      await ask("/api/consents", { method: "POST", body });
      setChosen({});
      setRefused("");
      setOpen(false);
      summary.current?.focus();
      again();
    } catch (error) {
      const trouble = asTrouble(error);
      setRefused(trouble.told);
    }
  };
  return (
    <details class="for" open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary ref={summary}>Record terms of use, or a refusal</summary>
      {refused && <p class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {refused}</p>}
      <form onSubmit={send} aria-label="Record terms">
        <fieldset><legend>It</legend>
          <label class="check"><input type="radio" name="kind" checked={!refusing} onChange={() => (setRefusing(false), setChosen({}))} /> permits, under these terms (Data Use Ontology)</label>
          <label class="check"><input type="radio" name="kind" checked={refusing} onChange={() => (setRefusing(true), setChosen({}))} /> refuses</label>
        </fieldset>
        <fieldset><legend>{refusing ? "Which uses" : "Which terms"}</legend>
          {refusing
            ? Object.entries(PURPOSES).map(([purpose, words]) => <label class="check" key={purpose}><input type="checkbox" checked={purpose in chosen} onChange={() => toggle(purpose)} /> {words}</label>)
            : <Shown of={source.current!} what="the terms">{(all) => <div class="terms">{[true, false].map((permits) => (
                <div key={String(permits)} role="group" aria-label={permits ? "What is permitted" : "What narrows it"}>
                  <p class="muted">{permits ? "Permits, at least one of these:" : "Narrows what is permitted:"}</p>
                  {all.filter((term) => term.permits === permits).map((term) => <OneTerm key={term.code} term={term} values={chosen[term.code]} toggle={() => toggle(term.code)} say={(values) => setChosen({ ...chosen, [term.code]: values })} />)}
                </div>
              ))}</div>}</Shown>}
        </fieldset>
        {refusing && reached && <ReachedList of={reached} what="the uses that are chosen are refused from now on" />}
        <div class="acts">
          <label>Until (empty: until withdrawn)<DayField value={told.until} onInput={(event) => setTold({ ...told, until: event.currentTarget.value })} /></label>
          <label>Document<input maxLength={200} value={told.source} onInput={(event) => setTold({ ...told, source: event.currentTarget.value })} /></label>
          <button class="primary" disabled={!Object.keys(chosen).length}>{refusing ? "Record the refusal" : "Record the terms"}</button>
        </div>
      </form>
    </details>
  );
}

function OneTerm({ term, values, toggle, say }: { term: Term; values: string | undefined; toggle: () => void; say: (values: string) => void }) {
  return (
    <div>
      <label class="check"><input type="checkbox" checked={values !== undefined} onChange={toggle} /> {term.label} <span class="id muted">{term.short}</span></label>
      {term.limited && values !== undefined && <label class="muted">limited to, by commas <input required value={values} onInput={(event) => say(event.currentTarget.value)} /></label>}
    </div>
  );
}

/** What a change reaches, and what it cannot call back. */
function ReachedList({ of, what }: { of: Reached; what: string }) {
  return (
    <ul class="bullets">
      <li>{count(of.studies.length, "study", "studies")}: {what}. Copies that wait to be taken are deleted.</li>
      <li>{count(of.links.length, "link")} given: those for research end; those for care stay until ended.</li>
      <li>Not to be called back: {count(of.exports.length + of.sent.length, "export")}, {count(of.examples.length, "training set")}, {count(of.tables.length, "table")} of {count(of.cohorts.length, "cohort")}{of.cohorts.length > 0 && ` (${of.cohorts.map((one) => one.name).join(", ")})`}.</li>
      <li>{of.models.length ? `Models that learned from it: ${of.models.map((one) => `${one.model} ${one.version} (${one.known_by})`).join(", ")}.` : "No model is known to have learned from it."}</li>
    </ul>
  );
}

/** End everything that stands, after it was shown what it reaches and what it cannot call back. */
function Withdraw({ about, again }: { about: About; again: () => void }) {
  const [reached, setReached] = useState<Reached | null>(null);
  const [refused, setRefused] = useState("");
  const [reason, setReason] = useState("");
  const head = useRef<HTMLHeadingElement>(null);
  useEffect(() => head.current?.focus(), [reached]);
  const say = (error: unknown) => setRefused(asTrouble(error).message);
  const look = () => ask<Reached>("/api/consents/reached", { method: "POST", body: about }).then(setReached, say);
  const end = () => ask("/api/consents/withdraw", { method: "POST", body: { ...about, reason } }).then(() => (setReached(null), again(), document.querySelector<HTMLElement>("main")?.focus()), say);
  return (
    <section aria-label="Withdraw">
      {refused && <p class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {refused}</p>}
      {!reached ? <button type="button" onClick={() => void look()}>Withdraw: see what it reaches</button> : (
        <>
          <h2 ref={head} tabIndex={-1}>What a withdrawal reaches</h2>
          <ReachedList of={reached} what="every use but care is refused from now on" />
          <p class="acts"><label>Reason <input value={reason} maxLength={500} onInput={(event) => setReason(event.currentTarget.value)} /></label> <button type="button" onClick={() => void end()}>Withdraw now</button> <button type="button" onClick={() => setReached(null)}>Leave it</button></p>
        </>
      )}
    </section>
  );
}
