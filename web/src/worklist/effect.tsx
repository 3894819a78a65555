import { useEffect, useRef } from "preact/hooks";
import { ask } from "../api/door";
import { live } from "../api/live";
import { type Loaded, Source } from "../api/load";
import { may } from "../me";
import { to } from "../router";
import { clock, spoken } from "../words";

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
  const source = useRef<Source<Effect>>(null);
  source.current ??= new Source((abort) => ask<Effect>("/api/worklist/effect", { abort }));
  const effect = source.current;
  useEffect(() => {
    if (!may("oversight")) return;
    // The list comes first: the figures are computed from the whole log.
    const later = setTimeout(() => void effect.load(), 1500);
    // What could not be asked for is asked again as soon as the server is there.
    const forget = live.subscribe((here) => here && unreached(effect.state.peek()) && void effect.load());
    return () => (clearTimeout(later), forget(), effect.stop());
  }, []);
  const state = effect.state.value;
  if (state.at === "failed" && state.trouble.status === 403) return null; // whoever may not see the list has no use for its effect
  const words = wordsOf(state);
  if (!may("oversight")) return null;
  return (
    <p class="effect">
      <span class="muted">Effect of triage</span> <span title={words}>{words}</span>
      {(state.at === "failed" || (state.at === "there" && state.stale)) && <button type="button" onClick={() => void effect.load()}>Try again<span class="hidden"> to count the effect of triage</span></button>}
      <span class="gap" />
      <a href={to.oversight("triage")}>Open</a>
    </p>
  );
}

function unreached(state: Loaded<Effect>): boolean {
  return state.at === "failed" ? state.trouble.unreached : state.at === "there" && state.stale;
}

function wordsOf(state: Loaded<Effect>): string {
  if (state.at === "loading") return "is being counted";
  if (state.at === "there") return `${said(state.value)}${state.stale ? ` (as of ${clock(state.time)}; the server cannot be reached)` : ""}`;
  return `not known, because the figures could not be asked for. ${state.trouble.told}`;
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
