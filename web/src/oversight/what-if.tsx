import { useRef } from "preact/hooks";
import { ask } from "../api/door";
import { Source } from "../api/load";
import { Shown } from "../kit/states";
import { minutes } from "./figures";

interface Answer {
  traffic: number;
  rows: { group: string; n: number; without: number; with_ai: number }[];
  formula: { saving: number; delay: number; missed_delay: number } | null;
}

const fields = [
  { name: "per_hour", label: "Studies an hour", value: "4.8", step: "0.1" },
  { name: "reading_min", label: "Reading time, minutes", value: "10", step: "0.5" },
  { name: "readers", label: "Readers", value: "1", step: "1" },
  { name: "prevalence", label: "Share with the finding", value: "0.1", step: "0.01" },
  { name: "sensitivity", label: "Sensitivity", value: "0.9", step: "0.01" },
  { name: "specificity", label: "Specificity", value: "0.9", step: "0.01" },
];

/** Before a site switches triage on: what it would give, and to whom the minutes would be taken. */
export function WhatIf() {
  const query = useRef("");
  const source = useRef<Source<Answer>>(null);
  const asked = useRef(false);
  source.current ??= new Source((abort) => ask<Answer>(`/api/queue?${query.current}`, { abort }));
  const compute = (event: SubmitEvent) => {
    event.preventDefault();
    query.current = new URLSearchParams([...new FormData(event.currentTarget as HTMLFormElement)].map(([name, value]) => [name, String(value)])).toString();
    asked.current = true;
    void source.current!.load();
  };
  return (
    <section class="what-if" aria-labelledby="what-if">
      <h2 id="what-if">What if: a list with one triage AI, simulated</h2>
      <form class="controls" onSubmit={compute}>
        {fields.map(({ name, label, value, step }) => <label key={name}>{label}<input class="short" type="number" name={name} min="0" step={step} defaultValue={value} required /></label>)}
        <label>What AI flags
          <select name="discipline"><option value="priority">is read next</option><option value="preemptive">interrupts</option></select>
        </label>
        <button type="submit">Simulate</button>
      </form>
      {asked.current || source.current.state.value.at !== "loading" ? <Shown of={source.current} what="the simulation">{(told) => <Told told={told} />}</Shown> : null}
    </section>
  );
}

function Told({ told }: { told: Answer }) {
  return (
    <>
      <table class="plain">
        <caption class="hidden">Mean waits with and without AI</caption>
        <thead><tr><th scope="col">Who waits</th><th scope="col" class="num">Without AI</th><th scope="col" class="num">With AI</th><th scope="col" class="num">Change</th></tr></thead>
        <tbody>{told.rows.map((row) => <tr key={row.group}><th scope="row">{row.group}</th><td class="num">{minutes(row.without)}</td><td class="num">{minutes(row.with_ai)}</td><td class="num">{minutes(row.with_ai - row.without, { signed: true })}</td></tr>)}</tbody>
      </table>
      <p class="muted">Readers are busy {Math.round(told.traffic * 100)} % of the time. {told.formula
        ? `By formula, in the long run: with the finding ${minutes(-told.formula.saving, { signed: true })}, others ${minutes(told.formula.delay, { signed: true })}, missed ${minutes(told.formula.missed_delay, { signed: true })}.`
        : "No formula is known for this; the simulation alone answers."}</p>
    </>
  );
}
