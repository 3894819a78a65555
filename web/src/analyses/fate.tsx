import { Unknown } from "../models/parts";
import { moment, spoken } from "../words";
import type { Change, Fate, Share } from "./shapes";

/** A share as people read it, or that it is withheld. */
export function Rate({ of }: { of: Share }) {
  if (of.share === null) return <span class="muted">withheld: too few cases</span>;
  const percent = (value: number | null) => Math.round(100 * (value ?? 0));
  return <>{percent(of.share)}{"\u2009"}% <span class="muted">({percent(of.low)}–{percent(of.high)}, n {of.n})</span></>;
}

/** How often readers here confirmed it, from signed reports. */
export function Confirmed({ of }: { of: Fate }) {
  const { confirmed } = of;
  if (confirmed.share === null) return <Unknown because={`${confirmed.needed} more signed findings are needed`} />;
  return <span>of its findings in signed reports, readers kept or changed <Rate of={confirmed} /></span>;
}

const ANSWERS: [string, string][] = [["found", "found something"], ["none", "looked and found none"], ["declined", "did not look"]];

/** Runs on studies that are signed, by answer. */
export function Runs({ of }: { of: Fate }) {
  const { runs } = of;
  if (!runs.studies) return <p><Unknown because="no study that it looked at has a signed report yet" /></p>;
  const versions = Object.entries(runs.versions).map(([version, n]) => `version ${version}: ${n}`).join(" · ");
  return (
    <>
      <p>{runs.studies} {runs.studies === 1 ? "study" : "studies"} with a signed report. <span class="muted">{versions}</span></p>
      <table class="plain">
        <thead><tr><th scope="col">Answer</th><th scope="col" class="num">Runs</th></tr></thead>
        <tbody>{ANSWERS.map(([answer, words]) => <tr key={answer}><td>{words}</td><td class="num">{runs.answers[answer] ?? 0}</td></tr>)}</tbody>
      </table>
    </>
  );
}

/** Outputs and agreement month by month; inputs are not counted here. */
export function Drift({ of }: { of: Fate }) {
  const months = [...new Set([...of.runs.months, ...of.confirmed.months].map((one) => one.month))].sort();
  return (
    <>
      <p class="muted">Counted from studies with a signed report. A month with fewer than 10 cases is withheld. The monthly figures raise no alarm; the charts of a model do.</p>
      {months.length ? (
        <table class="plain">
          <thead><tr><th scope="col">Month</th><th scope="col">Outputs: found something</th><th scope="col">Agreement: readers confirmed</th></tr></thead>
          <tbody>
            {months.map((month) => {
              const [runs, kept] = [of.runs.months.find((one) => one.month === month), of.confirmed.months.find((one) => one.month === month)];
              return <tr key={month}><td>{month}</td><td>{runs ? <Rate of={runs} /> : "–"}</td><td>{kept ? <Rate of={kept} /> : <span class="muted">no finding was decided</span>}</td></tr>;
            })}
          </tbody>
        </table>
      ) : <p><Unknown because="no study that it looked at has a signed report yet" /></p>}
    </>
  );
}

const WORDS: Record<string, (change: Change) => string> = {
  AnalysisStopped: () => "stopped it everywhere",
  StopExplained: () => "said why it was stopped",
  AnalysisResumed: () => "started it again",
  ModeSet: ({ use, mode }) => `set ${mode} for the ${use}`,
  ModeProposed: ({ use, mode }) => `proposed ${mode} for the ${use}`,
};

export function Changes({ of }: { of: Fate }) {
  if (!of.changes.length) return <p class="muted">Nothing was changed since this archive was made.</p>;
  return (
    <ul class="changes">
      {of.changes.map((one) => (
        <li key={one.number}><span class="muted">{moment(one.when)} UTC</span> <strong>{one.by}</strong> {WORDS[one.kind]?.(one) ?? one.kind}: {spoken(one.analysis)}. <span class="muted">{one.reason}</span></li>
      ))}
    </ul>
  );
}
