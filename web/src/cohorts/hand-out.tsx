import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../api/door";
import { Source } from "../api/load";
import { keyOf } from "../keys/keyboard";
import { Key } from "../kit/marks";
import { Empty, Shown } from "../kit/states";
import { Typed } from "../kit/typed";
import { may, ruleOf } from "../me";
import { to } from "../router";
import { count, moment, number } from "../words";
import type { Frozen } from "./shapes";
import { HandOut, type Plan, PURPOSES, type Report, type Told, type Wanted } from "./handing";

/** A consented cohort handed to a research group: what would leave and what stays, copies in the making, one file to take. */
export function HandOutPart({ id, frozen }: { id: string; frozen: Frozen[] }) {
  if (!id) {
    return (
      <Empty title={frozen.length ? "Which cohort leaves?" : "Freeze a cohort first"}>
        {frozen.length > 0 && <ul class="bullets">{frozen.map((one) => <li key={one.id}><a href={to.cohorts(one.id, "hand-out")}>{one.name}</a>, {count(one.n, "study", "studies")}, frozen {moment(one.when)} UTC by {one.by}</li>)}</ul>}
        <p>Who is in a frozen cohort stays the same from then on, and its digest names it. Ask a question under <a href={to.cohorts()}>Table</a> and freeze it{frozen.length > 0 && " to have another"}.</p>
      </Empty>
    );
  }
  if (!may("export")) return <Empty title="Not yours to hand out">{ruleOf("export")}</Empty>;
  return <Way key={id} id={id} />;
}

function Way({ id }: { id: string }) {
  const [wanted, setWanted] = useState<Wanted>({ purpose: "research", project: "", ethics: "", institutions: [], countries: [], diseases: [], topics: [] });
  const plan = useRef<Source<Plan>>(null);
  const [reviewed, setReviewed] = useState<ReadonlySet<string>>(new Set());
  const held = useRef(wanted);
  held.current = wanted;
  plan.current ??= new Source((abort) => ask<Plan>(`/api/cohorts/${id}/hand-out/plan`, { method: "POST", body: held.current, abort, deadline_s: 60 }));
  const run = useRef<HandOut>(null);
  run.current ??= new HandOut();
  const here = run.current;
  const path = JSON.stringify(wanted);
  const [looked, setLooked] = useState(false); // for one that was begun before
  useEffect(() => void plan.current!.load().then(() => here.resume(plan.current!.value?.running ?? "")).then(() => setLooked(true)), [path]);
  useEffect(() => () => (plan.current?.stop(), here.stop()), []);
  const told = here.told.value;
  return (
    <Shown of={plan.current} what="who of the cohort may leave">
      {(value) => (
        <div class="hand-out">
          <div>
            <For value={value} wanted={wanted} change={setWanted} closed={!!told} />
            {!told && (looked || !value.running) && <Begin value={value} reviewed={reviewed.size} start={(how) => void here.begin(id, { ...wanted, ...how, reviewed: [...reviewed] })} refused={here.trouble.value?.told ?? ""} />}
            {told && <Progress told={told} here={here} again={() => void plan.current!.load()} />}
          </div>
          <div>
            <Leaves value={value} />
            {told?.report && <Made report={told.report} />}
            {told && told.left.length > 0 && <Stayed told={told} reviewed={reviewed} change={setReviewed} />}
            {value.before.length > 0 && <Before of={value.before} />}
          </div>
        </div>
      )}
    </Shown>
  );
}

