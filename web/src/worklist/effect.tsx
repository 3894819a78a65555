import { useEffect, useState } from "preact/hooks";
import { ask, Trouble } from "../api/door";
import { to } from "../router";
import { spoken } from "../words";

/** A change of the mean wait in minutes; without bounds where there are too few studies for them. */
interface Change {
  value: number;
  low: number | null;
  high: number | null;
  n: number;
}

interface Effect {
  analysis: string | null;
  n: number;
  needed: number;
  groups: Record<string, Change>;
  /** What it would have been, had every reader followed the raised order. */
  predicted: Record<string, Change>;
}

/** The effect of triage stands under the list that it orders: what it gave and whom it cost, or why that is not known. */
export function EffectLine() {
  const [words, setWords] = useState("is being counted");
  useEffect(() => {
    const abort = new AbortController();
    // The list comes first: the figures are computed from the whole log.
    const later = setTimeout(() => ask<Effect>("/api/worklist/effect", { abort: abort.signal }).then(
      (told) => setWords(said(told)),
      (error: unknown) => !abort.signal.aborted && setWords(error instanceof Trouble && error.status === 404 ? "not known, because this server does not count it" : "not known, because the figures could not be asked for"),
    ), 1500);
    return () => (clearTimeout(later), abort.abort());
  }, []);
  return (
    <p class="effect">
      <span class="muted">Effect of triage</span> <span>{words}</span>
      <span class="gap" />
      <a href={to.oversight("triage")}>Open</a>
    </p>
  );
}

function said({ analysis, n, needed, groups, predicted }: Effect): string {
  if (!analysis) return "none: no analysis here can raise a study";
  if (needed > 0) return `not known yet: ${needed} more read studies with a known answer are needed, ${n} are there (${spoken(analysis)})`;
  const one = ([group, change]: [string, Change]) => {
    const sure = change.low !== null && change.high !== null ? ` (${minutes(change.low)}…${minutes(change.high)})` : `, few: n ${change.n}`;
    const simulated = predicted[group] ? `, predicted ${minutes(predicted[group].value)}` : "";
    return `${group} ${minutes(change.value)}${sure}${simulated}`;
  };
  return `${spoken(analysis)}: ${Object.entries(groups).map(one).join(" · ")}`;
}

/** Signed minutes with a real minus; one decimal below ten. */
function minutes(value: number): string {
  const size = Math.abs(value) < 10 ? Math.abs(value).toFixed(1) : Math.round(Math.abs(value)).toString();
  return `${value < 0 ? "−" : "+"}${size}\u2009min`;
}
