import { useEffect, useRef } from "preact/hooks";
import { computed } from "../api/computing";
import { Source } from "../api/load";
import { Empty, Shown } from "../kit/states";
import { address, to } from "../router";
import { count, moment, spoken } from "../words";

interface Told {
  n: number;
  /** Of how many a model may learn; few are not counted. */
  open: number | null;
  closed: { reason: string; studies: number | null }[];
  few: number;
  taken: { analysis: string; when: string; by: string; n: number | null; of_these: number | null; by_class: Record<string, number>; digest: string }[];
  models: { model: string; version: string; known_by: string }[];
}

/** What models learned from studies of a cohort, and of how many more they may. Training itself is a command: it takes hours, and a machine for it. */
export function Learned({ id, q }: { id: string; q: string }) {
  const source = useRef<Source<Told>>(null);
  source.current ??= new Source((abort, tell) => {
    const asked = address.value.searchParams.get("q") ?? "";
    return computed<Told>("cohort", `/api/cohorts/learned?${new URLSearchParams(id ? { id } : { q: asked })}`, abort, tell);
  });
  const held = source.current;
  useEffect(() => void held.load(), [id, q]);
  useEffect(() => () => held.stop(), []);
  return (
    <Shown of={held} what="what was learned">
      {(told) => (
        <>
          <p>{told.open === null ? <>Some of {count(told.n, "study", "studies")} may be learnt from, <strong>fewer than {told.few}</strong>, which are not counted.</> : <><strong>{told.open}</strong> of {count(told.n, "study", "studies")} may be learnt from.</>}{told.closed.map((one) => <span key={one.reason} class="muted"> {one.studies ?? `Under ${told.few}`} may not: {one.reason}.</span>)} <a href={to.sharing("consent")}>Consent</a></p>
          {told.models.length > 0 && (
            <section aria-label="Models that learned from these studies">
              <h2>Models that learned from these studies</h2>
              <table class="plain wide">
                <thead><tr><th scope="col">Model</th><th scope="col">Version</th><th scope="col">Known by</th></tr></thead>
                <tbody>{told.models.map((one) => <tr key={one.model + one.version}><td><a href={to.models(one.model)}>{spoken(one.model)}</a></td><td>{one.version}</td><td class="muted">{one.known_by}</td></tr>)}</tbody>
              </table>
            </section>
          )}
          {told.taken.length > 0 && (
            <section aria-label="Training sets with studies of it">
              <h2>Training sets with studies of it</h2>
              <table class="plain wide">
                <thead><tr><th scope="col">Analysis</th><th scope="col" class="num">Examples</th><th scope="col" class="num">Of this cohort</th><th scope="col">Classes</th><th scope="col">Taken</th><th scope="col">Digest</th></tr></thead>
                <tbody>{told.taken.map((one) => (
                  <tr key={one.digest + one.when}>
                    <td>{spoken(one.analysis)}</td><td class="num">{one.n ?? "–"}</td><td class="num">{one.of_these ?? `under ${told.few}`}</td>
                    <td class="muted">{Object.entries(one.by_class).map(([name, n]) => `${name} ${n}`).join(", ")}</td>
                    <td class="muted">{moment(one.when)} UTC by {one.by}</td><td class="id">{one.digest.slice(0, 12)}</td>
                  </tr>
                ))}</tbody>
              </table>
            </section>
          )}
          {!told.models.length && !told.taken.length && (
            <Empty title="Nothing has learned from these studies yet">
              <p>Examples are what signed reports say of an analysis: a finding kept, struck or added is a label. Which model learned from whom stands here then, and under each model.</p>
              <ol class="steps-of-federation">
                <li>Write the examples whose terms of use allow it: <code>isocenter examples take ANALYSIS --out FOLDER</code></li>
                <li>Train the recipe on them: <code>isocenter train ANALYSIS --data FOLDER</code></li>
              </ol>
            </Empty>
          )}
        </>
      )}
    </Shown>
  );
}