/** What it is wanted for, as the terms of use ask it. */
function For({ value, wanted, change, closed }: { value: Plan; wanted: Wanted; change: (wanted: Wanted) => void; closed: boolean }) {
  const set = (more: Partial<Wanted>) => change({ ...wanted, ...more });
  const word = (name: "project" | "ethics", label: string, hint: string) => (
    <label>{label}<Typed value={wanted[name]} maxLength={64} disabled={closed} placeholder={hint} taken={(said) => set({ [name]: said.trim() })} /></label>
  );
  const words = (name: "institutions" | "countries" | "diseases" | "topics", label: string, hint: string) => (
    <label>{label}<Typed value={wanted[name].join(", ")} maxLength={300} disabled={closed} placeholder={hint} taken={(said) => set({ [name]: said.split(",").map((one) => one.trim()).filter(Boolean) })} /></label>
  );
  const flags = [["non_profit", "only organisations that are not for profit"], ["non_commercial", "no commercial use"], ["publishes", "results are made known"], ["collaborates", "together with whoever gave the data"], ["returns", "what is derived comes back"]] as const;
  return (
    <form class="form-rows" aria-label="What it is for" onSubmit={(event) => event.preventDefault()}>
      <h2>What it is for</h2>
      <label>Purpose
        <select id="hand-out-first" value={wanted.purpose} disabled={closed} onChange={(event) => set({ purpose: event.currentTarget.value })}>
          {value.purposes.map((one) => <option key={one} value={one}>{PURPOSES[one] ?? one}</option>)}
        </select>
      </label>
      {word("project", "Project", "name of the study")}
      {word("ethics", "Ethics approval", "number of the committee's approval")}
      <details class="whole">
        <summary>What else terms of use may ask</summary>
        {words("institutions", "Institutions that get it", value.institution.join(", ") || "with commas between")}
        {words("countries", "Countries", value.country.join(", ") || "two letters each, such as NG, DE")}
        {words("diseases", "Diseases that are studied", "SNOMED CT or MONDO codes")}
        {words("topics", "Topics", "methods, ancestry, genetic")}
        {flags.map(([name, label]) => <label key={name} class="check"><input type="checkbox" disabled={closed} checked={!!wanted[name]} onChange={(event) => set({ [name]: event.currentTarget.checked })} /> {label}</label>)}
      </details>
      <p class="muted">What is not said counts as the less welcome answer: terms that ask for it keep their study here.</p>
    </form>
  );
}

function Begin({ value, reviewed, start, refused }: { value: Plan; reviewed: number; start: (how: { smallest_group: number; reason: string; blank: boolean }) => void; refused: string }) {
  const [how, setHow] = useState({ smallest_group: value.smallest_group, reason: "", blank: false });
  return (
    <form class="form-rows" aria-label="How it leaves" onSubmit={(event) => (event.preventDefault(), start(how))}>
      <h2>How it leaves</h2>
      <label>Smallest group of alike patients
        <input type="number" min={1} max={1000} required value={how.smallest_group} onInput={(event) => setHow({ ...how, smallest_group: event.currentTarget.valueAsNumber || 1 })} />
      </label>
      <p class="muted">Patients with the same sex, age, body part and kind of image are one group (k-anonymity). Groups are counted on the copies; where one is smaller, nothing leaves unless there is a reason, and groups under {value.smallest_group} are asked for with a reason only.</p>
      <label>Why smaller groups may leave<input value={how.reason} maxLength={500} required={how.smallest_group < value.smallest_group} autocomplete="off" placeholder="empty: they may not" onInput={(event) => setHow({ ...how, reason: event.currentTarget.value })} /></label>
      <label class="check"><input type="checkbox" checked={how.blank} onChange={(event) => setHow({ ...how, blank: event.currentTarget.checked })} /> Blank lines of writing that are found in pixels; otherwise such images stay for a person to look at</label>
      {reviewed > 0 && <p><span aria-hidden="true">●</span> {count(reviewed, "object")} that you have looked at may leave; the journal says that you did.</p>}
      {refused && <p class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {refused}</p>}
      <div class="acts"><button class="primary" disabled={!value.studies}>Hand out {count(value.studies, "study", "studies")}</button></div>
      <p class="muted">The journal keeps an entry for each study that leaves, under your name; a later withdrawal finds it.</p>
    </form>
  );
}

