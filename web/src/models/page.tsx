import { useEffect, useRef, useState } from "preact/hooks";
import { Changes, Confirmed, Drift, Runs } from "../analyses/fate";
import type { ModelPage } from "../analyses/shapes";
import { type Asked, StopForm } from "../analyses/stop";
import { ask } from "../api/door";
import { onHappening } from "../api/live";
import { Source } from "../api/load";
import { bind, keyOf } from "../keys/keyboard";
import { Key } from "../kit/marks";
import { Empty, Shown } from "../kit/states";
import { Tabs } from "../kit/tabs";
import { address, go, to } from "../router";
import { count, moment, spoken } from "../words";
import { Calibration } from "./calibration";
import { Comparing } from "./comparing";
import { GatePart } from "./gate";
import { GeneratedCard } from "./generated";
import { WatchPart } from "./watch";
import { Card, casesOf, Figures, Leading, Lineage, notFor, Unknown } from "./parts";
import { StopRules } from "./rules";
import { Subgroups } from "./subgroups";
import { Where } from "./where";
import { Claimed, Tested } from "./tested";
import { Wrong } from "./wrong";

type Listed = Pick<ModelPage, "name" | "version" | "digest" | "state" | "card" | "evidence" | "stopped" | "alarms">;

const PARTS = ["card", "evidence", "subgroups", "calibration", "drift", "runs", "lineage", "changes", "gate", "wrong_cases", "compare"];
/** Keys of the parts that have no number. */
const KEYS: Record<string, string> = { compare: "compare", wrong_cases: "wrong" };

/** May I trust it here, for whom, since when; and how do I stop it. */
export function ModelsPage({ name, part }: { name: string; part: string }) {
  const source = useRef<Source<Listed[]>>(null);
  source.current ??= new Source(async (abort) => (await ask<{ models: Listed[] }>("/api/models", { abort })).models);
  const models = source.current;
  const [asked, setAsked] = useState<Asked & { drill: number }>({ stop: 0, undo: 0, drill: 0 });
  const press = (what: keyof typeof asked) => name && setAsked((before) => ({ ...before, [what]: before[what] + 1 }));
  const field = useRef<HTMLInputElement>(null);
  const [filter, setFilter] = useState("");
  const [at, setAt] = useState(0);
  useEffect(() => {
    void models.load();
    const forget = onHappening(({ kind }) => ["AnalysisStopped", "StopExplained", "AnalysisResumed", "ModelStepped", "WatchAlarmed"].includes(kind) && void models.load());
    return () => (forget(), models.stop());
  }, []);
  const shown = (models.value ?? []).filter((one) => `${one.name} ${one.card.title ?? ""}`.toLowerCase().includes(filter.toLowerCase()));
  const marked = useRef<Listed>(undefined); // the row that is marked when a key comes, however fast after the one before
  marked.current = shown[at];
  const cases = useRef<readonly { study: string }[]>([]); // of the part that is open, as they are shown
  const here = part || "card";
  const rows = () => (name ? cases.current.length : shown.length);
  const open = () => {
    if (!name) return marked.current && go(to.models(marked.current.name));
    const one = cases.current[at];
    if (one) go(to.study(one.study));
  };
  useEffect(() => setAt(0), [name, here, address.value.search]);
  useEffect(() => bind("models", {
    filter: () => field.current?.focus(),
    down: () => setAt((row) => Math.max(0, Math.min(rows() - 1, row + 1))),
    up: () => setAt((row) => Math.max(0, row - 1)),
    open,
    ...Object.fromEntries(PARTS.slice(0, 9).map((one, i) => [`tab-${i + 1}`, () => name && go(to.models(name, one))])),
    compare: () => name && go(to.models(name, "compare")),
    wrong: () => name && go(to.models(name, "wrong_cases")),
    leave: () => go(to.models()),
    stop: () => press("stop"),
    undo: () => press("undo"),
    rehearse: () => press("drill"),
  }), [name, here, at, filter, models.state.value]);
  return (
    <>
      <header class="bar" data-region tabIndex={-1}>
        {name && <a class="button quiet" href={to.models()}><span aria-hidden="true">←</span> All <Key of={keyOf("models", "leave")} /></a>}
        <h1>{name ? spoken(name) : "Models"}</h1>
        {name && <Tabs label="Parts of the model's page" here={here} tabs={PARTS.map((one, i) => ({ part: one, name: spoken(one), at: to.models(name, one), key: keyOf("models", KEYS[one] ?? `tab-${i + 1}`) }))} />}
        {!name && <label class="filter"><span class="hidden">Filter</span><Key of={keyOf("models", "filter")} /><input ref={field} type="search" placeholder="name" onInput={(event) => setFilter(event.currentTarget.value)} /></label>}
        {!name && models.value && <span class="muted" role="status">{count(shown.length, "model")}</span>}
      </header>
      <main class="desk-list model" data-region tabIndex={0}>
        <Shown of={models} what="the models">
          {(all) => {
            if (!name) return shown.length ? <List models={shown} at={at} /> : <Empty title={filter ? "No model fits the filter" : "No model is here"}>Analyses without weights need none. A site's own models are looked for in the folder that ISOCENTER_MODELS names.</Empty>;
            const one = all.find((model) => model.name === name);
            return one ? <One key={name} name={name} part={here} asked={asked} at={at} cases={cases} /> : <Empty title="There is no such model">No model of that name is installed. <a href={to.models()}>All models</a></Empty>;
          }}
        </Shown>
      </main>
    </>
  );
}

