import { useEffect, useRef } from "preact/hooks";
import { ask } from "../api/door";
import { Source } from "../api/load";
import { Empty, Shown } from "../kit/states";
import { address, setQuery } from "../router";
import { moment, spoken } from "../words";
import { Calibrated } from "./calibration";
import { figure, Unknown, Value } from "./parts";
import type { Figure, Model } from "./shapes";

interface Version {
  digest: string;
  version: string;
  state: string;
  installed: boolean;
  here: boolean;
}

interface Side extends Pick<Model, "digest" | "version" | "card" | "evidence" | "state" | "parent"> {
  installed: boolean;
  judged: { metric: string; n: number; primary: Figure; test: string; when: string } | null;
}

interface Gap {
  group: string;
  insufficient?: string;
  figure: string;
  value: number;
  low: number;
  high: number;
  n: number;
  margin: number | null;
  holds: boolean | null;
}

type Cell = { n: number | null; metrics: Record<string, Figure> } | null;

interface Compared {
  name: string;
  versions: Version[];
  sides: [Side, Side];
  changed: { known: boolean; parts: { part: string; words: string; allowed: boolean | null }[]; record: { may_change: string[]; impact: string; by: string; when: string } | null };
  figures: { name: string; values: [Figure | null, Figure | null] }[];
  groups: { group: string; sides: [Cell, Cell] }[];
  paired: { test: string; n: number; gaps: Gap[] } | null;
  because: string;
}

const short = (digest: string) => digest.slice(0, 12);
const wanted = (name: string) => address.value.searchParams.get(name) ?? "";

/** Two versions of one model beside each other. Which two stands in the address. */
export function Comparing({ name }: { name: string }) {
  const [one, other] = [wanted("one"), wanted("other")];
  const source = useRef<Source<Compared>>(null);
  source.current ??= new Source((abort) => ask<Compared>(`/api/models/${encodeURIComponent(name)}/compare?${new URLSearchParams({ one: wanted("one"), other: wanted("other") })}`, { abort }));
  const told = source.current;
  useEffect(() => void told.load(), [one, other]);
  useEffect(() => () => told.stop(), []);
  const state = told.state.value;
  if (state.at === "failed" && state.trouble.status === 400) {
    return <Empty title="Nothing to hold it against">{state.trouble.why}. <span>To bring one: {state.trouble.remedy}.</span></Empty>;
  }
  return <Shown of={told} what="both versions">{(value) => <Both told={value} />}</Shown>;
}

function Both({ told }: { told: Compared }) {
  const [left, right] = told.sides;
  return (
    <>
      <div class="whom">
        {(["one", "other"] as const).map((which, i) => (
          <label key={which}>{i ? "held against" : "Version"}
            <select value={told.sides[i]!.digest} onChange={(event) => setQuery(which, short(event.currentTarget.value), { keep: true })}>
              {told.versions.filter((each) => each.digest !== told.sides[1 - i]!.digest).map((each) => <option key={each.digest} value={each.digest}>{each.version || "gone"} · {short(each.digest)} · {each.installed ? "installed" : each.state}</option>)}
            </select>
          </label>
        ))}
        <button type="button" onClick={() => (setQuery("one", short(right.digest), { keep: true }), setQuery("other", short(left.digest)))}>Turn round</button>
      </div>
      <h2>What changed</h2>
      <Changed told={told.changed} />
      <h2>On the same sealed cases</h2>
      {told.paired ? <Paired told={told.paired} /> : <p><Unknown because={told.because} /></p>}
      <h2>Each by itself</h2>
      <table class="plain beside">
        <thead><tr><th scope="col">Figure</th><Heads sides={told.sides} /></tr></thead>
        <tbody>
          <tr><th scope="row">State</th>{told.sides.map((side) => <td key={side.digest}>{side.state}</td>)}</tr>
          <tr><th scope="row">Sealed test</th>{told.sides.map((side) => <td key={side.digest}>{side.judged ? <>{spoken(side.judged.metric)} {figure(side.judged.primary)}, n {side.judged.n}, {moment(side.judged.when)} UTC</> : <Unknown because="it was not measured here" />}</td>)}</tr>
          {told.figures.map((row) => <tr key={row.name}><th scope="row">{spoken(row.name)} <span class="muted">claimed</span></th>{row.values.map((value, i) => <td key={i}>{value ? figure(value) : <Unknown because={told.sides[i]!.evidence.metrics ? "not among its figures" : "no evidence is kept of it"} />}</td>)}</tr>)}
        </tbody>
      </table>
      <p class="muted">Two figures claimed on two sets of cases are not subtracted: only on the same cases is a difference one.</p>
      <Groups groups={told.groups} sides={told.sides} />
      <h2>Calibration, as claimed</h2>
      <div class="plot-and-table">{told.sides.map((side) => <section key={side.digest} aria-label={`Calibration of version ${side.version || short(side.digest)}`}><h3>{title(side)}</h3><Calibrated of={side.evidence.calibration} id={short(side.digest)} /></section>)}</div>
      <h2>Card</h2>
      <Cards sides={told.sides} />
    </>
  );
}