function Progress({ told, here, again }: { told: Told; here: HandOut; again: () => void }) {
  const box = useRef<HTMLElement>(null);
  const ended = told.state === "done" || told.state === "refused";
  useEffect(() => void (ended && box.current?.focus()), [ended]);
  useEffect(() => void (told.state === "done" && again()), [told.state]); // it stands among those that were handed out before
  const remove = () => void here.remove().then(again).then(() => document.getElementById("hand-out-first")?.focus());
  return (
    <section class="form-rows" aria-label="Copies" ref={box} tabIndex={-1}>
      <h2>Copies</h2>
      <p role="status">
        {told.state === "waiting" && <>Waiting: {told.words}.</>}
        {told.state === "running" && (told.words === "packing" ? <>Packing {count(told.of, "study", "studies")} into one file.</> : <>{Math.min(told.done + 1, told.of || 1)} of {count(told.of, "study", "studies")}: copies without persons and faces.</>)}
        {told.state === "done" && <><span class="fine" aria-hidden="true">✓</span> Ready: {size(told.bytes ?? 0)}. Deleted here at {moment(told.gone_at)} UTC unless you look again.</>}
        {told.state === "refused" && <><span class="now" aria-hidden="true">⬢</span> Nothing to take: {told.words}</>}
      </p>
      {!ended && told.of > 0 && <progress max={told.of} value={told.done} aria-label="Studies copied" />}
      <div class="acts">
        {told.state === "done" && <a class="button primary" href={`/api/hand-outs/${told.id}/file`} download onClick={(event) => (event.preventDefault(), void here.take())}>Take the file <Key of={keyOf("cohorts", "take")} /></a>}
        <button type="button" onClick={remove}>{told.state === "refused" ? "Change it and try again" : ended ? "Delete it here" : "Stop"}</button>
      </div>
      {told.state === "done" && <p class="muted">Images and results as DICOM, the table as CSV and Parquet, and the report, all under the same pseudonyms.</p>}
    </section>
  );
}

function Leaves({ value }: { value: Plan }) {
  return (
    <section aria-label="Who leaves and who stays">
      <h2>{count(value.studies, "study", "studies")} of {value.of} would leave <span class="muted">of {count(value.people, "person", "people")}</span></h2>
      {value.left_out.length === 0 ? <p class="muted">Nobody of the cohort stays: its terms of use allow this to all.</p> : (
        <table class="plain wide">
          <caption class="hidden">Who stays, and why</caption>
          <thead><tr><th scope="col">Stays, because</th><th scope="col" class="num">Studies</th></tr></thead>
          <tbody>{value.left_out.map((one) => <tr key={one.why}><td>{one.why}</td><td class="num">{one.studies}</td></tr>)}</tbody>
        </table>
      )}
      <p class="muted">Terms of use are recorded under <a href={to.sharing("consent")}>Consent</a>; they are asked again before each study is read, and at the end.</p>
    </section>
  );
}

/** What was done, from the report that travels with the copies. */
function Made({ report }: { report: Report }) {
  const alone = report.risk.patients_alone_in_their_group;
  const rows: [string, string][] = [
    ["Objects written", number(report.written)],
    ["Studies", number(report.cohort.studies)],
    ["Patients", number(report.patients)],
    ["Smallest group of alike patients", `${report.risk.smallest_group} (wanted ${report.smallest_group_wanted})${report.smaller_groups_because ? `, because ${report.smaller_groups_because}` : ""}`],
    ["Patients alone in their group", `${number(alone)} (${number(Math.round(report.risk.unique_rate * 1000) / 10)} %)`],
    ["Faces", Object.entries(report.faces.objects).map(([what, n]) => `${what}: ${n}`).join(", ") || "no head among them"],
    ["Attributes cleaned", number(report.attributes.length)],
    ["Made by", report.standard],
  ];
  return (
    <section aria-label="Report">
      <h2>Report <span class="muted">report.json in the file</span></h2>
      <dl class="facts wide">{rows.map(([name, words]) => <div key={name}><dt>{name}</dt><dd>{words}</dd></div>)}</dl>
      {report.held_back.some((one) => one.kind !== "review") && <><h3>What was not taken</h3><ul class="bullets">{report.held_back.filter((one) => one.kind !== "review").map((one) => <li key={one.why}><strong>{one.count}</strong>: {one.why}</li>)}</ul></>}
      {report.risk.remaining.length > 0 && <><h3>What may still tell who somebody is</h3><ul class="bullets">{report.risk.remaining.map((one) => <li key={one.risk}>{one.risk} <span class="muted">({count(one.objects, "object")})</span></li>)}</ul></>}
    </section>
  );
}

