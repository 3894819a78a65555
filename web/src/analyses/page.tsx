import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../api/door";
import { Source } from "../api/load";
import type { AnalysisCard } from "../api/shapes";
import { bind } from "../keys/keyboard";
import { Key } from "../kit/marks";
import { Empty, Show } from "../kit/states";
import { go, to } from "../router";
import { count, spoken, unit } from "../words";

/** What can be computed, on what, and within which limits. */
export function AnalysesPage({ name }: { name: string }) {
  const source = useRef<Source<AnalysisCard[]>>(null);
  source.current ??= new Source(async (abort) => {
    const answer = await ask<{ analyses: AnalysisCard[] } | AnalysisCard[]>("/api/analyses", { abort });
    return Array.isArray(answer) ? answer : answer.analyses;
  });
  const all = source.current;
  const field = useRef<HTMLInputElement>(null);
  const [filter, setFilter] = useState("");
  useEffect(() => void all.load(), []);
  const shown = (all.value ?? []).filter((one) => `${one.name} ${one.about} ${needsOf(one).join(" ")}`.toLowerCase().includes(filter.toLowerCase()));
  useEffect(() => {
    const step = (by: number) => {
      const at = shown.findIndex((one) => one.name === name);
      const next = shown[Math.min(shown.length - 1, Math.max(0, at + by))];
      if (next) go(to.analyses(next.name), { replace: true });
    };
    return bind("analyses", { filter: () => field.current?.focus(), down: () => step(1), up: () => step(-1) });
  }, [name, filter, all.state.value]);
  return (
    <>
      <header class="bar" data-region tabIndex={-1}>
        <h1>Analyses</h1>
        <label class="filter"><span class="hidden">Filter</span><Key of="/" /><input ref={field} type="search" placeholder="organ, modality, name" onInput={(event) => setFilter(event.currentTarget.value)} /></label>
        <span class="muted" role="status">{all.value && count(shown.length, "analysis", "analyses")}</span>
        <span class="gap" />
        <a class="button" href={to.segment}>Analyse files without keeping them</a>
      </header>
      <main class="catalogue" data-region tabIndex={-1}>
        <Show state={all.state.value} what="the catalogue" again={() => void all.load()}>
          {() => shown.length ? <ul>{shown.map((one) => <Card key={one.name} card={one} current={one.name === name} />)}</ul>
            : <Empty title={filter ? "No analysis fits the filter" : "No analysis is installed"}>{filter ? `Nothing fits “${filter}”.` : "Install a package that brings one; isocenter check tells whether it is a good one."}</Empty>}
        </Show>
      </main>
    </>
  );
}

function Card({ card, current }: { card: AnalysisCard; current: boolean }) {
  const ref = useRef<HTMLLIElement>(null);
  useEffect(() => {
    if (current) ref.current?.scrollIntoView({ block: "nearest" });
  }, [current]);
  return (
    <li ref={ref} aria-current={current ? "true" : undefined}>
      <h2><a href={to.analyses(card.name)}>{spoken(card.name)}</a> <span class="id">{card.name} {card.version}</span></h2>
      <p>{card.about}</p>
      <dl class="facts">
        <div><dt>Needs</dt><dd>{needsOf(card).map((need) => <div key={need}>{need}</div>)}</dd></div>
        <div><dt>Yields</dt><dd>{yieldsOf(card).join(" · ") || "remarks only"}</dd></div>
        {Object.entries(card.card).map(([name, words]) => <div key={name}><dt>{spoken(name)}</dt><dd>{[words].flat().join(" · ")}</dd></div>)}
        {card.parameters.length > 0 && (
          <div>
            <dt>Parameters</dt>
            <dd>{card.parameters.map((one) => <div key={one.name}><code>{one.name}</code> {String(one.default) || "empty"} <span class="muted">{one.choices.length ? `one of ${one.choices.join(", ")}` : one.type}</span></div>)}</dd>
          </div>
        )}
        <div><dt>Limits</dt><dd>{card.limits.seconds}{"\u2009"}s · {card.limits.memory_mib}{"\u2009"}MiB</dd></div>
        {card.weights && <div><dt>Model</dt><dd><a href="/api/models" target="_blank" rel="noopener">{card.weights}: card and evidence, as JSON</a></dd></div>}
      </dl>
    </li>
  );
}

function needsOf(card: AnalysisCard): string[] {
  return Object.entries(card.needs).map(([name, words]) => `${name}: ${words}`);
}

/** What it may say, each once; a unit only where it tells something (a long list of units is "many kinds"). */
function yieldsOf(card: AnalysisCard): string[] {
  const words = card.yields.map((one) => {
    const named = [...(one.units.length <= 3 ? one.units.map(unit).filter(Boolean) : []), ...one.maps.map((map) => `map ${map}`)].join(", ");
    return [one.what?.meaning, named && `(${named})`].filter(Boolean).join(" ");
  });
  return [...new Set(words.filter(Boolean))];
}
