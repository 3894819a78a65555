import { useEffect, useRef, useState } from "preact/hooks";
import { onHappening } from "../api/live";
import { Critical, firstCall, isWhole, told, utc, WRITTEN } from "../critical/fields";
import { openCriticals } from "../critical/open";
import { Empty, Lacking, Shown } from "../kit/states";
import { StudyField } from "../kit/study-field";
import { may, me } from "../me";
import { Act } from "../oversight/act";
import { Refusal } from "../oversight/refusal";
import { address, to } from "../router";
import { count, moment, waited } from "../words";
import { listPath, New, type Paged, Pages, Pick, useAsked } from "./list";

interface Alert {
  id: string;
  study: string;
  level: number;
  finding: string;
  source: "reader" | "unread" | "glass";
  identified: string;
  raised: string;
  responsible: string;
  by: string;
  rung: number;
  ended: string | null;
  told: { recipient?: string; method?: string; communicator?: string; received?: string; opened?: string; reviewed?: string } | null;
  left_s: number;
  accession: string;
  description: string;
  modalities: string[];
  patient: string;
}

interface Alerts extends Paged<Alert> {
  limits_s: Record<string, number>;
  ladder: string[];
}

const LEVELS: Record<number, [string, string, string]> = { 1: ["⬢", "tag now", "60\u2009min"], 2: ["▲", "tag soon", "12\u2009h"], 3: ["●", "level", "7\u2009d"] };
const RUNGS: Record<string, string> = { readers: "every reader", chief: "head of department", administrators: "every administrator" };
const GLASS = ["reviewer", "administrators"];
const SPEAK = new Set(["AlertRaised", "AlertClimbed", "AlertAcknowledged", "ReadingOpened", "GlassReviewed"]);

/** Findings that somebody must act on: how much time is left, whom the house asks now, and who was told. */
export function AlertsPart() {
  const source = useAsked<Alerts>(listPath("/api/alerts/all", ["state"]));
  const again = () => void source.load();
  useEffect(() => onHappening(({ kind }) => SPEAK.has(kind) && again()), []);
  return (
    <>
      <form class="controls" onSubmit={(event) => event.preventDefault()}>
        <Pick name="state" label="Alerts" choices={[["", "that nobody has answered for"], ["ended", "that have ended"]]} />
      </form>
      <Shown of={source} what="the alerts">
        {(held) => held.rows.length === 0 ? (
          <Empty title={address.value.searchParams.get("state") === "ended" ? "No alert has ended yet" : "No alert is open"}>
            A reader raises one below, or in the reading room at signing. What a machine flags as urgent and nobody opens within {waited(held.limits_s["1"] ?? 3600)} raises one by itself.
          </Empty>
        ) : (
          <>
            <table class="plain wide">
              <caption class="hidden">Alerts, the most urgent first</caption>
              <thead><tr><th scope="col">Within</th><th scope="col">Finding</th><th scope="col">Time</th><th scope="col">Who is asked</th><th scope="col">Who was told</th></tr></thead>
              <tbody>{held.rows.map((one) => <Row key={one.id} alert={one} ladder={held.ladder} again={again} />)}</tbody>
            </table>
            <Pages of={held} one="alert" />
          </>
        )}
      </Shown>
      <Untold />
      {may("sign") && (
        <New title="Raise an alert" open={address.value.searchParams.has("study")} submit="Raise it" path={`/api/studies/${address.value.searchParams.get("study") ?? ""}/alerts`} done={again}
          lead="For a finding that somebody must act on. The responsible person is asked at once, every reader when the time has passed, the head of the department when it has passed twice."
          shape={({ level, identified, ...rest }) => ({ ...rest, level: Number(level), identified: utc(identified ?? "") })}>
          <StudyHere />
          <label class="wide">Finding<input name="finding" required maxLength={500} /></label>
          <label>Somebody must act within<select name="level"><option value="1">minutes (60 min)</option><option value="2">hours (12 h)</option><option value="3">days (7 d)</option></select></label>
          <label>Identified<input name="identified" required autocomplete="off" placeholder="2026-11-30 14:05" pattern={WRITTEN.source} title="Write it as 2026-11-30 14:05" defaultValue={firstCall(null).identified.slice(0, 16)} /></label>
          <label>Who answers for it<input name="responsible" required maxLength={128} defaultValue={me.value?.name} /></label>
        </New>
      )}
    </>
  );
}

/** The study stands in the address, so that a list or the reading room can lead here with it. */
function StudyHere() {
  const [study, set] = useState(address.value.searchParams.get("study") ?? "");
  const keep = (value: string) => {
    set(value);
    const next = new URL(location.href);
    next.searchParams.set("study", value);
    history.replaceState(history.state, "", next);
    address.value = next;
  };
  return <StudyField name="" value={study} keep={keep} />;
}

