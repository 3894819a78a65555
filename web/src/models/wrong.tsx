import { useEffect, useRef } from "preact/hooks";
import { ask } from "../api/door";
import { onHappening } from "../api/live";
import { Source } from "../api/load";
import { keyOf } from "../keys/keyboard";
import { Key } from "../kit/marks";
import { Empty, Shown } from "../kit/states";
import { to } from "../router";
import { count, moment, spoken } from "../words";

export interface Case {
  study: string;
  date: string | null;
  modalities: string[];
  analysis: string;
  version: string;
  kind: "false alarm" | "missed" | "finding struck";
  /** Who signed against it; empty where it turned out later. */
  by: string;
  source: string;
  mode: string;
  signed: string;
}

interface Told {
  since: string;
  cases: Case[];
  of: number;
}

const KINDS: Record<Case["kind"], [shape: string, words: string]> = {
  "false alarm": ["▲", "false alarm: it said that there is something, and there was not"],
  missed: ["○", "missed: it said that there is nothing, and there was"],
  "finding struck": ["◐", "a finding struck: what it asks for is there, but not all that it showed"],
};
const SIGNED = ["ReportSigned", "ReportAmended", "OutcomeKnown", "ModelStepped"];

/** Signed cases in which the model was wrong here, each a step away from its images. */
export function Wrong({ name, at, cases }: { name: string; at: number; cases: { current: readonly { study: string }[] } }) {
  const source = useRef<Source<Told>>(null);
  source.current ??= new Source((abort) => ask<Told>(`/api/models/${encodeURIComponent(name)}/wrong`, { abort }));
  const held = source.current;
  cases.current = held.value?.cases ?? [];
  useEffect(() => {
    void held.load();
    const forget = onHappening(({ kind }) => SIGNED.includes(kind) && void held.load());
    return () => (forget(), held.stop(), (cases.current = []));
  }, []);
  const marked = useRef<HTMLTableRowElement>(null);
  useEffect(() => marked.current?.scrollIntoView({ block: "nearest" }), [at]);
  return (
    <>
      <h2>Cases in which it was wrong here</h2>
      <p class="muted">Signed studies that you may see, against what was signed or what turned out later; never one that you read blind. The cases of the sealed test stand under Evidence; those of its maker are in no archive by name.</p>
      <Shown of={held} what="the cases">
        {(told) => told.cases.length === 0 ? <Empty title="No case is known">{told.since ? `None since it was released on ${moment(told.since)} UTC.` : "No signed report and no later outcome speaks against it."}</Empty> : (
          <>
            <p role="status">{count(told.of, "case")}{told.since && ` since its release on ${moment(told.since)} UTC`}{told.of > told.cases.length && `; the newest ${told.cases.length} are shown`}. <Key of={keyOf("models", "open")} /> opens the marked one in the reading room.</p>
              <table class="plain wide">
                <thead><tr><th scope="col">Study</th><th scope="col">How</th><th scope="col">Says who</th><th scope="col">Analysis</th></tr></thead>
                <tbody>
                  {told.cases.map((one, i) => (
                    <tr key={`${one.study} ${one.analysis}`} ref={i === at ? marked : undefined} aria-current={i === at ? "true" : undefined}>
                      <td><a href={to.study(one.study)}>{one.modalities.join(", ") || "study"}{one.date && ` of ${one.date}`}</a></td>
                      <td><span aria-hidden="true">{KINDS[one.kind][0]}</span> {KINDS[one.kind][1]}</td>
                      <td>{one.source ? `turned out: ${one.source}` : `signed by ${one.by}`} <span class="muted">{moment(one.signed)} UTC</span></td>
                      <td>{spoken(one.analysis)} <span class="id">{one.version}</span> <span class="muted">{one.mode}</span></td>
                    </tr>
                  ))}
                </tbody>
              </table>
          </>
        )}
      </Shown>
    </>
  );
}
