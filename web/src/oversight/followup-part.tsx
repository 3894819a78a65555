import { useEffect, useRef } from "preact/hooks";
import { ask } from "../api/door";
import { Source } from "../api/load";
import { Empty, Shown } from "../kit/states";
import { StudyField } from "../kit/study-field";
import { address, to } from "../router";
import { count, day } from "../words";
import { Act, fields } from "./act";
import { type Estimate, share } from "./figures";
import { Choice, DayField } from "./period";
import { Refusal } from "./refusal";
import { TakeOut } from "./take-out";

interface FollowUp {
  id: string;
  study: string;
  patient: string;
  finding: string;
  due: string;
  days: number;
  modality: string;
  body_part: string;
  responsible: string;
  by: string;
  completed: string;
  completed_on: string | null;
  completed_by: string;
  completed_why: string;
  closed: string;
  state: string;
}

interface FollowUps {
  rows: FollowUp[];
  /** Of those that one answers for and may not read yet: that they are due. */
  withheld: { due: string; state: string }[];
  possible: { follow_up: string; study: string; on: string; why: string }[];
  adherence: Estimate | null;
  published: number;
  grace_days: number;
}

const marks: Record<string, [string, string]> = { overdue: ["⬢", "tag now"], due: ["▲", "tag soon"], open: ["○", "level faint"], completed: ["✓", "level fine"], closed: ["–", "level faint"] };

/** Follow-ups of findings: what is overdue first, what came of the others. */
export function FollowUpPart() {
  const source = useRef<Source<FollowUps>>(null);
  const wanted = () => { const state = address.value.searchParams.get("state") ?? "all"; return `/api/followups?state=${state === "all" ? "" : state}`; };
  source.current ??= new Source((abort) => ask<FollowUps>(wanted(), { abort }));
  const path = wanted();
  const again = () => void source.current!.load();
  useEffect(again, [path]);
  return (
    <>
      <form class="controls" onSubmit={(event) => event.preventDefault()}>
        <Choice name="state" label="State" choices={["all", "overdue", "due", "open", "completed", "closed"]} fallback="all" />
        <TakeOut path={path} name="follow-ups.json" />
      </form>
      <Shown of={source.current} what="follow-ups">{(told) => <Told told={told} again={again} />}</Shown>
      <AskOne again={again} />
    </>
  );
}

function Told({ told, again }: { told: FollowUps; again: () => void }) {
  const act = useRef(new Act()).current;
  const possible = new Map(told.possible.map((one) => [one.follow_up, one]));
  const find = async () => { if (await act.send("/api/followups/match", {})) again(); };
  const confirm = async (id: string, study: string) => { if (await act.send(`/api/followups/${id}/match`, { study })) again(); };
  const close = async (id: string, event: SubmitEvent) => { if (await act.send(`/api/followups/${id}/close`, fields(event))) again(); };
  return (
    <>
      <p>{told.adherence ? <>Completed {share(told.adherence)} of {told.adherence.n} that were due more than {told.grace_days} days ago <span class="muted">· {Math.round(told.published * 100)} % in a published programme</span></> : <span class="muted">None was due more than {told.grace_days} days ago, so there is no share yet.</span>} <button type="button" onClick={() => void find()} disabled={act.busy.value}>Find completed examinations</button></p>
      <Refusal of={act} />
      {told.withheld.length > 0 && <p class="callout slim" role="status"><span class="soon" aria-hidden="true">▲</span> {count(told.withheld.length, "follow-up")} that you answer for {told.withheld.length === 1 ? "is" : "are"} due ({told.withheld.map((one) => `${day(one.due)}${one.state === "overdue" ? ", overdue" : ""}`).join("; ")}). What it is about is told once you have given your own opinion on its study.</p>}
      {told.rows.length === 0 ? <Empty title="No follow-up stands here">What readers recommend is tracked here until an examination or a person closes it.</Empty> : (
        <table class="plain wide">
          <caption class="hidden">Follow-ups, the longest overdue first</caption>
          <thead><tr><th scope="col">State</th><th scope="col">Due</th><th scope="col">What for</th><th scope="col">Examination</th><th scope="col">Answers for it</th><th scope="col">What came of it</th></tr></thead>
          <tbody>
            {told.rows.map((row) => {
              const [shape, css] = marks[row.state] ?? marks.open!;
              const maybe = possible.get(row.id);
              const done = row.state === "completed" || row.state === "closed";
              return (
                <tr key={row.id}>
                  <th scope="row"><span class={css}><span aria-hidden="true">{shape}</span> {row.state}</span></th>
                  <td>{row.due}{!done && <span class="muted"> {row.days < 0 ? `${-row.days} days over` : `in ${row.days} days`}</span>}</td>
                  <td><a href={to.study(row.study)}>{row.finding}</a> <span class="id">{row.patient}</span></td>
                  <td>{[row.modality, row.body_part].filter(Boolean).join(" ") || "any"}</td>
                  <td>{row.responsible} <span class="muted">asked by {row.by}</span></td>
                  <td>
                    {row.completed && <a href={to.study(row.completed)}>examined {day(row.completed_on)}</a>}{row.completed_why && <span class="muted"> {row.completed_why} ({row.completed_by})</span>}
                    {row.closed}
                    {!done && maybe && <div><a href={to.study(maybe.study)}>possibly {maybe.on}</a> <span class="muted">{maybe.why}</span> <button type="button" onClick={() => void confirm(row.id, maybe.study)}>It is the one</button></div>}
                    {!done && <details><summary>Close</summary><form class="acts" onSubmit={(event) => void close(row.id, event)}><label><span class="hidden">Reason</span><input name="reason" required maxLength={500} placeholder="done elsewhere, refused, …" /></label><button type="submit">Close</button></form></details>}
                  </td>
                </tr>
              );
            })}
          </tbody>
        </table>
      )}
    </>
  );
}

function AskOne({ again }: { again: () => void }) {
  const act = useRef(new Act()).current;
  const form = useRef<HTMLFormElement>(null);
  const send = async (event: SubmitEvent) => {
    const { study, ...body } = fields(event);
    if (await act.send(`/api/studies/${study}/followups`, body)) (form.current?.reset(), again());
  };
  return (
    <details class="rules">
      <summary>Recommend a follow-up</summary>
      <form class="controls" ref={form} onSubmit={(event) => void send(event)}>
        <StudyField value={address.value.searchParams.get("study") ?? ""} />
        <label class="wide">What for<input name="finding" required maxLength={500} /></label>
        <label>Due<DayField name="due" required /></label>
        <label>Modality<input class="short" name="modality" maxLength={16} placeholder="CT" /></label>
        <label>Body part<input name="body_part" maxLength={64} placeholder="chest" /></label>
        <label>Who answers for it<input name="responsible" required maxLength={200} /></label>
        <button type="submit" disabled={act.busy.value}>Recommend</button>
      </form>
      <Refusal of={act} />
    </details>
  );
}
