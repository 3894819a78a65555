import { useEffect, useRef, useState } from "preact/hooks";
import { computed } from "../api/computing";
import { Source } from "../api/load";
import { Empty, Shown } from "../kit/states";
import { address, setQuery } from "../router";
import { count } from "../words";
import { chance, type Choice, Chosen, Declined } from "./choosing";
import type { Column } from "./shapes";

interface Step {
  month: number;
  survival: number;
  low: number | null;
  high: number | null;
}

interface Curve {
  group: string;
  n: number | null;
  events: number | null;
  steps: Step[];
  median: number | null;
  until: number;
  at_risk: { month: number; n: number | null }[];
}

interface Told {
  choices: Choice[];
  fields: Column[];
  event?: string[];
  few: number;
  people: number;
  left_out: { why: string; people: number | null }[];
  groups: Curve[];
  test: { p: number; statistic: number; freedom: number } | null;
}

const here = (name: string) => address.value.searchParams.get(name) ?? "";

/** How long people of a cohort stay without something that later studies may show. The event and the groups stand in the address. */
export function Survival({ id, q }: { id: string; q: string }) {
  const [event, by] = [here("event"), here("by")];
  const source = useRef<Source<Told>>(null);
  source.current ??= new Source((abort, tell) => computed<Told>("cohort", `/api/cohorts/survival?${new URLSearchParams({ ...(id ? { id } : { q: here("q") }), event: here("event"), by: here("by") })}`, abort, tell));
  const held = source.current;
  const known = useRef<Pick<Told, "choices" | "fields">>({ choices: [], fields: [] });
  useEffect(() => void held.load(), [id, q, event, by]);
  useEffect(() => () => held.stop(), []);
  if (held.value) known.current = held.value;
  const [typed, setTyped] = useState(event);
  const state = held.state.value;
  return (
    <>
      <form class="whom" aria-label="Time to what" onSubmit={(submitted) => (submitted.preventDefault(), setQuery("event", typed.trim(), { keep: true }))}>
        <label>Until a study shows<input value={typed} placeholder="FIELD:10.. or FIELD:WORD" list="fields-of-cohort" autocomplete="off" onInput={(input) => setTyped(input.currentTarget.value)} /></label>
        <datalist id="fields-of-cohort">{known.current.fields.map((one) => <option key={one.name} value={`${one.name}:`}>{one.title}</option>)}</datalist>
        <Chosen label="In groups by" name="by" of={known.current.choices.map((choice) => [choice.name, choice.title])} none="nothing" />
        <button disabled={!typed.trim()}>Follow</button>
      </form>
      {state.at === "failed" && state.trouble.status === 400 ? <Declined trouble={state.trouble} /> : (
        <Shown of={held} what="the curves">
          {(told) => (told.event ? <Curves told={told} /> : (
            <Empty title="Say what ends it">From each person's first study in the cohort until the first later one that meets a condition, such as a volume from 10 mL on. An archive of images knows what later images show, and no deaths; who was never seen with it is counted until the last study that tells.</Empty>
          ))}
        </Shown>
      )}
    </>
  );
}

const [WIDE, HIGH, LEFT, FOOT, TOP] = [620, 320, 52, 48, 8];
const DASHES = ["", "7 4", "2 3", "10 3 2 3", "4 2", "1 3"];