const title = (side: Side) => `${side.version ? `Version ${side.version}` : "Gone"} · ${short(side.digest)}`;

function Heads({ sides }: { sides: Side[] }) {
  return <>{sides.map((side) => <th key={side.digest} scope="col">{title(side)}{side.installed && " · installed"}</th>)}</>;
}

function Changed({ told }: { told: Compared["changed"] }) {
  if (!told.known) return <p><Unknown because="the card of one of them is not here any more" /></p>;
  return (
    <>
      {told.parts.length ? (
        <table class="plain">
          <thead><tr><th scope="col">Part</th><th scope="col">That is</th><th scope="col">By the change record</th></tr></thead>
          <tbody>{told.parts.map((one) => <tr key={one.part}><td>{one.part}</td><td class="muted">{one.words}</td><td>{one.allowed === null ? "none was declared" : one.allowed ? <span class="fine">✓ may change</span> : <span class="soon">▲ may not change</span>}</td></tr>)}</tbody>
        </table>
      ) : <p>No part that is recorded.</p>}
      {told.record && <p class="muted">The record of {moment(told.record.when)} UTC by {told.record.by} lets change: {told.record.may_change.join(", ")}. Impact: {told.record.impact}</p>}
    </>
  );
}

function Paired({ told }: { told: NonNullable<Compared["paired"]> }) {
  return (
    <table class="plain">
      <caption class="muted">This minus that, on {told.n} cases of the set <span class="id">{short(told.test)}…</span></caption>
      <thead><tr><th scope="col">Cases</th><th scope="col">Figure</th><th scope="col" class="num">Difference (95 %)</th><th scope="col" class="num">n</th><th scope="col">Not inferior</th></tr></thead>
      <tbody>
        {told.gaps.map((gap) => (
          <tr key={gap.group + gap.figure}>
            <td>{gap.group || "all"}</td>
            {gap.insufficient ? <td colSpan={4} class="muted">{gap.insufficient}</td> : (
              <>
                <td>{spoken(gap.figure)}</td>
                <td class="num">{signed(gap.value)} ({signed(gap.low)} to {signed(gap.high)})</td>
                <td class="num">{gap.n}</td>
                <td>{gap.holds === null ? "" : gap.holds ? <span class="fine">✓ within {gap.margin}</span> : <span class="soon">▲ not shown within {gap.margin}</span>}</td>
              </>
            )}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const signed = (value: number) => `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(3)}`;

function Groups({ groups, sides }: { groups: Compared["groups"]; sides: Side[] }) {
  if (!groups.length) return <><h2>Subgroups</h2><p><Unknown because="the evidence of neither names one" /></p></>;
  const names = [...new Set(groups.flatMap((one) => one.sides.flatMap((cell) => Object.keys(cell?.metrics ?? {}))))];
  return (
    <>
      <h2>Subgroups</h2>
      <div class="lesion-scroll" tabIndex={0} role="group" aria-label="Subgroups of both versions">
        <table class="plain">
          <thead><tr><th scope="col">Group</th><th scope="col">Figure</th><Heads sides={sides} /></tr></thead>
          <tbody>
            {groups.flatMap((one) => names.filter((name) => one.sides.some((cell) => cell?.metrics[name] || cell?.n === null)).map((name, i) => (
              <tr key={one.group + name}>
                <td>{i ? "" : one.group}</td><td>{spoken(name)}</td>
                {one.sides.map((cell, side) => <td key={side}>{!cell ? <Unknown because="it has no such group" /> : cell.n === null ? <span class="muted">withheld: fewer than 10 events</span> : cell.metrics[name] ? <>{figure(cell.metrics[name])} <span class="muted">n {cell.n}</span></> : <Unknown because="not given" />}</td>)}
              </tr>
            )))}
          </tbody>
        </table>
      </div>
    </>
  );
}

/** Fields of the cards; those that say the same are folded away. */
function Cards({ sides }: { sides: [Side, Side] }) {
  const names = [...new Set(sides.flatMap((side) => Object.keys(side.card)))];
  const same = (name: string) => JSON.stringify(sides[0].card[name]) === JSON.stringify(sides[1].card[name]);
  const alike = names.filter(same);
  const rows = (these: string[]) => (
    <table class="plain beside">
      <thead><tr><th scope="col">Field</th><Heads sides={sides} /></tr></thead>
      <tbody>{these.map((name) => <tr key={name}><th scope="row">{spoken(name)}</th>{sides.map((side) => <td key={side.digest}>{Object.keys(side.card).length ? <Value of={side.card[name]} /> : <Unknown because="its card is not here any more" />}</td>)}</tr>)}</tbody>
    </table>
  );
  return (
    <>
      {alike.length < names.length ? rows(names.filter((name) => !same(name))) : <p>Both cards say the same.</p>}
      {alike.length > 0 && <details class="whole"><summary>{alike.length} fields that say the same</summary>{rows(alike)}</details>}
    </>
  );
}
