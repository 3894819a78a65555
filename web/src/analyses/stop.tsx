import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { ask } from "../api/door";
import { asTrouble } from "../api/load";
import type { Stop } from "../api/shapes";
import { Key } from "../kit/marks";
import { may, me, ruleOf } from "../me";
import { moment, spoken } from "../words";

/** One press and a reason stop it everywhere; to start it again takes another person. */
export function StopForm({ path, what, stopped, stopKey, asked, done }: { path: string; what: string; stopped: Stop[]; stopKey: string; asked: number; done: () => void }) {
  const [chosen, choose] = useState<{ open: boolean; asked: number }>({ open: false, asked: 0 });
  const open = chosen.open || asked > chosen.asked; // by the button, or by the key
  const [reason, setReason] = useState("");
  const [refused, setRefused] = useState("");
  const field = useRef<HTMLInputElement>(null);
  useLayoutEffect(() => {
    if (open) field.current?.focus();
  }, [open, asked]);
  const form = useRef<HTMLFormElement>(null);
  const before = useRef(stopped.length);
  useLayoutEffect(() => {
    // What the act did stands where the act was: the focus stays there.
    if (stopped.length && !before.current) form.current?.focus();
    before.current = stopped.length;
  }, [stopped.length]);
  const act = stopped.length ? "resume" : "stop";
  const send = async (event: SubmitEvent) => {
    event.preventDefault();
    try {
      await ask(`${path}/${act}`, { method: "POST", body: { reason: reason.trim() } });
      setReason("");
      setRefused("");
      done();
    } catch (error) {
      const trouble = asTrouble(error);
      setRefused(`${trouble.message}. ${trouble.remedy}`);
    }
  };
  const allowed = may("stop");
  if (!stopped.length && !allowed) return <p class="muted">{ruleOf("stop")}</p>;
  if (!stopped.length && !open) return <p class="acts"><button type="button" onClick={() => choose({ open: true, asked })}><span class="now" aria-hidden="true">⬢</span> Stop it everywhere <Key of={stopKey} /></button></p>;
  const mine = stopped.some((one) => one.by === me.value?.name);
  return (
    <form ref={form} tabIndex={-1} class={stopped.length ? "stop-form stopped" : "stop-form"} onSubmit={send} aria-label={stopped.length ? `Start ${what} again` : `Stop ${what} everywhere`}>
      {stopped.map((one) => <p key={one.analysis}><span class="now"><span aria-hidden="true">⬢</span> Stopped</span> {spoken(one.analysis)}, by {one.by}, {moment(one.when)} UTC: {one.reason}</p>)}
      {refused && <p class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> {refused}</p>}
      {!allowed ? <p class="muted">{ruleOf("stop")}</p> : stopped.length > 0 && mine ? <p class="muted">You stopped it; somebody else can start it again.</p> : (
        <div class="reason">
          <label>{stopped.length ? "Why it may start again" : "Why it is stopped"}<input ref={field} required maxLength={1000} value={reason} autocomplete="off" onInput={(event) => setReason(event.currentTarget.value)} /></label>
          <button>{stopped.length ? "Start it again" : <><span class="now" aria-hidden="true">⬢</span> Stop it everywhere</>} {!stopped.length && <Key of={stopKey} />}</button>
        </div>
      )}
      {!stopped.length && <button type="button" class="quiet" onClick={() => choose({ open: false, asked })}>Leave it running</button>}
      {!stopped.length && <p class="muted">At once: it is run on no study, raises none on the worklist, and nothing of it leaves the house unconfirmed. What it said before stays, marked. Starting it again takes another person.</p>}
    </form>
  );
}
