import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../api/door";
import { onHappening } from "../api/live";
import { Source } from "../api/load";
import type { AnalysisCard } from "../api/shapes";
import { bind, keyOf } from "../keys/keyboard";
import { Key } from "../kit/marks";
import { Empty, Show } from "../kit/states";
import { address, go, setQuery, to } from "../router";
import { count, spoken } from "../words";
import { needsOf, StateOf, yieldsOf } from "./card";
import { OneAnalysis } from "./one";

/** What can be computed, on what, and how well: a list, and a page for each analysis. */
export function AnalysesPage({ name }: { name: string }) {
  return name ? <OneAnalysis key={name} name={name} /> : <List />;
}

function List() {
  const source = useRef<Source<AnalysisCard[]>>(null);
  source.current ??= new Source(async (abort) => (await ask<{ analyses: AnalysisCard[] }>("/api/analyses", { abort })).analyses);
  const all = source.current;
  const field = useRef<HTMLInputElement>(null);
  const filter = address.value.searchParams.get("q") ?? "";
  const [at, setAt] = useState(0);
  useEffect(() => {
    void all.load();
    const forget = onHappening(({ kind }) => ["AnalysisStopped", "StopExplained", "AnalysisResumed", "ModeSet"].includes(kind) && void all.load());
    return () => (forget(), all.stop());
  }, []);
  const whole = (all.value ?? []).filter((one) => !one.broken);
  const broken = (all.value ?? []).filter((one) => one.broken);
  const shown = whole.filter((one) => textOf(one).includes(filter.toLowerCase()));
  const here = Math.min(at, shown.length - 1);
  useEffect(() => bind("analyses", {
    filter: () => field.current?.focus(),
    down: () => setAt(Math.min(shown.length - 1, here + 1)),
    up: () => setAt(Math.max(0, here - 1)),
    open: () => shown[here] && go(to.analyses(shown[here].name)),
  }), [filter, here, all.state.value]);
  const stopped = whole.filter((one) => one.stopped).length;
  const silent = whole.filter((one) => !one.stopped && one.modes.reading === "shadow" && one.modes.worklist === "shadow").length;
  return (
    <>
      <header class="bar" data-region tabIndex={-1}>
        <h1>Analyses</h1>
        <label class="filter"><span class="hidden">Filter</span><Key of={keyOf("analyses", "filter")} /><input ref={field} type="search" placeholder="organ, modality, name" value={filter} onInput={(event) => (setQuery("q", event.currentTarget.value), setAt(0))} /></label>
        <span class="muted" role="status">{all.value && `${count(shown.length, "analysis", "analyses")}${silent ? ` · ${silent} in shadow` : ""}${stopped ? ` · ${stopped} stopped` : ""}`}</span>
        <span class="gap" />
        <a class="button" href={to.segment}>Analyse files without keeping them</a>
      </header>
      <main class="catalogue" data-region tabIndex={0}>
        <Show state={all.state.value} what="the catalogue" again={() => void all.load()}>
          {() => shown.length ? <ul>{shown.map((one, i) => <Line key={one.name} card={one} current={i === here} />)}</ul>
            : <Empty title={filter ? "No analysis fits the filter" : "No analysis is installed"}>{filter ? `Nothing fits “${filter}”.` : "Install a package that brings one; isocenter check tells whether it is a good one."}</Empty>}
        </Show>
        {broken.map((one) => <p key={one.name} class="callout"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {one.name} could not be loaded: {one.broken}</p>)}
      </main>
    </>
  );
}

function Line({ card, current }: { card: AnalysisCard; current: boolean }) {
  const ref = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (current) ref.current?.scrollIntoView({ block: "nearest" });
  }, [current]);
  return (
    <li ref={ref} aria-current={current ? "true" : undefined}>
      <h2><a href={to.analyses(card.name)}>{spoken(card.name)}</a> <span class="id">{card.name} {card.version}</span> <StateOf card={card} /></h2>
      <p>{card.about.split("\n")[0]}</p>
      <dl class="facts">
        <div><dt>Needs</dt><dd>{needsOf(card).map(([name, words]) => <div key={name}>{words}</div>)}</dd></div>
        <div><dt>Yields</dt><dd>{yieldsOf(card).slice(0, 6).join(" · ") || "remarks only"}{yieldsOf(card).length > 6 && <span class="muted"> and {yieldsOf(card).length - 6} more</span>}</dd></div>
        {!!card.planned?.of && <div><dt>Planned on</dt><dd>{share(card.planned.studies, card.planned.of)}</dd></div>}
        <div><dt>At most</dt><dd>{card.limits.seconds}{"\u2009"}s, {card.limits.memory_mib}{"\u2009"}MiB</dd></div>
      </dl>
    </li>
  );
}

/** Of few studies a share in % says more than is known. */
function share(studies: number, of: number): string {
  return of < 100 ? `${studies} of ${count(of, "study", "studies")}` : `${Math.round((100 * studies) / of)}\u2009% of ${count(of, "study", "studies")}`;
}

function textOf(card: AnalysisCard): string {
  return `${card.name} ${card.about} ${needsOf(card).flat().join(" ")} ${yieldsOf(card).join(" ")}`.toLowerCase();
}
