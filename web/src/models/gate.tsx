import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../api/door";
import { asTrouble, Source } from "../api/load";
import { Shown } from "../kit/states";
import { may, me, ruleOf } from "../me";
import { moment, spoken } from "../words";
import { UsePart, type Use } from "./use";

interface Taken {
  step: string;
  state: string;
  by: string;
  when: string;
  reason: string;
}

interface Gap {
  group?: string;
  figure?: string;
  value?: number;
  low?: number;
  high?: number;
  n: number;
  insufficient?: string;
}

interface Way {
  model: string;
  state: string;
  next: string;
  possible: string[];
  missing: string[];
  unused: string;
  replaces: string;
  change: { may_change: string[]; protocol?: Record<string, unknown>; impact: string; by: string; when: string } | null;
  test: { digest: string; by: string; when: string } | null;
  looks: number;
  judged: { metric: string; n: number; look: number; primary: { value: number; low: number; high: number }; gaps: Gap[]; itself?: boolean; use?: Use } | null;
  steps: Taken[];
}

/** What needs the sealed data is done by the command; the rest is one press here. */
const BY_COMMAND = "test";

/** The way of a model to people: where it stands, what the next step lacks, and who took which step and why. */
export function GatePart({ name, done }: { name: string; done: () => void }) {
  const source = useRef<Source<Way>>(null);
  source.current ??= new Source((abort) => ask<Way>(`/api/models/${encodeURIComponent(name)}/gate`, { abort }));
  const way = source.current;
  useEffect(() => {
    void way.load();
    return () => way.stop();
  }, []);
  const again = () => (void way.load(), done());
  return <Shown of={way} what="its way">{(told) => <Told way={told} again={again} />}</Shown>;
}

function Told({ way, again }: { way: Way; again: () => void }) {
  return (
    <>
      <h2>{spoken(way.state)}{way.next && <span class="muted"> · next: {way.next}</span>}</h2>
      {way.missing.length > 0 && <><p>The step “{way.next}” lacks:</p><ul class="bullets">{way.missing.map((one) => <li key={one}>{one}</li>)}</ul></>}
      {way.unused && !way.missing.includes(way.unused) && <p class="caution">{way.unused}.</p>}
      <Steps way={way} again={again} />
      <h2>What may change</h2>
      {way.change ? <p>{way.change.may_change.join(", ")}. <span class="muted">{way.change.impact} Declared by {way.change.by}, {moment(way.change.when)} UTC.</span></p> : <p class="muted">No change record was declared. The command is <code>isocenter release {way.model} --change FILE</code>.</p>}
      <h2>Stop rule</h2>
      {way.change?.protocol?.stop_on_alarm ? <p>An alarm of one of its charts suspends it at once. <span class="muted">Declared by {way.change.by}, {moment(way.change.when)} UTC.</span></p> : <p class="muted">None was declared: an alarm is told, and stops nothing by itself.</p>}
      <h2>Sealed test</h2>
      {way.test ? <p><span class="id">{way.test.digest.slice(0, 12)}</span>, sealed by {way.test.by}, {moment(way.test.when)} UTC; these weights were measured on it {way.looks === 1 ? "once" : `${way.looks} times`}.</p> : <p class="muted">No test set was sealed. The command is <code>isocenter release {way.model} --seal FILE</code>.</p>}
      {way.judged && <Judged of={way.judged} replaces={way.replaces} />}
      <h2>Steps</h2>
      {way.steps.length ? <ul class="changes">{way.steps.map((one) => <li key={one.when + one.step}>{moment(one.when)} UTC, {one.by}: {one.step}, then {one.state}. {one.reason}</li>)}</ul> : <p class="muted">None was taken.</p>}
    </>
  );
}

function Judged({ of, replaces }: { of: NonNullable<Way["judged"]>; replaces: string }) {
  const said = (one: { value?: number; low?: number; high?: number }) => `${one.value?.toFixed(3)} (${one.low?.toFixed(3)} to ${one.high?.toFixed(3)})`;
  return (
    <>
      <p>{of.metric} {said(of.primary)}, n {of.n}, look {of.look}. {replaces ? <>It replaces <span class="id">{replaces.slice(0, 12)}</span>.</> : "It replaces nothing that was released here."}</p>
      {of.gaps.length > 0 && (
        <table class="plain">
          <thead><tr><th scope="col">{of.itself ? "Now minus when it was released" : "New minus old"}</th><th scope="col">Figure</th><th scope="col">Difference (95 %)</th><th scope="col" class="num">n</th></tr></thead>
          <tbody>{of.gaps.map((one) => <tr key={one.group ?? ""}><td>{one.group ?? "overall"}</td><td>{one.figure ?? ""}</td><td>{one.insufficient ?? said(one)}</td><td class="num">{one.n}</td></tr>)}</tbody>
        </table>
      )}
      {of.use && <UsePart of={of.use} />}
    </>
  );
}

function Steps({ way, again }: { way: Way; again: () => void }) {
  const [reason, setReason] = useState("");
  const [refused, setRefused] = useState("");
  const offered = way.possible.filter((one) => one !== BY_COMMAND);
  const take = async (step: string) => {
    try {
      await ask(`/api/models/${encodeURIComponent(way.model)}/step`, { method: "POST", body: { step, reason: reason.trim() } });
      setReason("");
      setRefused("");
      again();
    } catch (error) {
      const trouble = asTrouble(error);
      setRefused(trouble.told);
    }
  };
  const last = way.steps.at(-1); // what whoever went before wrote, beside the button of whoever goes on
  if (!may("release")) return <p class="muted">{ruleOf("release")}</p>;
  if (!offered.length) return <p class="muted">No step leads on from here.</p>;
  return (
    <form class="stop-form" onSubmit={(event) => event.preventDefault()} aria-label="Take a step">
      {refused && <p class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {refused}</p>}
      {last && <p>Last, {last.by}: {last.step}. <q>{last.reason}</q></p>}
      <div class="reason">
        <label>Why, in your name ({me.value?.name})<input required pattern=".*\S.*" title="Why, in words: it stands in the journal" maxLength={1000} value={reason} autocomplete="off" onInput={(event) => setReason(event.currentTarget.value)} /></label>
        {offered.map((one) => <button key={one} type="button" onClick={(event) => event.currentTarget.form!.reportValidity() && void take(one)}>{spoken(one)}</button>)}
      </div>
      {way.possible.includes(BY_COMMAND) && <p class="muted">The sealed test is looked at by the command <code>isocenter release {way.model} --data FILE</code>.</p>}
    </form>
  );
}
