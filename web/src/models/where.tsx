import { spoken } from "../words";
import { Unknown } from "./parts";
import type { Check, Verdict } from "./shapes";

const CHECKS: [string, string][] = [
  ["cascade", "Weights made random"], ["labels", "Learnt random labels"], ["repeatability", "A twin, other seed"], ["reproducibility", "Another architecture"], ["faithfulness", "Pixels taken away and put back"], ["localisation", "On a planted lesion"],
]; // prettier-ignore

const list = (of: number | number[]) => (Array.isArray(of) ? of : [of]).map((one) => one.toFixed(2)).join(", ");

function numbers(one: Check | undefined, n: number): string {
  if (!one) return "not made";
  if (one.not_made) return `not made: ${one.not_made}`;
  if (one.alike !== undefined && one.two_cases !== undefined) return `alike ${list(one.alike)}; two cases ${one.two_cases.toFixed(2)}`;
  if (one.auprc !== undefined && one.on_another_lesion !== undefined) return `on its own ${one.auprc.toFixed(2)}; on another's ${one.on_another_lesion.toFixed(2)}`;
  return Object.entries(one.better_than_moved_by ?? {}).map(([name, gain]) => `${name} better than the map moved by ${gain.toFixed(2)}, in ${one.better_in?.[name] ?? "?"} of ${n}`).join("; ");
}

const chance = (p: number | Record<string, number> | undefined) => (p === undefined ? "" : Math.max(...(typeof p === "number" ? [p] : Object.values(p))).toExponential(0));

/** Whether a map of where the model was sensitive may be shown: every check, its numbers, and the verdict. */
export function Where({ verdicts, withheld }: { verdicts: Verdict | Verdict[] | undefined; withheld: Record<string, string> }) {
  const told = verdicts === undefined ? [] : Array.isArray(verdicts) ? verdicts : [verdicts];
  return (
    <>
      <h2>Where it was sensitive: may a map be shown?</h2>
      {!told.length && <p><Unknown because="no map was tested for these weights, and so none is shown" /></p>}
      {told.map((one) => (
        <section key={one.map}>
          <p>{`${spoken(one.map)}, by ${one.method}: ${withheld[one.map] === "" ? "passed all six checks; it is shown, marked as sensitivity" : `not shown: ${withheld[one.map]}`}.`}</p>
          <table class="plain"><thead><tr><th scope="col">Check</th><th scope="col">Passed</th><th scope="col">Told, n = {one.n}</th><th scope="col" class="num">p</th></tr></thead>
            <tbody>{CHECKS.map(([name, title]) => <tr key={name}><td>{title}</td><td>{one.checks[name]?.passed ? "yes" : "no"}</td><td>{numbers(one.checks[name], one.n)}</td><td class="num">{chance(one.checks[name]?.p)}</td></tr>)}</tbody></table>
          {one.cases?.["clear films with a planted lesion"] !== undefined && <p>Of {String(one.cases["clear films with a planted lesion"])} clear films with a planted lesion it calls {String(one.cases["of these called"])}.</p>}
        </section>
      ))}
    </>
  );
}
