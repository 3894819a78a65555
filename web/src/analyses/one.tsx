import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../api/door";
import { onHappening } from "../api/live";
import { Source } from "../api/load";
import { bind, keyOf } from "../keys/keyboard";
import { Key } from "../kit/marks";
import { Shown } from "../kit/states";
import { Figures, Unknown } from "../models/parts";
import { go, to } from "../router";
import { spoken } from "../words";
import { needsOf, StateOf, yieldsOf } from "./card";
import { Changes, Confirmed, Drift, Runs } from "./fate";
import type { AnalysisPage } from "./shapes";
import { type Asked, StopForm } from "./stop";

type Week = AnalysisPage["declined"][number]["weeks"][number];

/** The latest week, and those before it for who asks. */
function Weeks({ of: [latest, ...before] }: { of: Week[] }) {
  const told = (one: Week) => <>{one.week}: <span class="muted">{one.studies} of {one.of}</span></>;
  if (!latest) return null;
  return before.length ? <details><summary>{told(latest)}</summary>{before.map((one) => <div key={one.week}>{told(one)}</div>)}</details> : told(latest);
}

/** "12 (31 %)" */
function ofAll(some: number, all: number): string {
  return `${some} (${Math.round((100 * some) / all)}\u2009%)`;
}

/** One analysis: what it asks, what it needs, how well it does, what became of it here, and how to stop it. */
export function OneAnalysis({ name }: { name: string }) {
  const source = useRef<Source<AnalysisPage>>(null);
  source.current ??= new Source((abort) => ask<AnalysisPage>(`/api/analyses/${encodeURIComponent(name)}`, { abort }));
  const page = source.current;
  const [asked, setAsked] = useState<Asked>({ stop: 0, undo: 0 });
  useEffect(() => {
    void page.load();
    const forget = onHappening(({ subject }) => subject === name && void page.load());
    return () => (forget(), page.stop());
  }, []);
  useEffect(() => bind("analyses", { leave: () => go(to.analyses()), stop: () => setAsked((before) => ({ ...before, stop: before.stop + 1 })), undo: () => setAsked((before) => ({ ...before, undo: before.undo + 1 })) }), []);
  return (
    <>
      <header class="bar" data-region tabIndex={-1}>
        <a class="button quiet" href={to.analyses()}><span aria-hidden="true">←</span> All <Key of={keyOf("analyses", "leave")} /></a>
        <h1>{spoken(name)}</h1>
        {page.value && <><span class="id">version {page.value.version}</span> <StateOf card={page.value} /></>}
      </header>
      <main class="desk-list model" data-region tabIndex={0}>
        <Shown of={page} what="the analysis">{(one) => <Whole one={one} asked={asked} again={() => void page.load()} />}</Shown>
      </main>
    </>
  );
}

const CARD: [string, string][] = [["intended_use", "For"], ["not_for", "Not for"], ["limits", "Limits"], ["level", "Level of evidence"], ["sources", "Sources"]];

function Whole({ one, asked, again }: { one: AnalysisPage; asked: Asked; again: () => void }) {
  const others = Object.keys(one.card).filter((name) => !CARD.some(([known]) => known === name)).map((name) => [name, spoken(name)] as [string, string]);
  const yields = yieldsOf(one);
  return (
    <>
      <section class="for" aria-label="In short">
        <p class="lead">{one.about}</p>
        <p><strong>Here:</strong> <Confirmed of={one} />.</p>
        <StopForm path={`/api/analyses/${encodeURIComponent(one.name)}`} what={spoken(one.name)} stopped={one.stopped ? [one.stopped] : []} keys={{ stop: keyOf("analyses", "stop"), undo: keyOf("analyses", "undo") }} asked={asked} done={again} />
      </section>
      <h2>What it needs</h2>
      <dl class="facts card-facts">{needsOf(one).map(([need, words]) => <div key={need}><dt>{spoken(need)}</dt><dd>{words}</dd></div>)}</dl>
      {one.declined.length > 0 && (
        <>
          <h3>Why it did not look, of the latest {one.declined[0]!.of} studies</h3>
          <table class="plain">
            <thead><tr><th scope="col">Reason</th><th scope="col" class="num">Studies</th><th scope="col">Scanners that give it most often</th><th scope="col">By week</th></tr></thead>
            <tbody>
              {one.declined.map(({ reason, studies, of, scanners, weeks }) => (
                <tr key={reason}>
                  <td>{reason}</td>
                  <td class="num">{ofAll(studies, of)}</td>
                  <td>{scanners.length ? scanners.map((each) => <div key={each.scanner}>{each.scanner}: <span class="muted">{each.studies} of {each.of}</span></div>) : <span class="muted">no header names one</span>}</td>
                  <td><Weeks of={[...weeks].reverse()} /></td>
                </tr>
              ))}
            </tbody>
          </table>
        </>
      )}
      <h2>What it yields</h2>
      {yields.length ? <ul class="bullets">{yields.map((words) => <li key={words}>{words}</li>)}</ul> : <p class="muted">Remarks only.</p>}
      <h2>Card</h2>
      <dl class="facts card-facts">
        {[...CARD, ...others].map(([name, title]) => <div key={name}><dt>{title}</dt><dd>{one.card[name] ? [one.card[name]].flat().map((line) => <div key={line}>{line}</div>) : <Unknown because="its author did not state it" />}</dd></div>)}
        <div><dt>Stopped after</dt><dd>{one.limits.seconds}{"\u2009"}s or {one.limits.memory_mib}{"\u2009"}MiB</dd></div>
      </dl>
      <h2>Evidence</h2>
      {one.weights ? <><p>It runs on the model <a href={to.models(one.weights)}>{spoken(one.weights)}</a>.</p><Figures evidence={one.evidence} /></> : <p class="muted">It runs on no trained weights: what it computes is a formula with the sources of its card.</p>}
      {one.parameters.length > 0 && (
        <>
          <h2>Parameters</h2>
          <table class="plain">
            <thead><tr><th scope="col">Name</th><th scope="col">Shipped</th><th scope="col">Kind</th></tr></thead>
            <tbody>{one.parameters.map((each) => <tr key={each.name}><td><code>{each.name}</code></td><td>{String(each.default) || "empty"}</td><td class="muted">{each.choices.length ? `one of ${each.choices.join(", ")}` : each.type}</td></tr>)}</tbody>
          </table>
        </>
      )}
      <h2>Runs so far</h2>
      <Runs of={one} />
      <h2>Month by month</h2>
      <Drift of={one} />
      <h2>Changes</h2>
      <Changes of={one} />
    </>
  );
}
