import { useEffect, useRef } from "preact/hooks";
import { computed } from "../api/computing";
import { Source } from "../api/load";
import { Empty, Shown } from "../kit/states";
import { address, setQuery } from "../router";
import { count, number, unit } from "../words";
import { chance, type Choice, Chosen, Declined } from "./choosing";

interface Side {
  n: number | null;
  mean: number | null;
  sd: number | null;
  missing: number | null;
}

interface Line {
  name: string;
  title: string;
  unit: string;
  sides: [Side, Side];
  difference: number | null;
  low: number | null;
  high: number | null;
  g: number | null;
  superiority: number | null;
  p: number | null;
  holm: number | null;
  because: string;
}

interface Told {
  choices: Choice[];
  n: number;
  by?: string;
  groups: [{ value: string; people: number }, { value: string; people: number }];
  both: number | null;
  few: number;
  fields: Line[];
  tested: number;
}

const here = (name: string) => address.value.searchParams.get(name) ?? "";

/** Two groups of people beside each other, field by field. Which two stands in the address. */
export function Compare({ id, q }: { id: string; q: string }) {
  const [by, one, other] = [here("by"), here("one"), here("other")];
  const both = !!by && !!one && !!other;
  const source = useRef<Source<Told>>(null);
  source.current ??= new Source((abort, tell) => {
    const whole = here("by") && here("one") && here("other");
    const words = { ...(id ? { id } : { q: here("q") }), ...(whole ? { by: here("by"), one: here("one"), other: here("other") } : {}) };
    return computed<Told>("cohort", `/api/cohorts/compare?${new URLSearchParams(words)}`, abort, tell);
  });
  const choices = useRef<Choice[]>([]);
  const held = source.current;
  useEffect(() => void held.load(), [id, q, both && by, both && one, both && other]);
  useEffect(() => () => held.stop(), []);
  if (held.value?.choices.length) choices.current = held.value.choices;
  const values = choices.current.find((choice) => choice.name === by)?.values ?? [];
  const state = held.state.value;
  return (
    <>
      <form class="whom" aria-label="Which groups" onSubmit={(event) => event.preventDefault()}>
        <Chosen label="Groups by" name="by" of={choices.current.map((choice) => [choice.name, choice.title])} none="choose a field" clear={["one", "other"]} />
        <Chosen label="This group" name="one" of={values.filter((word) => word !== other).map((word) => [word, word])} none="choose" />
        <Chosen label="against" name="other" of={values.filter((word) => word !== one).map((word) => [word, word])} none="choose" />
        {both && <button type="button" onClick={() => (setQuery("one", other, { keep: true }), setQuery("other", one))}>Turn round</button>}
      </form>
      {state.at === "failed" && state.trouble.status === 400 ? <Declined trouble={state.trouble} /> : (
        <Shown of={held} what="both groups">
          {(told) => (told.by ? <Fields told={told} /> : (
            <Empty title="Choose two groups">{told.choices.length ? "Every number of both stands here then: means, how far apart they are and how sure that is." : "No field of words tells ten people of this cohort from the others; groups of fewer are withheld."}</Empty>
          ))}
        </Shown>
      )}
    </>
  );
}

function Fields({ told }: { told: Told }) {
  const [one, other] = told.groups;
  return (
    <>
      <p><strong>{one.value}</strong>, {count(one.people, "person", "people")}, against <strong>{other.value}</strong>, {count(other.people, "person", "people")}.{told.both !== 0 && <span class="muted"> {told.both === null ? `Fewer than ${told.few}` : told.both} in both groups are in neither.</span>}</p>
      <div class="lesion-scroll" tabIndex={0} role="group" aria-label="Fields of both groups">
        <table class="plain wide">
          <thead><tr><th scope="col">Field</th><th scope="col" class="num">{one.value}: mean ± SD</th><th scope="col" class="num">{other.value}: mean ± SD</th><th scope="col" class="num">Missing</th><th scope="col" class="num">Difference (95 %)</th><th scope="col" class="num">Hedges g</th><th scope="col" class="num">Larger in the first</th><th scope="col" class="num">p</th><th scope="col" class="num">Holm</th></tr></thead>
          <tbody>
            {told.fields.map((line) => (
              <tr key={line.name}>
                <td>{line.title} <span class="muted">{unit(line.unit)}</span></td>
                {line.because ? <td colSpan={8} class="muted">{line.because}</td> : (
                  <>
                    {line.sides.map((side, i) => <td key={i} class="num">{number(side.mean!)} ± {number(side.sd!)} <span class="muted">n {side.n}</span></td>)}
                    <td class="num">{line.sides.map((side) => (side.missing === null ? "few" : `${Math.round(100 * side.missing)}\u2009%`)).join(" · ")}</td>
                    <td class="num">{number(line.difference!)} ({number(line.low!)} to {number(line.high!)})</td>
                    <td class="num">{line.g!.toFixed(2)}</td>
                    <td class="num">{Math.round(100 * line.superiority!)}{"\u2009"}%</td>
                    <td class="num">{chance(line.p!)}</td>
                    <td class="num">{chance(line.holm!)}</td>
                  </>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      <p class="muted">Each person once, by the first study of the group that has the value. Difference of means with Welch's interval; p after Brunner and Munzel, corrected by Holm for {count(told.tested, "field")}. Groups were not dealt by chance: a difference is no cause.</p>
    </>
  );
}
