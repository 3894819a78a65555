import { useEffect, useRef, useState } from "preact/hooks";
import { computed } from "../api/computing";
import { ask } from "../api/door";
import { Source } from "../api/load";
import { Empty, Shown } from "../kit/states";
import { address, setQuery } from "../router";
import { count, day, spoken } from "../words";
import { type Estimate, change, minutes, tooFew } from "./figures";
import { Period, wantedPeriod } from "./period";
import { Cumulative, Ranges } from "./plots";
import { WhatIf } from "./what-if";
import { TakeOut } from "./take-out";

interface Split {
  name: string;
  n: number;
  needed: number;
  observed: Record<string, Estimate>;
  predicted: Record<string, Estimate>;
  before_after: Record<string, Estimate>;
}

interface Effect {
  analysis: string;
  since: string;
  studies: number;
  splits: Split[];
  kinds: [string, Estimate][];
  waits: [string, number, number, number][];
  late: number;
  few: number;
  groups: string[];
}

interface Listed {
  analysis: string;
  studies: number;
  since: string | null;
}

/** Everybody with the finding is in one of two groups, by whether AI had found it. */
const NAMES: Record<string, string> = { "with the finding": "finding, found by AI", "missed by AI": "finding, missed by AI" };

/** What a triage AI gave here, and whom it cost. */
export function TriagePart() {
  const list = useRef<Source<Listed[]>>(null);
  list.current ??= new Source(async (abort) => (await ask<{ analyses: Listed[] }>("/api/triage", { abort })).analyses);
  useEffect(() => void list.current!.load(), []);
  const chosen = address.value.searchParams.get("analysis");
  return (
    <>
      <Shown of={list.current} what="the analyses that triage">
        {(all) => {
          if (!all.length) return <Empty title="No analysis may raise a study">Nothing here orders the list but people and the clock. The simulator below shows what a triage AI would do.</Empty>;
          const one = all.find((row) => row.analysis === chosen) ?? [...all].sort((a, b) => b.studies - a.studies)[0]!;
          return (
            <>
              <form class="controls" onSubmit={(event) => event.preventDefault()}>
                <label>Analysis
                  <select value={one.analysis} onChange={(event) => setQuery("analysis", event.currentTarget.value, { keep: true })}>
                    {all.map((row) => <option key={row.analysis} value={row.analysis}>{spoken(row.analysis)}, {count(row.studies, "study", "studies")}</option>)}
                  </select>
                </label>
                <Period />
                <TakeOut path={`/api/triage/${encodeURIComponent(one.analysis)}?${wantedPeriod()}`} name="triage.json" />
              </form>
              <EffectOf key={one.analysis} analysis={one.analysis} />
            </>
          );
        }}
      </Shown>
      <WhatIf />
    </>
  );
}

function EffectOf({ analysis }: { analysis: string }) {
  const path = `/api/triage/${encodeURIComponent(analysis)}?${wantedPeriod()}`;
  const source = useRef<Source<Effect>>(null);
  const [asked] = useState({ path });
  asked.path = path;
  source.current ??= new Source((abort, tell) => computed<Effect>("triage", asked.path, abort, tell));
  useEffect(() => void source.current!.load(), [path]);
  return <Shown of={source.current} what="what triage gave">{(told) => <Told told={told} />}</Shown>;
}

function Told({ told }: { told: Effect }) {
  const whole = told.splits[0]!;
  const groups = told.groups.filter((group) => whole.observed[group]);
  const worst = told.kinds[0];
  return (
    <>
      <h2>{spoken(told.analysis)} since {day(told.since)}: {count(told.studies, "study", "studies")} opened{told.late > 0 && <span class="muted"> · {told.late} of them before AI had spoken</span>}</h2>
      <table class="plain wide">
        <caption class="hidden">Change of the mean wait, in minutes; negative is sooner</caption>
        <thead><tr><th scope="col">When</th><th scope="col">Who waits</th><th scope="col" class="num">Studies</th><th scope="col">Observed (95 %)</th><th scope="col">Predicted (95 %)</th><th scope="col">After minus before (95 %)</th></tr></thead>
        <tbody>
          {told.splits.flatMap((split) =>
            split.needed > 0
              ? [<tr key={split.name}><th scope="row">{split.name}</th><td colSpan={5} class="muted">{tooFew(split.n, split.needed)} with a known answer</td></tr>]
              : told.groups.filter((group) => split.observed[group]).map((group, i) => (
                <tr key={`${split.name} ${group}`}>
                  {i === 0 && <th scope="row" rowSpan={told.groups.filter((g) => split.observed[g]).length}>{split.name}</th>}
                  <td>{group === "missed by AI" && <span class="soon" aria-hidden="true">▲ </span>}{NAMES[group] ?? group}</td>
                  <td class="num">{split.observed[group]!.n}{split.observed[group]!.low === null && <span class="muted"> few</span>}</td>
                  <td>{change(split.observed[group]!)}</td>
                  <td>{change(split.predicted[group]!)}</td>
                  <td>{split.before_after[group] ? change(split.before_after[group]!) : <span class="muted">nothing before</span>}</td>
                </tr>
              )),
          )}
        </tbody>
      </table>
      {worst && whole.needed === 0 && worst[1].value > 0 && <p class="callout"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {worst[0]} pays most: {change(worst[1])}, {worst[1].n} studies.</p>}
      {groups.length > 0 && <Ranges title="Observed change of the mean wait, all hours" line={0} rows={groups.map((group) => ({ name: NAMES[group] ?? group, ...whole.observed[group]! }))} />}
      {told.waits.length > 0 && whole.needed === 0 && <Waits told={told} />}
      <details class="rules">
        <summary>How it is counted</summary>
        <ul>
          <li>Observed: the wait as it was, minus the wait in the order without AI, taken at the same moments at which somebody took the next study. Shifts, breaks and reading times need no model.</li>
          <li>Predicted: the same with every reader following the raised order. Where observed falls short of it, the list is not followed.</li>
          <li>After minus before holds all else that has changed as well. Intervals are bootstrapped over whole days.</li>
          <li>Whether the finding is there is told by what turned out to be true, else by the signed report. Those that AI missed always stand apart; others also holds studies whose answer is not known or that AI never looked at.</li>
        </ul>
      </details>
    </>
  );
}

function Waits({ told }: { told: Effect }) {
  const group = told.groups.find((one) => told.waits.some(([of]) => of === one))!;
  const all = told.waits.filter(([of]) => of === group);
  const done = all.findIndex(([, , was, plain]) => was >= 1 && plain >= 1);
  const rows = done < 0 ? all : all.slice(0, done + 1); // beyond it nothing happens any more
  const per = (part: number) => `${Math.round(part * 100)} %`;
  return (
    <>
      <h3>Read within …, {NAMES[group] ?? group}</h3>
      <table class="plain">
        <thead><tr><th scope="col">Minutes</th><th scope="col" class="num">As it was</th><th scope="col" class="num">Without AI</th></tr></thead>
        <tbody>{rows.map(([, at, was, plain]) => <tr key={at}><th scope="row">{minutes(at)}</th><td class="num">{per(was)}</td><td class="num">{per(plain)}</td></tr>)}</tbody>
      </table>
      <Cumulative title={`Share of the studies (${NAMES[group] ?? group}) that were read within so many minutes`} curves={[
        { name: "as it was", dash: false, points: rows.map(([, at, was]) => [at, was]) },
        { name: "in the order without AI", dash: true, points: rows.map(([, at, , plain]) => [at, plain]) },
      ]} />
    </>
  );
}