function Curves({ told }: { told: Told }) {
  const curves = told.groups.filter((one) => one.n !== null);
  const most = Math.max(1, ...curves.map((one) => one.until));
  const x = (month: number) => LEFT + (month / most) * (WIDE - LEFT - 10);
  const y = (part: number) => TOP + (1 - part) * (HIGH - FOOT - TOP);
  return (
    <>
      <p>Time until <strong>{told.event!.join(" and ")}</strong> of {count(told.people, "person", "people")}.{told.left_out.map((one) => <span key={one.why} class="muted"> {one.people ?? `Fewer than ${told.few}`} left out: {one.why}.</span>)} {told.test && <>Log-rank p {chance(told.test.p)} <span class="muted">(χ² {told.test.statistic.toFixed(2)}, {told.test.freedom} df)</span></>}</p>
      <svg class="curves" viewBox={`0 0 ${WIDE} ${HIGH}`} width={WIDE} height={HIGH} role="img" aria-label="Part of the people without it, by months from the first study; the table below says the same">
        {[0, 0.25, 0.5, 0.75, 1].map((part) => <g key={part}><path class="grid" d={`M${LEFT} ${y(part)}H${WIDE - 10}`} /><text x={LEFT - 6} y={y(part) + 4} text-anchor="end">{Math.round(100 * part)}&nbsp;%</text></g>)}
        {[0, 0.25, 0.5, 0.75, 1].map((part) => <text key={part} x={x(part * most)} y={HIGH - FOOT + 20} text-anchor={part === 1 ? "end" : "middle"}>{Math.round(part * most)}</text>)}
        <text x={(LEFT + WIDE) / 2} y={HIGH - 3} text-anchor="middle">months from the first study</text>
        {curves.map((one, i) => <g key={one.group} class={`of-${i}`}><path class="band" d={band(one, x, y)} /><path class="curve" stroke-dasharray={DASHES[i]} d={line(one, x, y)} /></g>)}
      </svg>
      <table class="plain">
        <caption class="muted">A curve ends where fewer than {told.few} people are left; time is in whole months.</caption>
        <thead><tr><th scope="col">Group</th><th scope="col" class="num">People</th><th scope="col" class="num">With it</th><th scope="col" class="num">Median, months</th><th scope="col" class="num">Without it at the end (95 %)</th><th scope="col">At risk, by month</th></tr></thead>
        <tbody>
          {told.groups.map((one) => {
            if (one.n === null) return <tr key={one.group}><td>{one.group}</td><td colSpan={5} class="muted">withheld: fewer than {told.few} people</td></tr>;
            const last = one.steps.at(-1);
            const i = curves.indexOf(one);
            return (
              <tr key={one.group}>
                <td><svg class={`curves key of-${i}`} width="28" height="8" aria-hidden="true"><path class="curve" stroke-dasharray={DASHES[i]} d="M0 4H28" /></svg> {one.group}</td>
                <td class="num">{one.n}</td>
                <td class="num">{one.events ?? `under ${told.few}`}</td>
                <td class="num">{one.median ?? "not reached"}</td>
                <td class="num">{last ? `${percent(last.survival)} (${percent(last.low)}–${percent(last.high)})` : "all"} at {one.until}</td>
                <td class="muted">{one.at_risk.map((risk) => `${risk.month}: ${risk.n ?? `under ${told.few}`}`).join(" · ")}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
      <p class="muted">Kaplan and Meier, Greenwood's interval on the log scale. The event lies between two studies and is told at the later one: who is imaged more often is found sooner.</p>
    </>
  );
}

const percent = (part: number | null) => (part === null ? "–" : `${Math.round(100 * part)}\u2009%`);

type Scale = (value: number) => number;

function line(one: Curve, x: Scale, y: Scale): string {
  return `M${x(0)} ${y(1)}${one.steps.map((step) => `H${x(step.month)}V${y(step.survival)}`).join("")}H${x(one.until)}`;
}

/** The interval as a band, as far as it can be told. */
function band(one: Curve, x: Scale, y: Scale): string {
  const steps = one.steps.filter((step) => step.low !== null && step.high !== null);
  if (!steps.length) return "";
  const ends = [...steps.slice(1).map((step) => step.month), one.until];
  const over = steps.map((step, i) => `${i ? "L" : "M"}${x(step.month)} ${y(step.high!)}H${x(ends[i]!)}`).join("");
  const under = steps.map((step, i) => `L${x(ends[i]!)} ${y(step.low!)}H${x(step.month)}`).reverse().join("");
  return `${over}${under}Z`;
}
