import { useEffect, useRef } from "preact/hooks";
import { computed } from "../api/computing";
import { Source } from "../api/load";
import { Empty, Shown } from "../kit/states";
import { address, setQuery } from "../router";
import { type Estimate, minutes, share, span, tooFew } from "./figures";
import { Choice, Period, wantedPeriod } from "./period";
import { Ranges } from "./plots";
import { count, spoken } from "../words";
import { TakeOut } from "./take-out";

interface Row {
  group: string;
  n: number;
  median: Estimate | null;
  p90: Estimate | null;
  p95: Estimate | null;
  within: Estimate | null;
  missing: number;
  skewed: number;
  wrong_clock: number;
  cancelled: number;
  addenda: number;
  unread: number;
  needed: number;
}

interface Turnaround {
  span: string;
  from: string;
  to: string;
  by: string;
  target_min: number;
  all: Row;
  rows: Row[];
  spans: string[];
}

function wanted(): string {
  const query = address.value.searchParams;
  const told = new URLSearchParams(wantedPeriod());
  told.set("span", query.get("span") ?? "archive to report");
  told.set("by", query.get("by") ?? "modality");
  told.set("target_min", query.get("target") ?? "60");
  return `/api/turnaround?${told}`;
}

/** How long reports took, from nine stamps of three clocks. */
export function TurnaroundPart() {
  const source = useRef<Source<Turnaround>>(null);
  source.current ??= new Source((abort, tell) => computed<Turnaround>("turnaround", wanted(), abort, tell));
  const path = wanted();
  useEffect(() => void source.current!.load(), [path]);
  const spans = source.current.value?.spans ?? ["archive to report"];
  return (
    <>
      <form class="controls" onSubmit={(event) => event.preventDefault()}>
        <Choice name="span" label="Span" choices={spans} fallback="archive to report" />
        <Choice name="by" label="Groups" choices={["modality", "site", "hours", "hour", "day"]} fallback="modality" />
        <label>Target, minutes<input class="short" type="number" min="1" value={address.value.searchParams.get("target") ?? "60"} onChange={(event) => setQuery("target", event.currentTarget.value, { keep: true })} /></label>
        <Period />
        <TakeOut path={path} name="turnaround.json" />
      </form>
      <Shown of={source.current} what="turnaround">
        {(told) => told.all.n + told.all.missing === 0 ? <Empty title="No study in this period">Choose another period: the first arrival begins it.</Empty> : <Figures told={told} />}
      </Shown>
    </>
  );
}

function Figures({ told }: { told: Turnaround }) {
  const shown = told.rows.filter((row) => row.median);
  return (
    <>
      <h2>{spoken(told.span)}: from {told.from} to {told.to}</h2>
      <table class="plain wide">
        <caption class="hidden">Turnaround by {told.by}</caption>
        <thead><tr><th scope="col">{spoken(told.by)}</th><th scope="col" class="num">Studies</th><th scope="col">Median (95 %)</th><th scope="col">90th</th><th scope="col">95th</th><th scope="col">Within {told.target_min} min (95 %)</th><th scope="col">To be told</th></tr></thead>
        <tbody>
          <Line row={told.all} name="All together" />
          {told.rows.map((row) => <Line key={row.group} row={row} name={row.group} />)}
        </tbody>
      </table>
      <Ranges title="Median with its interval, and the reach to the 90th and 95th percentile" line={told.target_min} lineName="target"
        rows={shown.map((row) => ({ name: row.group, value: row.median!.value, low: row.median!.low, high: row.median!.high, ends: [row.p90!.value, row.p95!.value] }))} />
      <details class="rules">
        <summary>How it is counted</summary>
        <ul>
          <li>Available is the last arrival before somebody opened the study; final is the first signature. An addendum never moves it.</li>
          <li>A study belongs to the local hour in which its span began, so a night's study that is read in the morning counts as night's.</li>
          <li>Where two clocks disagree by up to 5 minutes, a negative span counts as zero; beyond that it is left out. Both are told in the last column.</li>
          <li>Cancelled examinations are counted apart. Quantiles lie linearly between the two nearest values; intervals are those of order statistics.</li>
        </ul>
      </details>
    </>
  );
}

function Line({ row, name }: { row: Row; name: string }) {
  const notes = [
    row.missing && `${row.missing} without both stamps`, row.unread && `${row.unread} not signed yet`, row.skewed && `${row.skewed} with uneven clocks, as zero`,
    row.wrong_clock && `${row.wrong_clock} left out: wrong clock`, row.cancelled && `${row.cancelled} cancelled`, row.addenda > 0 && count(row.addenda, "addendum", "addenda"),
  ].filter(Boolean); // prettier-ignore
  return (
    <tr>
      <th scope="row">{name}</th><td class="num">{row.n}</td>
      {row.median ? <><td>{span(row.median)}</td><td>{minutes(row.p90!.value)}</td><td>{minutes(row.p95!.value)}</td><td>{share(row.within)}</td></> : <td colSpan={4} class="muted">{tooFew(row.n, row.needed)}</td>}
      <td class="muted">{notes.join(" · ")}</td>
    </tr>
  );
}