/** What stayed. Heads of which it is not sure that their face is out, and pixels with writing, wait for a person: who has looked may let them go. */
function Stayed({ told, reviewed, change }: { told: Told; reviewed: ReadonlySet<string>; change: (reviewed: ReadonlySet<string>) => void }) {
  const waits = told.left.filter((one) => one.kind === "review");
  const others = told.left.filter((one) => one.kind !== "review");
  // Slices of one head wait for one reason, and are looked at together.
  const alike = (one: Told["left"][number], other: Told["left"][number]) => one.of === other.of && one.why === other.why;
  const groups = waits.filter((one, i) => waits.findIndex((other) => alike(one, other)) === i).map((one) => waits.filter((other) => alike(one, other)));
  const toggle = (objects: string[], on: boolean) => change(new Set(on ? [...reviewed, ...objects] : [...reviewed].filter((one) => !objects.includes(one))));
  return (
    <>
      {waits.length > 0 && (
        <section aria-label="Waits for a person">
          <h2>{count(waits.length, "object waits", "objects wait")} for a person to look</h2>
          <table class="plain wide">
            <thead><tr><th scope="col" class="num">Objects</th><th scope="col">Why</th><th scope="col">Look</th><th scope="col">They may leave</th></tr></thead>
            <tbody>{groups.map((all) => {
              const [one, objects] = [all[0]!, all.map((other) => other.object)];
              return (
                <tr key={one.object}>
                  <td class="num">{all.length}</td>
                  <td>{one.why}</td>
                  <td class="whole-word">{one.of && <a href={to.study(one.of)} target="_blank">the study</a>}</td>
                  <td class="whole-word">{one.leaves ? <label class="check"><input type="checkbox" checked={objects.every((object) => reviewed.has(object))} onChange={(event) => toggle(objects, event.currentTarget.checked)} /> I have looked <span class="hidden">at {one.why}</span></label> : <span class="muted">by command only</span>}</td>
                </tr>
              );
            })}</tbody>
          </table>
          {reviewed.size > 0 && <p class="muted">Delete these copies, and hand out again: {count(reviewed.size, "object")} will go with the others.</p>}
        </section>
      )}
      {others.length > 0 && (
        <details class="whole">
          <summary>{count(others.length, "study or object", "studies or objects")} stayed otherwise</summary>
          <table class="plain wide">
            <thead><tr><th scope="col">What</th><th scope="col">Why</th></tr></thead>
            <tbody>{others.map((one, i) => <tr key={i}><td>{one.study || one.of ? <a href={to.study((one.study || one.of)!)}>{one.study ? "a study" : "an object of a study"}</a> : <span class="id">{one.object}</span>}</td><td>{one.why}</td></tr>)}</tbody>
          </table>
        </details>
      )}
    </>
  );
}

function Before({ of }: { of: Plan["before"] }) {
  return (
    <section aria-label="Handed out before">
      <h2>Handed out before</h2>
      <table class="plain wide">
        <thead><tr><th scope="col">When (UTC)</th><th scope="col">By</th><th scope="col">For</th><th scope="col" class="num">Studies</th><th scope="col" class="num">Smallest group</th></tr></thead>
        <tbody>{of.map((one) => <tr key={one.when}><td>{moment(one.when)}</td><td>{one.by}</td><td>{PURPOSES[one.purpose] ?? one.purpose}{one.reason && <span class="muted"> · smaller groups: {one.reason}</span>}</td><td class="num">{one.studies}</td><td class="num">{one.smallest_group ?? "–"}</td></tr>)}</tbody>
      </table>
    </section>
  );
}

function size(bytes: number): string {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : bytes < 1e9 ? `${number(bytes / 1e6)} MB` : `${number(bytes / 1e9)} GB`;
}