function Row({ alert, ladder, again }: { alert: Alert; ladder: string[]; again: () => void }) {
  const [shape, css, words] = LEVELS[alert.level] ?? LEVELS[3]!;
  const over = alert.left_s < 0;
  const glass = alert.source === "glass";
  const asked = glass ? GLASS.slice(alert.responsible ? 0 : 1) : ladder;
  const reached = glass && !alert.responsible ? 0 : alert.rung;
  return (
    <tr>
      <th scope="row"><span class={css}><span aria-hidden="true">{shape}</span> {words}</span></th>
      <td>{glass ? alert.finding : <a href={to.study(alert.study)}>{alert.finding}</a>}<span class="sub"><span class="id">{alert.patient}</span> {[alert.description || alert.modalities.join(" "), alert.accession].filter(Boolean).join(" · ")}</span></td>
      <td>{alert.ended ? <span class="muted">{moment(alert.ended)} UTC</span> : <span class={over ? "now" : undefined}>{waited(Math.abs(alert.left_s))} {over ? "over" : "left"}</span>}<span class="sub when">{alert.source === "unread" ? "flagged by a machine" : glass ? `opened by ${alert.by}` : `seen by ${alert.by}`} {moment(alert.identified)} UTC</span></td>
      <td><ol class="ladder">{asked.map((rung, i) => <li key={rung} class={i === reached && !alert.ended ? "reached" : undefined} aria-current={i === reached && !alert.ended ? "step" : undefined}>{i === 0 && alert.responsible ? (RUNGS[alert.responsible] ?? alert.responsible) : RUNGS[rung] ?? rung}</li>)}</ol></td>
      <td>
        {alert.ended ? (alert.told?.reviewed ? `looked through by ${alert.told.reviewed}` : alert.told?.opened ? `study opened by ${alert.told.opened}` : `${alert.told?.recipient}, ${alert.told?.method}, by ${alert.told?.communicator}`)
          : alert.source === "unread" ? <a href={to.study(alert.study)}>Open the study: that ends it</a>
          : may("sign") ? <Tell alert={alert} again={again} /> : <span class="muted">nobody yet</span>}
      </td>
    </tr>
  );
}

/** Somebody is told: the six fields of a critical result. */
function Tell({ alert, again }: { alert: Alert; again: () => void }) {
  const act = useRef(new Act()).current;
  const [call, change] = useState(() => firstCall(alert.identified));
  const send = async (event: SubmitEvent) => {
    event.preventDefault();
    const [one] = told(call, [alert.finding]);
    if (await act.send(`/api/alerts/${alert.id}/acknowledge`, one)) again();
  };
  return (
    <details class="because">
      <summary>Tell somebody</summary>
      <form onSubmit={(event) => void send(event)}>
        <Critical names={[alert.finding]} call={call} change={change} focus={false} />
        <p class="acts"><button type="submit" disabled={!isWhole(call) || act.busy.value}>It was told</button></p>
      </form>
      <Refusal of={act} />
    </details>
  );
}

/** What was signed as critical and told to nobody: told in the study itself, where the finding is. */
function Untold() {
  const held = useRef<ReturnType<typeof openCriticals>>(null);
  held.current ??= openCriticals();
  useEffect(() => held.current!.follow(), []);
  const rows = held.current.source.value?.rows ?? [];
  if (rows.length === 0) return <Lacking of={held.current.source} what="Which critical findings were signed and told to nobody" />;
  return (
    <section aria-labelledby="untold">
      <h2 id="untold">Signed as critical, told to nobody <span class="muted">{count(rows.length, "study", "studies")}</span></h2>
      <table class="plain wide">
        <thead><tr><th scope="col">Since</th><th scope="col">Finding</th><th scope="col">Signed</th><th scope="col">Why not yet</th></tr></thead>
        <tbody>
          {rows.map((one) => (
            <tr key={one.study}>
              <th scope="row"><span class={one.late ? "tag now" : "tag soon"}><span aria-hidden="true">{one.late ? "⬢" : "▲"}</span> {waited((Date.now() - Date.parse(one.signed)) / 1000)}</span></th>
              <td><a href={to.study(one.study)}>{one.findings.map((each) => each.what).join(", ")}</a><span class="sub">{[one.description || one.modalities.join(" "), one.accession].filter(Boolean).join(" · ")}</span></td>
              <td>{moment(one.signed)} UTC <span class="muted">by {one.by}</span></td>
              <td>{one.why}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
