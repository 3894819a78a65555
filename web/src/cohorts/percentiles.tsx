import { useEffect, useRef, useState } from "preact/hooks";
import { computed } from "../api/computing";
import { Source } from "../api/load";
import { Empty, Shown } from "../kit/states";
import { address, setQuery } from "../router";
import { count, number, unit } from "../words";
import { Chosen, Declined } from "./choosing";
import type { Column } from "./shapes";

interface Told {
  fields: Column[];
  sexes: string[];
  field?: string;
  title: string;
  unit: string;
  value: number;
  n: number;
  marks: { at: number; value: number }[];
  percentile: number | null;
  low: number | null;
  high: number | null;
  because: string;
}

const ASKED = ["field", "value", "age", "sex"];
const here = (name: string) => address.value.searchParams.get(name) ?? "";

/** Where one value stands among the people of a cohort. What is asked stands in the address. */
export function Percentiles({ id, q }: { id: string; q: string }) {
  const source = useRef<Source<Told>>(null);
  source.current ??= new Source((abort, tell) => {
    const whole = here("field") && here("value");
    const words = ASKED.flatMap((name) => (whole && here(name) ? [[name, here(name)] as [string, string]] : []));
    return computed<Told>("cohort", `/api/cohorts/percentile?${new URLSearchParams([...(id ? [["id", id]] : [["q", here("q")]]), ...words])}`, abort, tell);
  });
  const held = source.current;
  const known = useRef<Pick<Told, "fields" | "sexes">>({ fields: [], sexes: [] });
  useEffect(() => void held.load(), [id, q, ...ASKED.map(here)]);
  useEffect(() => () => held.stop(), []);
  if (held.value) known.current = held.value;
  const [value, setValue] = useState(here("value"));
  const [age, setAge] = useState(here("age"));
  const { fields, sexes } = known.current;
  const chosen = fields.find((one) => one.name === here("field"));
  const place = (event: SubmitEvent) => {
    event.preventDefault();
    setQuery("age", age, { keep: true });
    setQuery("value", value);
  };
  const state = held.state.value;
  return (
    <>
      <form class="whom" aria-label="Which value" onSubmit={place}>
        <Chosen label="Field" name="field" of={fields.map((one) => [one.name, `${one.title} ${unit(one.unit)}`])} none="choose a field" />
        <label>Value{chosen?.unit && ` in ${unit(chosen.unit)}`}<input type="number" step="any" required value={value} onInput={(event) => setValue(event.currentTarget.value)} /></label>
        <label>Age, within five years<input type="number" min={0} max={150} step="any" placeholder="any" value={age} onInput={(event) => setAge(event.currentTarget.value)} /></label>
        <Chosen label="Sex" name="sex" of={sexes.map((one) => [one, one])} none="any" />
        <button disabled={!chosen || !value}>Place it</button>
      </form>
      {state.at === "failed" && state.trouble.status === 400 ? <Declined trouble={state.trouble} /> : (
        <Shown of={held} what="the percentile">
          {(told) => (told.field ? <Placed told={told} /> : told.fields.length ? (
            <Empty title="Choose a field and a value">Which part of the people of this cohort lies below the value, and how sure that is. Each person counts once. The cohort is the reference: who is ill in it is part of it.</Empty>
          ) : <Empty title="No field of numbers">Nothing was measured in these studies that is a number.</Empty>)}
        </Shown>
      )}
    </>
  );
}

const [WIDE, HIGH, EDGE] = [620, 76, 24];

function Placed({ told }: { told: Told }) {
  const words = unit(told.unit);
  const ends = [told.marks[0]!.value, told.marks.at(-1)!.value, told.value];
  const [low, high] = [Math.min(...ends), Math.max(...ends)];
  const x = (value: number) => EDGE + ((value - low) / (high - low || 1)) * (WIDE - 2 * EDGE);
  const at = (percent: number) => x(told.marks.find((one) => one.at === percent)!.value);
  return (
    <section aria-label="Where it stands">
      <p class="large">{told.percentile === null ? <>No percentile: {told.because}.</> : <><strong>{ordinal(told.percentile)} percentile</strong> of {count(told.n, "person", "people")} <span class="muted">(95{"\u2009"}%: {told.low!.toFixed(0)} to {told.high!.toFixed(0)})</span></>}</p>
      <div class="plot-and-table">
        <svg class="boxes" viewBox={`0 0 ${WIDE} ${HIGH}`} width={WIDE} height={HIGH} role="img" aria-label={`${told.title}: ${number(told.value)} ${words} among the percentiles of the reference; the table below says the same`}>
          <path class="whisker" d={`M${at(2.5)} 30H${at(97.5)}M${at(2.5)} 23v14M${at(97.5)} 23v14`} />
          <rect x={at(25)} y={20} width={Math.max(1, at(75) - at(25))} height={20} />
          <path class="median" d={`M${at(50)} 20v20`} />
          <path class="stands" d={`M${x(told.value)} 12v36M${x(told.value) - 5} 6h10l-5 8z`} />
          <text x={at(2.5)} y={62} text-anchor="start">{number(told.marks[0]!.value)}</text><text x={at(97.5)} y={62} text-anchor="end">{number(told.marks.at(-1)!.value)} {words}</text>
        </svg>
        <table class="plain">
          <thead><tr><th scope="col">Percentile</th>{told.marks.map((one) => <th key={one.at} scope="col" class="num">{one.at}</th>)}</tr></thead>
          <tbody><tr><th scope="row">{told.title} <span class="muted">{words}</span></th>{told.marks.map((one) => <td key={one.at} class="num">{number(one.value)}</td>)}</tr></tbody>
        </table>
      </div>
      <p class="muted">Each person once, by the first study that has the value. Equal values count half; Wilson's interval. These are the people of this cohort, not a healthy population, and values of different scanners are not harmonised.</p>
    </section>
  );
}

function ordinal(percent: number): string {
  const whole = Math.round(percent);
  const teen = whole % 100 > 10 && whole % 100 < 14;
  return `${whole}${teen ? "th" : (["th", "st", "nd", "rd"][whole % 10] ?? "th")}`;
}
