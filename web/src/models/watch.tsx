import { useEffect, useRef } from "preact/hooks";
import { ask } from "../api/door";
import { Source } from "../api/load";
import { Shown } from "../kit/states";

interface Delay {
  points: number;
  cases_mean: number | null;
  days_mean: number | null;
}

interface Line {
  chart: string;
  of: string;
  cases: number;
  usual: number;
  sum: number;
  limit: number;
  delays: Delay[];
  alarm: { case: number; share_lately: number; usual: number } | null;
}

interface Watched {
  studies: number;
  cases: number;
  needed: number;
  baseline: number;
  since: string;
  charts: Line[];
  alarms: { chart: string }[];
  on_alarm: string;
  false_alarms: { declared: string; expected_in_six_months?: number };
}

const counted = ({ studies, cases }: Watched) => `Of ${studies} signed studies ${cases} count: a person and an image count once in six months.`;

const percent = (share: number) => `${(100 * share).toFixed(1)}\u2009%`;

/** The charts over a model in use: what is usual, how far the evidence of a change has come, and how soon one shows. */
export function WatchPart({ name, inUse }: { name: string; inUse: boolean }) {
  const source = useRef<Source<Watched>>(null);
  source.current ??= new Source((abort) => ask<Watched>(`/api/models/${encodeURIComponent(name)}/watch`, { abort }));
  const held = source.current;
  useEffect(() => {
    if (inUse) void held.load();
    return () => held.stop();
  }, [inUse]);
  if (!inUse) return <><h2>Watched</h2><p class="muted">No analysis here runs on this model, so that there is nothing to watch. Charts begin with the first study that it is used on.</p></>;
  return (
    <>
      <h2>Watched</h2>
      <Shown of={held} what="the charts">{(told) => (told.needed ? <p class="muted">{told.needed} more signed studies are needed; the first {told.baseline} say what is usual. {counted(told)}</p> : <Charts told={told} />)}</Shown>
    </>
  );
}

function Charts({ told }: { told: Watched }) {
  return (
    <>
      {told.alarms.length > 0 && <p class="callout" role="alert"><span class="now" aria-hidden="true">⬢</span> <span class="hidden">Important:</span> Alarm: {told.alarms.map((one) => one.chart).join("; ")}. Somebody should look, and stop it where that is safer.</p>}
      <table class="plain">
        <thead><tr><th scope="col">Chart</th><th scope="col">Counts</th><th scope="col" class="num">Usual, at most</th><th scope="col" class="num">Evidence of limit</th><th scope="col">5 and 10 points show after</th></tr></thead>
        <tbody>
          {told.charts.map((one) => (
            <tr key={one.chart}>
              <td>{one.alarm && <span class="now" aria-hidden="true">⬢ </span>}{one.chart}{one.alarm && <span class="muted"> alarm at study {one.alarm.case}: {percent(one.alarm.share_lately)} lately</span>}</td>
              <td>{one.of}</td>
              <td class="num">{percent(one.usual)}</td>
              <td class="num">{one.sum} of {one.limit}</td>
              <td>{one.delays.map((late) => (late.cases_mean === null || late.days_mean === null ? "none of them within 20,000 studies" : `${late.cases_mean.toFixed(0)} studies (${late.days_mean.toFixed(0)} days)`)).join(", ")}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="muted">False alarms: {told.false_alarms.declared}. Delays are means by simulation. {counted(told)}</p>
    </>
  );
}
