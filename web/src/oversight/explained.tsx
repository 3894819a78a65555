import { useEffect, useRef } from "preact/hooks";
import { ask } from "../api/door";
import { Source } from "../api/load";
import { Dialog } from "../kit/dialog";
import { Shown } from "../kit/states";
import { to } from "../router";
import { count, number, unit } from "../words";

interface Chain {
  about: string;
  study: { uid: string; patient: string; description: string };
  signatures: { time: string; who: string; details: Record<string, unknown> }[];
  results: {
    id: string;
    outcome: string;
    said_by: { kind: string; name: string; version: string };
    model: { name: string; version?: string; digest: string; state: string } | null;
    made: string;
    replaces: string;
    findings: { tracking: string; what: string; verdict: string; reason: string; words: string; measurements: { what: { meaning: string }; value: number; unit: string }[] }[];
    code: string;
    inputs: { series: string; modality: string; images: number; still_as_received: boolean }[];
  }[];
  events: { kind: string; time: string; who: string; details: Record<string, unknown> }[];
}

/** From a printed number back to its sender: report, finding, result, model, series, and who sent the images. */
export function Explained({ name, close }: { name: string; close: () => void }) {
  const source = useRef<Source<Chain>>(null);
  source.current ??= new Source((abort) => ask<Chain>(`/api/explain/${encodeURIComponent(name)}`, { abort, deadline_s: 60 }));
  useEffect(() => void source.current!.load(), []);
  return (
    <Dialog title="Why does it say so?" close={close}>
      <Shown of={source.current} what="the chain behind it">{(told) => <Steps told={told} />}</Shown>
      <p class="acts"><button type="button" onClick={close}>Close</button></p>
    </Dialog>
  );
}

function Steps({ told }: { told: Chain }) {
  const sent = told.events.filter((one) => one.kind === "InstancesReceived");
  return (
    <ol class="steps">
      <li><strong>Asked</strong> {told.about !== "study" && `${told.about} · `}study <a href={to.study(told.study.uid)}>{told.study.description || told.study.uid}</a></li>
      {told.signatures.map((one) => <li key={one.time}><strong>Signed</strong> by {one.who}, {stamp(one.time)} <span class="id">report {String(one.details.report ?? "").slice(0, 12)}</span></li>)}
      {told.results.map((one) => (
        <li key={one.id}>
          <strong>{one.said_by.kind === "machine" ? "◇ Machine" : "● Person"}</strong> {one.said_by.name}{one.said_by.version && ` ${one.said_by.version}`}, {stamp(one.made)}: {one.outcome} <span class="id">{one.id.slice(0, 12)}{one.replaces && ` replaces ${one.replaces.slice(0, 12)}`}</span>
          {one.model && <div class="muted">weights {one.model.name} {one.model.version} <span class="id">{one.model.digest.slice(0, 12)}</span>, {one.model.state}{one.model.state !== "released" && ": released by nobody here"}</div>}
          {one.findings.map((finding) => <div key={finding.tracking}>{finding.what}, {finding.verdict}{finding.reason && ` (${finding.reason})`}{finding.measurements.map((m) => ` · ${m.what.meaning} ${number(m.value)} ${unit(m.unit)}`).join("")}</div>)}
          {one.inputs.map((read) => <div key={read.series} class="muted">read {count(read.images, `${read.modality} image`)}, {read.still_as_received ? "still as they were received" : "not all of them are held any more"}</div>)}
        </li>
      ))}
      {sent.map((one) => <li key={one.time + one.who}><strong>Sent</strong> by {one.who}, {stamp(one.time)}: {count(Number(one.details.instances ?? 0), "image")}</li>)}
    </ol>
  );
}

function stamp(time: string): string {
  return `${time.slice(0, 19).replace("T", " ")} UTC`;
}
