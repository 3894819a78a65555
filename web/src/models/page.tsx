import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../api/door";
import { Source } from "../api/load";
import { bind, keyOf } from "../keys/keyboard";
import { Key } from "../kit/marks";
import { Empty, Shown } from "../kit/states";
import { Tabs } from "../kit/tabs";
import { go, to } from "../router";
import { count, spoken } from "../words";
import { Calibration } from "./calibration";
import { Card, Figures, Lineage, Subgroups, Unknown } from "./parts";
import type { Model } from "./shapes";

const PARTS = ["card", "evidence", "subgroups", "calibration", "drift", "runs", "lineage", "changes"];

/** May I trust it here, for whom, since when; and how do I stop it. */
export function ModelsPage({ name, part }: { name: string; part: string }) {
  const source = useRef<Source<Model[]>>(null);
  source.current ??= new Source(async (abort) => (await ask<{ models: Model[] }>("/api/models", { abort })).models);
  const models = source.current;
  const field = useRef<HTMLInputElement>(null);
  const [filter, setFilter] = useState("");
  const [at, setAt] = useState(0);
  useEffect(() => (void models.load(), () => models.stop()), []);
  const shown = (models.value ?? []).filter((one) => `${one.name} ${one.card.title ?? ""}`.toLowerCase().includes(filter.toLowerCase()));
  const here = part || "card";
  useEffect(() => bind("models", {
    filter: () => field.current?.focus(),
    down: () => setAt(Math.min(shown.length - 1, at + 1)),
    up: () => setAt(Math.max(0, at - 1)),
    open: () => shown[at] && go(to.models(shown[at].name)),
    ...Object.fromEntries(PARTS.map((one, i) => [`tab-${i + 1}`, () => name && go(to.models(name, one))])),
    leave: () => go(to.models()),
  }), [name, at, filter, models.state.value]);
  return (
    <>
      <header class="bar" data-region tabIndex={-1}>
        {name && <a class="button quiet" href={to.models()}><span aria-hidden="true">←</span> All <Key of={keyOf("models", "leave")} /></a>}
        <h1>{name ? spoken(name) : "Models"}</h1>
        {name && <Tabs label="Parts of the model's page" here={here} tabs={PARTS.map((one, i) => ({ part: one, name: spoken(one), at: to.models(name, one), key: keyOf("models", `tab-${i + 1}`) }))} />}
        {!name && <label class="filter"><span class="hidden">Filter</span><Key of={keyOf("models", "filter")} /><input ref={field} type="search" placeholder="name" onInput={(event) => setFilter(event.currentTarget.value)} /></label>}
        {!name && models.value && <span class="muted" role="status">{count(shown.length, "model")}</span>}
      </header>
      <main class="desk-list model" data-region tabIndex={0}>
        <Shown of={models} what="the models">
          {(all) => {
            if (!name) return shown.length ? <List models={shown} at={at} /> : <Empty title={filter ? "No model fits the filter" : "No model is here"}>Analyses without weights need none. A site's own models are looked for in the folder that ISOCENTER_MODELS names.</Empty>;
            const one = all.find((model) => model.name === name);
            return one ? <One model={one} part={here} /> : <Empty title="There is no such model">No model of that name is installed. <a href={to.models()}>All models</a></Empty>;
          }}
        </Shown>
      </main>
    </>
  );
}

function List({ models, at }: { models: Model[]; at: number }) {
  return (
    <table class="plain wide">
      <thead><tr><th scope="col">Model</th><th scope="col">What it does</th><th scope="col">State</th><th scope="col">Evidence</th></tr></thead>
      <tbody>
        {models.map((one, i) => (
          <tr key={one.digest} aria-current={i === at ? "true" : undefined}>
            <td><a href={to.models(one.name)}>{spoken(one.name)}</a> <span class="id">{one.version}</span></td>
            <td>{one.card.title ?? <Unknown because="its card has no title" />}</td>
            <td>{one.state}</td>
            <td>{one.evidence.n ? `${one.evidence.n} test cases` : <Unknown because="no evidence came with it" />}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function One({ model, part }: { model: Model; part: string }) {
  return (
    <>
      <section class="for" aria-label="In short">
        <p><strong>{model.state}</strong> <span class="muted">version {model.version} · digest <span class="id">{model.digest.slice(0, 12)}…</span> · parent {model.parent ? <span class="id">{model.parent.slice(0, 12)}…</span> : "none: it is the first"}</span></p>
        <p><strong>For:</strong> {model.card.intended_use ?? <Unknown because="its card does not say" />}</p>
        <p><strong>Here:</strong> <Unknown because="this server keeps no figure of how readers at this site confirm it yet" />. <span class="muted">Claimed on {model.evidence.n ?? 0} test cases: see Evidence.</span></p>
      </section>
      {part === "card" && <Card model={model} />}
      {part === "evidence" && <Figures model={model} />}
      {part === "subgroups" && <Subgroups model={model} />}
      {part === "calibration" && <Calibration model={model} />}
      {part === "drift" && <Empty title="Drift is not watched yet">Inputs, outputs and agreement with signed reports would stand here, each with its rate of false alarms. Unknown, because nothing on this server counts them.</Empty>}
      {part === "runs" && <Empty title="Runs are not listed here yet">Each run is in the journal with its receipt. Unknown here, because the interface has no question for the runs of one model. <a href={to.oversight()}>Oversight</a> has the journal.</Empty>}
      {part === "lineage" && <Lineage model={model} />}
      {part === "changes" && <Empty title="No change is recorded">Releases, stops and returns would stand here with who, when and why. A model is not stopped here yet: in <a href={to.settings("site")}>Settings</a> one person sets its analysis to shadow, and nothing of it is shown any more.</Empty>}
    </>
  );
}
