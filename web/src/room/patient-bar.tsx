import type { Study } from "../api/shapes";
import { keyOf } from "../keys/keyboard";
import { Key, LevelMark } from "../kit/marks";
import { now } from "../kit/minute";
import { age, clock, day, person, until } from "../words";
import { useEffect, useRef } from "preact/hooks";
import type { Session } from "./session";

/** Who this is. One study owns the screen; its identity stands above image and report alike. `frozen`: there is no way but out; `alone`: above a panel without images. */
export function PatientBar({ session, study, frozen, leave, sign, alone = false }: { session: Session; study: Study; frozen: boolean; leave: () => void; sign: () => void; alone?: boolean }) {
  const { patient } = study;
  const reading = session.reading.value;
  const what = `${study.description || study.modalities.join(" ")} ${day(study.date)}`;
  const years = age(patient.birth_date, study.date);
  return (
    <header class="bar patient" aria-label="Patient" data-region tabIndex={-1}>
      <button type="button" class="quiet" onClick={leave}><span aria-hidden="true">←</span> {alone ? "Close" : "Worklist"} <Key of={keyOf("room", "leave")} /></button>
      <h1>{person(patient.name)}</h1>
      <span class="id">{patient.id}</span>
      {patient.birth_date && <span>b. {day(patient.birth_date)}{years && ` (${years})`}</span>}
      {patient.sex && <span>{patient.sex}</span>}
      {study.accession && <span>Acc <span class="id">{study.accession}</span></span>}
      <span class="what" title={what}>{what}</span>
      <span class="gap" />
      {study.due && reading?.state !== "signed" && <Due of={study.due} />}
      <Saved session={session} />
      <State session={session} />
      {session.heldByOther.value && !frozen && <button type="button" title={`If ${reading!.by} has done nothing for half an hour`} onClick={() => session.open()}>Take it over <Key of={keyOf("room", "take-over")} /></button>}
      {session.mine.value && !frozen && <button type="button" class="primary" onClick={sign}>Sign <Key of={keyOf("room", "sign")} /></button>}
      {reading?.state === "signed" && <a class="button" href={`/api/readings/${study.uid}/report.pdf`} target="_blank" rel="noopener">PDF</a>}
      {session.amendable.value && !frozen && <button type="button" onClick={() => session.open()}>Amend <Key of={keyOf("room", "amend")} /></button>}
    </header>
  );
}

/** Until when it should be read, as its row of the worklist says. */
function Due({ of: { level, at } }: { of: NonNullable<Study["due"]> }) {
  return <span class="due" title={`To be read by ${clock(new Date(at), "minute")}`}><LevelMark level={level} due={until(at, now.value)} /></span>;
}

/** When one's own opinion was locked, and with it what machines say came on screen. */
function Locked({ session }: { session: Session }) {
  const at = session.reading.value?.opinion?.locked;
  return at ? <span class="muted locked">locked {clock(new Date(at), "minute")}, AI shown</span> : null;
}

function State({ session }: { session: Session }) {
  const reading = session.reading.value;
  if (!reading) return null;
  if (reading.state === "signed") return <span class="tag fine"><span aria-hidden="true">✓</span> Signed by {reading.signed_by || reading.by || "a reader"}</span>;
  if (session.mine.value) return <><Locked session={session} /><span class="tag person"><span aria-hidden="true">●</span> {reading.state === "amending" ? "You amend" : "You read"}</span></>;
  if (reading.by) return <span class="tag soon"><span aria-hidden="true">▲</span> {reading.by} has it open: read only</span>;
  return <span class="muted">not open: read only</span>;
}

/** How far one's acts have come. It keeps its width, so that the bar never breaks into another line while somebody draws. */
function Saved({ session }: { session: Session }) {
  const { acts } = session;
  const unsent = acts.unsent.value;
  return <span class={unsent ? "saved soon" : "saved muted"} role="status" title={acts.waiting.value.map((act) => act.words).join("\n") || undefined}>{unsent ? `${unsent} being sent` : acts.saved.value && `saved ${clock(acts.saved.value)}`}</span>;
}

/** A study in another window: two patients at once is how reports get mixed up, so both windows stop until one is closed. */
export function useOnlyStudy(uid: string, other: (study: string | null) => void): void {
  const window_id = useRef(crypto.randomUUID?.() ?? String(Math.random()));
  useEffect(() => {
    const channel = new BroadcastChannel("isocenter-study");
    const open = new Map<string, string>();
    const tell = (kind: string) => channel.postMessage({ kind, uid, from: window_id.current });
    channel.onmessage = ({ data }: MessageEvent<{ kind: string; uid: string; from: string }>) => {
      if (data.kind === "closed") open.delete(data.from);
      else open.set(data.from, data.uid);
      if (data.kind === "opened") tell("here");
      other([...open.values()].find((one) => one !== uid) ?? null);
    };
    const bye = () => tell("closed");
    tell("opened");
    addEventListener("pagehide", bye);
    return () => (bye(), removeEventListener("pagehide", bye), channel.close());
  }, [uid]);
}
