import { useEffect, useState } from "preact/hooks";
import { ask } from "../api/door";
import { type Call, Critical, firstCall, isWhole, told as toldOf } from "../critical/fields";
import type { OpenCriticals } from "../critical/open";
import { Dialog } from "../kit/dialog";
import { keyOf } from "../keys/keyboard";
import { Key } from "../kit/marks";
import { me } from "../me";
import { count, person, sentence } from "../words";
import { titleOf } from "./naming";
import type { Desk } from "./desk";
import { Ways } from "./ways";
import type { Found } from "./session";

/** The last look before a name goes under it: what is undecided, what was not looked for, which images were never on screen, who was told of what cannot wait. */
export function SignDialog({ desk, away }: { desk: Desk; away: boolean }) {
  return desk.signing.value ? <Signing desk={desk} away={away} /> : null;
}

function Signing({ desk, away }: { desk: Desk; away: boolean }) {
  const { session } = desk;
  const study = session.study.value!;
  const close = () => (desk.signing.value = false);
  const found = session.cards.value.map(({ first }) => first);
  const undecided = session.undecided.value;
  const not = (session.plan.value ?? []).filter((one) => one.answer === "declined" || one.answer === "failed").length;
  const doubts = session.report.value?.disagreements?.length ?? 0;
  const images = study.series.filter((one) => one.viewable).reduce((sum, one) => sum + one.images, 0);
  const shown = Math.min(images, desk.evidence.pictures.value.size);
  const later = found.filter(({ finding, compared }) => (finding.verdict === "added" ? !compared : ["kept", "changed"].includes(finding.verdict) && compared?.relation === "adds")).length;
  const struck = found.filter((one) => one.finding.verdict === "struck").length;
  const [urgent, setUrgent] = useState<string[]>([]);
  const declared = found.filter((one) => one.result.urgency === "now" && ["kept", "changed"].includes(one.finding.verdict));
  const others = found.filter((one) => !declared.includes(one) && ["kept", "changed", "added"].includes(one.finding.verdict));
  const critical = [...declared, ...others.filter((one) => urgent.includes(one.finding.tracking))];
  const [call, setCall] = useState<Call>(() => firstCall(session.reading.value?.opinion?.locked ?? session.reading.value?.opened));
  const [untold, setUntold] = useState("");
  const both = critical.length > 0 && !!untold.trim() && !!call.recipient.trim();
  const told = !critical.length || (!both && (!!untold.trim() || isWhole(call)));
  const ready = !undecided && told;
  const amends = session.reading.value?.state === "amending";
  useEffect(() => {
    // What an earlier version left open is asked for again; without an answer the server still refuses to let it drop.
    if (amends) ask<OpenCriticals>(`/api/critical?study=${session.uid}`).then((open) => setUrgent(open.rows.flatMap((row) => row.findings.map((one) => one.finding))), () => undefined);
  }, [amends]);
  const sign = () => {
    if (!ready) return;
    close();
    const by = critical.length && !untold.trim() ? toldOf(call, critical.map((one) => one.finding.tracking)) : [];
    session.sign({ told: by, untold: critical.length ? untold.trim() : "", urgent: critical.map((one) => one.finding.tracking), shown: { of: images, shown } });
  };
  return (
    <Dialog title={`${amends ? "Sign amendment" : "Sign"}: ${person(study.patient.name)} · ${study.patient.id}${study.accession ? ` · ${study.accession}` : ""}`} close={close} away={away}>
      <form onSubmit={(event) => (event.preventDefault(), sign())} onKeyDown={(event) => { if (event.key === "Enter" && event.ctrlKey) { event.preventDefault(); sign(); } }}>
        <dl class="check-list">
          <div class={undecided ? "soon" : undefined}><dt>Undecided</dt><dd>{undecided === 0 ? "0 ✓" : `${undecided}: keep, change or strike each first`}</dd></div>
          <div><dt>Not looked</dt><dd>{count(not, "analysis", "analyses")}</dd></div>
          {doubts > 0 && <div class="soon"><dt>Words in doubt</dt><dd>{count(doubts, "place")} where the words and the findings differ, or a blank is open</dd></div>}
          <div><dt>Images not shown</dt><dd>{images - shown} of {images}</dd></div>
          {session.comparison.value && <div><dt>Changed after AI</dt><dd>{later ? `${count(later, "finding")} that you had not said` : "nothing"}{struck > 0 && ` · ${struck} struck`}</dd></div>}
          <div><dt>Goes to</dt><dd><Ways study={session.uid} signed="" /></dd></div>
        </dl>
        {others.length > 0 && <Urgent others={others} urgent={urgent} change={setUrgent} />}
        {critical.length > 0 && <Critical names={critical.map((one) => titleOf(one.finding))} call={call} change={setCall} untold={untold} because={setUntold} />}
        <p class="muted">Signing seals the report with your name, the time and a digest. {amends ? "The version before stays, and both name each other." : "An amendment later is a new version; this one stays."}</p>
        {!undecided && !told && <p role="status"><span class="soon" aria-hidden="true">▲</span> {both ? "Either somebody was told, or nobody could be: empty one of the two." : "To sign, fill in who was told, or say why nobody could be told yet."}</p>}
        <div class="acts">
          <button class="primary" aria-disabled={!ready} disabled={undecided > 0} autofocus={ready}>Sign as {me.value?.name} <Key of={keyOf("room", "sign")} /></button>
          <button type="button" onClick={close} autofocus={undecided > 0}>Not yet</button>
        </div>
      </form>
    </Dialog>
  );
}

/** Another person was faster: theirs is on screen now, ours can go on top. */
export function ConflictDialog({ desk, away }: { desk: Desk; away: boolean }) {
  const conflict = desk.session.acts.conflict.value;
  if (!conflict) return null;
  const close = () => (desk.session.acts.conflict.value = null);
  return (
    <Dialog title="Another version came first" close={close} away={away}>
      <p>{sentence(conflict.trouble.what)}: {conflict.trouble.why}.</p>
      <p><span class="muted">Yours, not saved:</span> {conflict.mine}</p>
      <p class="muted">The newer version is on the page behind this window.</p>
      <div class="acts">
        <button type="button" class="primary" onClick={close}>Keep theirs</button>
        <button type="button" onClick={() => (close(), conflict.again())}>Send mine on top</button>
      </div>
    </Dialog>
  );
}

/** What the reader says cannot wait, of what no analysis says so: a person is told of it then, or it stays open. */
function Urgent({ others, urgent, change }: { others: Found[]; urgent: string[]; change: (urgent: string[]) => void }) {
  return (
    <details class="urgent">
      <summary>Is there anything that cannot wait?{urgent.length > 0 && ` ${count(urgent.length, "finding")}`}</summary>
      {others.map(({ finding }) => (
        <label class="tick" key={finding.tracking}>
          <input type="checkbox" checked={urgent.includes(finding.tracking)} onChange={(event) => change(event.currentTarget.checked ? [...urgent, finding.tracking] : urgent.filter((one) => one !== finding.tracking))} /> {titleOf(finding)}
        </label>
      ))}
    </details>
  );
}