function List({ models, at }: { models: Listed[]; at: number }) {
  return (
    <table class="plain wide">
      <thead><tr><th scope="col">Model</th><th scope="col">What it does</th><th scope="col">State</th><th scope="col">Its maker's figure (95 %)</th><th scope="col" class="num">Test cases</th></tr></thead>
      <tbody>
        {models.map((one, i) => (
          <tr key={one.digest} aria-current={i === at ? "true" : undefined}>
            <td><a href={to.models(one.name)}>{spoken(one.name)}</a> <span class="id">{one.version}</span></td>
            <td>{one.card.title ?? <Unknown because="its card has no title" />}</td>
            <td>{one.stopped.length ? <span class="tag now"><span aria-hidden="true">⬢</span> stopped</span> : one.state}{one.alarms.length > 0 && <> <a class="tag now" href={to.models(one.name, "drift")}><span aria-hidden="true">⬢</span> {count(one.alarms.length, "alarm")}</a></>}</td>
            <td><Leading {...one} /></td>
            <td class="num">{casesOf(one.evidence)?.toLocaleString("en") ?? "not told"}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

interface Told {
  part: string;
  asked: Asked & { drill: number };
  at: number;
  cases: { current: readonly { study: string }[] };
}

function One({ name, ...told }: Told & { name: string }) {
  const source = useRef<Source<ModelPage>>(null);
  source.current ??= new Source((abort) => ask<ModelPage>(`/api/models/${encodeURIComponent(name)}`, { abort }));
  const page = source.current;
  useEffect(() => {
    void page.load();
    const forget = onHappening(({ subject }) => (subject === name || page.value?.analyses.includes(subject)) && void page.load());
    return () => (forget(), page.stop());
  }, []);
  return <Shown of={page} what="the model">{(model) => <Whole model={model} {...told} again={() => void page.load()} />}</Shown>;
}

function Whole({ model, part, asked, at, cases, again }: Told & { model: ModelPage; again: () => void }) {
  return (
    <>
      <section class="for" aria-label="In short">
        <p><strong>{model.state}</strong>{model.stopped.length > 0 && model.state !== "suspended" && <>, <span class="now">stopped here</span></>} {model.since && <>since {moment(model.since.when)} UTC by {model.since.by} </>}<span class="muted">version {model.version} · digest <span class="id">{model.digest.slice(0, 12)}…</span> · parent {model.parent ? <span class="id">{model.parent.slice(0, 12)}…</span> : "none: it is the first"}</span></p>
        <p><strong>For:</strong> {model.card.intended_use ?? <Unknown because="its card does not say" />}</p>
        <p><strong>Not for:</strong> {notFor(model.card.not_for) || <Unknown because="its card does not say" />}</p>
        <p><strong>Here:</strong> <Confirmed of={model} />. <span class="muted">{casesOf(model.evidence) ? `Claimed on ${count(casesOf(model.evidence)!, "test case")}: see Evidence.` : model.evidence.metrics ? "Claimed without a number of cases: see Evidence." : "Its maker claims no figure."}</span></p>
        {model.alarms.map((one) => (
          <p key={one.number} class="callout" role="alert"><span class="now" aria-hidden="true">⬢</span> <span class="hidden">Important:</span> Alarm of {moment(one.when)} UTC: {one.chart}, {one.of}, {(100 * one.share_lately).toFixed(0)}{"\u2009"}% lately where {(100 * one.usual).toFixed(0)}{"\u2009"}% was usual. {one.stop_rule ? `The stop rule that ${one.stop_rule} declared suspended it.` : model.stopped.length ? "" : "Nothing was stopped: that is yours to decide."} <a href={to.models(model.name, "drift")}>Charts</a></p>
        ))}
        {model.analyses.length > 0 && <p><strong>Used by:</strong> {model.analyses.map((one) => <a key={one} href={to.analyses(one)}>{spoken(one)} </a>)}</p>}
        {model.analyses.length > 0 ? <StopForm path={`/api/models/${encodeURIComponent(model.name)}`} what={spoken(model.name)} stopped={model.stopped} gate={model.state === "suspended" ? { command: `isocenter release ${model.name} --show`, href: to.models(model.name, "gate") } : undefined} keys={{ stop: keyOf("models", "stop"), undo: keyOf("models", "undo") }} asked={asked} done={again} />
          : <p class="muted">No analysis here runs on it, so that there is nothing to stop.</p>}
      </section>
      {part === "card" && <><Card model={model} /><GeneratedCard name={model.name} /></>}
      {part === "evidence" && <><Figures evidence={model.evidence} /><Claimed model={model} at={at} cases={cases} /><Tested name={model.name} at={at} cases={cases} /><Where verdicts={model.evidence.explanation} withheld={model.withheld} /></>}
      {part === "subgroups" && <Subgroups model={model} />}
      {part === "calibration" && <Calibration model={model} here={model.confirmed.bands} />}
      {part === "drift" && <><WatchPart name={model.name} inUse={model.analyses.length > 0} /><Drift of={model} /></>}
      {part === "runs" && <Runs of={model} />}
      {part === "lineage" && <Lineage model={model} />}
      {part === "changes" && <Changes of={model} />}
      {part === "gate" && <GatePart name={model.name} done={again} />}
      {part === "wrong_cases" && <Wrong name={model.name} at={at} cases={cases} />}
      {part === "compare" && <Comparing name={model.name} />}
      {model.analyses.length > 0 && <StopRules name={model.name} asked={asked.drill} />}
    </>
  );
}
