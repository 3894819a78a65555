import { type Signal, useSignal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import "../style/opinion.css";
import { ask } from "../api/door";
import { Source } from "../api/load";
import type { Coded, Patient } from "../api/shapes";
import { bind, keyOf } from "../keys/keyboard";
import { Key } from "../kit/marks";
import { Shown } from "../kit/states";
import { may } from "../me";
import { type Lesion, type Lesions, nameOf, Spark } from "../room/lesion-table";
import { go, to } from "../router";
import { count, day, moment, number, person, quantity } from "../words";
import { type Consent, inWords } from "../sharing/consent";
import { ConsentLane } from "./consent-lane";
import { type Asked, ElsewhereLane, lookElsewhere } from "./elsewhere-lane";
import { IdentitiesLane, type Other } from "./identities-lane";
import { Joining } from "./joining";
import { Lane } from "./lane";
import type { Study } from "./study";
import { Treatment, treatmentOf } from "./treatment";

interface Whole {
  patient: Patient;
  studies: Study[];
  /** Studies of this patient that are none of the asker's. */
  hidden: number;
  others: Other[];
  /** Studies of the same number with another date of birth or sex. */
  strangers: { study: string; date: string | null; sex: string; birth_date: string | null }[];
  lesions: Lesion[];
  sums: Lesions["sums"];
  measurements: { what: Coded; unit: string; definition: string; values: ({ value: number; low: number | null; high: number | null; percentile: number | null; norm: string } | null)[] }[];
  events: { time: string; lane: string; what: string; study: string; who: string }[];
  access: { readers: number; sent: number; exported: number; shared: number; ended: number };
}

/** One person through time. The strip shows when; the lists below say the same in words, and are enough alone. */
export function TimelinePage({ study }: { study: string }) {
  const source = useRef<Source<Whole>>(null);
  source.current ??= new Source((abort) => ask<Whole>(`/api/patients/${study}/timeline`, { abort }));
  const whole = source.current;
  const terms = useRef<Source<Consent[]>>(null);
  terms.current ??= new Source(async (abort) => (await ask<{ consents: Consent[] }>("/api/consents/of", { method: "POST", body: { study }, abort })).consents);
  const consent = terms.current;
  // Signals: a key that comes before the page is drawn anew must act on where one is now.
  const at = useSignal(-1);
  const [listed, setListed] = useState(false);
  const chosen = useSignal("");
  const [near, setNear] = useState(1);
  const elsewhere = useSignal<Asked>({ at: "not" });
  useEffect(() => {
    void whole.load();
    if (may("consent")) void consent.load();
    return () => (whole.stop(), consent.stop());
  }, []);
  const studies = whole.value?.studies ?? [];
  const from = () => (at.value < 0 ? studies.findIndex((one) => one.here) : at.value);
  const now = from();
  /** One study, then another: the later is opened with the earlier beside it. */
  const compare = () => {
    const [here, first] = [studies[from()]?.study ?? "", chosen.value];
    chosen.value = first === here ? "" : here;
    if (!first || !here || first === here) return;
    const [early, late] = studies.map((one) => one.study).filter((one) => one === first || one === here);
    go(`${to.study(late!)}?beside=${early}`);
  };
  /** On paper goes the dated list: a strip of days says nothing there. */
  const print = () => {
    setListed(true);
    setTimeout(() => window.print());
  };
  useEffect(() => bind("timeline", {
    later: () => (at.value = Math.min(studies.length - 1, from() + 1)),
    earlier: () => (at.value = Math.max(0, from() - 1)),
    open: () => studies[from()] && go(to.study(studies[from()]!.study)),
    compare,
    why: () => studies[from()] && go(to.why(studies[from()]!.study)),
    list: () => setListed((before) => !before),
    nearer: () => setNear((before) => Math.min(64, 2 * before)),
    farther: () => setNear((before) => Math.max(1, before / 2)),
    print,
    elsewhere: () => void lookElsewhere(study, elsewhere),
    leave: () => go(to.patients()),
  }), [studies]);
  const patient = whole.value?.patient;
  return (
    <>
      <header class="bar" data-region tabIndex={-1}>
        <h1>{patient ? person(patient.name) : "Patient"}</h1>
        {patient && <><span class="id">{patient.id}</span>{patient.birth_date && <span>b. {day(patient.birth_date)}</span>}{patient.sex && <span>{patient.sex}</span>}</>}
        <span class="gap" />
        <span class="muted" role="status">{chosen.value && `${day(studies.find((one) => one.study === chosen.value)?.date)} beside which other? Go to it and compare again.`}</span>
        {studies.length > 1 && <button type="button" aria-pressed={!!chosen.value} onClick={compare}>Compare <Key of={keyOf("timeline", "compare")} /></button>}
        <button type="button" onClick={print}>Print <Key of={keyOf("timeline", "print")} /></button>
        <button type="button" aria-pressed={listed} onClick={() => setListed(!listed)}>As a list <Key of={keyOf("timeline", "list")} /></button>
        <a class="button" href={to.patients()}>All patients <Key of={keyOf("timeline", "leave")} /></a>
      </header>
      <main class="desk-list" data-region tabIndex={-1}>
        <Shown of={whole} what="the timeline">{(value) => (listed ? <Listed whole={value} consents={consent.value ?? []} /> : <Lanes whole={value} study={study} elsewhere={elsewhere} consent={consent} now={now} near={near} take={(i) => (at.value = i)} again={() => void whole.load()} />)}</Shown>
      </main>
    </>
  );
}

function Lanes({ whole, study, elsewhere, consent, now, near, take, again }: { whole: Whole; study: string; elsewhere: Signal<Asked>; consent: Source<Consent[]>; now: number; near: number; take: (at: number) => void; again: () => void }) {
  const { studies, lesions, sums, measurements, events, access } = whole;
  return (
    <>
      <Lane name="Imaging" told={count(studies.length, "study", "studies")}>
        <Strip studies={studies} now={now} near={near} take={take} />
        <Hidden n={whole.hidden} />
        <Strangers studies={whole.strangers} />
        <ol>
          {studies.map((one, i) => (
            <li key={one.study} aria-current={i === now ? "true" : undefined} onClick={() => take(i)}>
              <span>{day(one.date)}</span>
              <span><a href={to.study(one.study)}>{one.description || `${one.modalities.join(" ")} study`}</a> <span class="muted">{one.modalities.join("/")} · {one.state}</span></span>
            </li>
          ))}
        </ol>
      </Lane>
      <ElsewhereLane study={study} asked={elsewhere} again={again} />
      <IdentitiesLane others={whole.others} born={whole.patient.birth_date ?? null} />
      <Lane name="Lesions" told={lesions.length ? count(lesions.length, "lesion") : ""}>
        {lesions.length ? <Joining key={studies.length} told={{ studies, lesions, sums }} about={studies.find((one) => one.here)?.study ?? ""} again={again} /> : <p class="muted">No lesion is known of this patient, or what is known is shown after your own opinion.</p>}
      </Lane>
      <Lane name="Measurements" told={measurements.length ? count(measurements.length, "quantity", "quantities") : ""}>
        {measurements.length ? <Measurements studies={studies} rows={measurements} /> : <p class="muted">No number of a whole study is known of this patient, or what is known is shown after your own opinion.</p>}
      </Lane>
      <Treatment studies={studies} />
      <ConsentLane consent={consent} study={studies.find((one) => one.here)?.study ?? ""} />
      <Lane name="Reports and access" told={accessOf(access)}>
        <ol>{events.map((one) => <li key={one.time + one.what}><span>{moment(one.time)} <span class="muted">UTC</span></span><span>{one.what}{one.who && ` by ${one.who}`}</span></li>)}</ol>
        {!events.length && <p class="muted">Nothing was signed, sent or exported yet.</p>}
      </Lane>
    </>
  );
}

function accessOf({ readers, sent, exported, shared, ended }: Whole["access"]): string {
  return `${count(readers, "reader")}, ${count(sent, "transfer")}, ${count(exported, "export")}, ${count(shared, "link")}${ended ? ` (${ended} ended)` : ""}`;
}

/** That there is more than one may see: a past that looks whole and is not would mislead. */
function Hidden({ n }: { n: number }) {
  return n ? <p class="muted"><span aria-hidden="true">▨</span> {count(n, "more study", "more studies")} of this patient {n === 1 ? "is" : "are"} hidden: {n === 1 ? "it belongs" : "they belong"} to projects in which you have no part.</p> : null;
}

/** One number for two people, or a date typed wrong: whoever reads must know that it is not in this past. */
function Strangers({ studies }: { studies: Whole["strangers"] }) {
  if (!studies.length) return null;
  return (
    <p>
      <span aria-hidden="true">⚠</span> {count(studies.length, "study", "studies")} with this patient number {studies.length === 1 ? "states" : "state"} another date of birth or sex and {studies.length === 1 ? "is" : "are"} not shown:{" "}
      {studies.map((one, i) => <span key={one.study}>{i > 0 && ", "}<a href={to.patients(one.study)}>{day(one.date)}</a>{one.birth_date && ` (b. ${day(one.birth_date)}${one.sex && `, ${one.sex}`})`}</span>)}. Another person's, or typed wrong.
    </p>
  );
}

function Measurements({ studies, rows }: { studies: Study[]; rows: Whole["measurements"] }) {
  return (
    <div class="lesion-scroll" tabIndex={0} role="group" aria-label="Measurements through the studies">
      <table class="lesions">
        <thead><tr><th scope="col">What</th>{studies.map((one) => <th scope="col" key={one.study}>{day(one.date)}</th>)}<th scope="col">Course</th></tr></thead>
        <tbody>
          {rows.map((row) => (
            <tr key={row.what.code + row.definition + row.unit}>
              <th scope="row">{row.what.meaning} <small>{row.definition}</small></th>
              {row.values.map((one, i) => <td key={i}>{one ? <>{quantity(one.value, row.unit, one.low, one.high)}{one.percentile !== null && <small title={one.norm}>p {number(one.percentile)}</small>}</> : <span class="faint">–</span>}</td>)}
              <td><Spark values={row.values.map((one) => one?.value ?? null)} dates={studies.map((one) => one.date)} words={`${row.what.meaning} through the studies`} /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** When: studies along a line of days, or the part of it about the one where one is. Everything in it stands in the list below as well. */
function Strip({ studies, now, near, take }: { studies: Study[]; now: number; near: number; take: (at: number) => void }) {
  const days = studies.map((one) => (one.date ? Date.parse(one.date) : NaN));
  const known = days.filter((one) => !Number.isNaN(one));
  const [begin, end] = [Math.min(...known), Math.max(...known)];
  if (known.length < 2 || begin === end) return null;
  const middle = Number.isNaN(days[now] ?? NaN) ? end : days[now]!;
  const half = (end - begin) / near / 2;
  const first = near === 1 ? begin : Math.max(begin, Math.min(middle - half, end - 2 * half));
  const last = near === 1 ? end : first + 2 * half;
  const at = (time: number) => `${2 + (96 * (time - first)) / (last - first)}%`;
  return (
    <svg class="strip" aria-hidden="true">
      <line x1="0" x2="100%" y1="18" y2="18" />
      {datesOf(first, last).map(([time, words]) => (
        <g key={words}><line x1={at(time)} x2={at(time)} y1="18" y2="24" /><text x={at(time)} y="38">{words}</text></g>
      ))}
      {studies.map((one, i) => days[i]! >= first && days[i]! <= last && <circle key={one.study} class={i === now ? "now" : undefined} cx={at(days[i]!)} cy="18" r={i === now ? 6 : 5} onPointerEnter={() => take(i)} />)}
    </svg>
  );
}

/** Round dates between two days, so few that their words stand apart: whole years, else quarters, else months, else days. */
function datesOf(first: number, last: number): [time: number, words: string][] {
  const months = (last - first) / 2.63e9;
  if (months < 2) return daysOf(first, last);
  const step = [1, 3, 12, 24, 60, 120].find((one) => months / one <= 10) ?? 240;
  const begin = new Date(first);
  const dates: [number, string][] = [];
  for (let month = Math.ceil((begin.getUTCFullYear() * 12 + begin.getUTCMonth()) / step) * step; ; month += step) {
    const time = Date.UTC(Math.floor(month / 12), month % 12);
    if (time > last) return dates;
    if (time >= first) dates.push([time, new Date(time).toISOString().slice(0, step < 12 ? 7 : 4)]);
  }
}

function daysOf(first: number, last: number): [time: number, words: string][] {
  const day = 86_400_000;
  const step = [1, 2, 5, 10].find((one) => (last - first) / day / one <= 8) ?? 20;
  const dates: [number, string][] = [];
  for (let time = Math.ceil(first / day) * day; time <= last; time += step * day) dates.push([time, new Date(time).toISOString().slice(5, 10)]);
  return dates;
}

/** The same as a dated list, oldest first. */
function Listed({ whole, consents }: { whole: Whole; consents: Consent[] }) {
  const { studies } = whole;
  const of = (number: number) => ({ at: studies[number]!.date ?? "", link: to.study(studies[number]!.study) });
  const lines = [
    ...whole.studies.map((one) => ({ at: one.date ?? "", words: `${one.description || one.modalities.join(" ")}: ${one.state}`, link: to.study(one.study) })),
    ...treatmentOf(studies).map((one) => ({ at: one.study.date ?? "", words: one.words, link: to.study(one.study.study) })),
    ...whole.lesions.flatMap((lesion) => lesion.points.flatMap((point, n) => (point ? [{ ...of(n), words: `${nameOf(lesion)}: ${point.size ? quantity(point.size.value, point.size.unit) : "seen, not measured"}${point.match === "unsure" ? " (match unsure)" : ""}` }] : []))),
    ...whole.measurements.flatMap((row) => row.values.flatMap((one, n) => (one ? [{ ...of(n), words: `${row.what.meaning}${row.definition ? `, ${row.definition}` : ""}: ${quantity(one.value, row.unit, one.low, one.high)}${one.percentile !== null ? `, percentile ${number(one.percentile)}` : ""}` }] : []))),
    ...consents.map((one) => ({ at: one.given, words: `Consent: ${inWords(one)}`, link: `${to.sharing("consent")}?study=${studies.find((one) => one.here)?.study ?? ""}` })),
    ...whole.events.map((one) => ({ at: one.time, words: `${one.what}${one.who ? ` by ${one.who}` : ""}`, link: to.study(one.study) })),
  ].sort((a, b) => a.at.slice(0, 10).localeCompare(b.at.slice(0, 10)));
  return (
    <section class="lane" aria-label="Everything, oldest first">
      <h2>Everything, oldest first</h2>
      <Hidden n={whole.hidden} />
      <ol>{lines.map((line) => <li key={line.at + line.words}><span>{line.at ? day(line.at) : "no date"}</span><a href={line.link}>{line.words}</a></li>)}</ol>
    </section>
  );
}
