import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { ask } from "../api/door";
import { asTrouble } from "../api/load";
import type { Stop } from "../api/shapes";
import { Key } from "../kit/marks";
import { may, me, ruleOf } from "../me";
import { moment, spoken, whyStopped } from "../words";

/** How long one's own stop can be taken back. The server counts it too, and has the last word. */
const UNDO_S = 5;

/** What a key asked for, as a number that grows. */
export interface Asked {
  stop: number;
  undo: number;
}

/** One press stops it everywhere; for five seconds the same person takes it back; why is asked beside it. To start it again takes another person; a model that was released comes back by its gate (`gate`) and not by a word. */
export function StopForm({ path, what, stopped, gate, keys, asked, done }: { path: string; what: string; stopped: Stop[]; gate?: { command: string; href: string }; keys: { stop: string; undo: string }; asked: Asked; done: () => void }) {
  const [refused, setRefused] = useState("");
  const [left_s, setLeft] = useState(0);
  const form = useRef<HTMLDivElement>(null);
  const send = async (act: string, reason = "") => {
    try {
      await ask(`${path}/${act}`, { method: "POST", body: { reason } });
      setRefused("");
      setLeft(act === "stop" ? UNDO_S : 0);
      done();
      return true;
    } catch (error) {
      const trouble = asTrouble(error);
      setRefused(trouble.told);
      return false;
    }
  };
  useEffect(() => {
    if (!left_s) return;
    const clock = setTimeout(() => setLeft(left_s - 1), 1000);
    return () => clearTimeout(clock);
  }, [left_s]);
  const heard = useRef(asked);
  useEffect(() => {
    const before = heard.current;
    heard.current = asked;
    if (asked.stop > before.stop && !stopped.length && may("stop")) void send("stop");
    if (asked.undo > before.undo && left_s) void send("stop/undo");
  }, [asked.stop, asked.undo]);
  const before = useRef(stopped.length);
  useLayoutEffect(() => {
    // What the act did stands where the act was: the focus stays there, on the way back while there is one.
    if (!!stopped.length !== !!before.current) (form.current?.querySelector<HTMLElement>("[data-first]") ?? form.current)?.focus();
    before.current = stopped.length;
  }, [stopped.length]);
  const timed = useRef(false);
  useLayoutEffect(() => {
    // The way back is gone: who still stood on it stands at the question why, and on nothing that acts.
    if (timed.current && !left_s && document.activeElement === document.body) form.current?.querySelector<HTMLElement>("input")?.focus();
    timed.current = !!left_s;
  }, [left_s]);
  const allowed = may("stop");
  const trouble = refused && <p class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {refused}</p>;
  if (!stopped.length) {
    if (!allowed) return <p class="muted">{ruleOf("stop")}</p>;
    return (
      <div ref={form} tabIndex={-1}>
        {trouble}
        <p class="acts"><button type="button" onClick={() => void send("stop")}><span class="now" aria-hidden="true">⬢</span> Stop it everywhere <Key of={keys.stop} /></button> <span class="muted">At once: it is run on no study, raises none on the worklist, and nothing of it leaves the house unconfirmed. What it said before stays, marked. You can take it back for {UNDO_S} seconds; then starting it again takes another person.</span></p>
      </div>
    );
  }
  const mine = stopped.some((one) => one.by === me.value?.name);
  const way = gate && <p class="muted">It had been released, and comes back by another person once it holds on cases that were sealed since. Its <a href={gate.href}>gate</a> says what is missing. <code>{gate.command}</code></p>;
  const unsaid = stopped.some((one) => one.by === me.value?.name && !one.reason);
  return (
    <div ref={form} tabIndex={-1} class="stop-form stopped" role="group" aria-label={`${what} is stopped everywhere`}>
      {stopped.map((one) => <p key={one.analysis}><span class="now"><span aria-hidden="true">⬢</span> Stopped</span> {spoken(one.analysis)}, by {one.by}, {moment(one.when)} UTC: {whyStopped(one.reason)}</p>)}
      {trouble}
      {left_s > 0 && mine && <p class="acts"><button type="button" data-first onClick={() => void send("stop/undo")}>Take it back <Key of={keys.undo} /></button> <span class="muted">{left_s} s, by you alone</span></p>}
      {!allowed ? <p class="muted">{ruleOf("stop")}</p> : mine ? (
        <>
          {unsaid && <Reason words="Why it is stopped" button="Record the reason" send={(reason) => send("stop/reason", reason)} />}
          {unsaid ? <p class="muted">It is stopped already. The reason stands with the stop on every page, and until it is recorded each says that it is missing.</p> : !gate && <p class="muted">You stopped it; somebody else can start it again.</p>}
          {gate && way}
        </>
      ) : gate ? way : <Reason words="Why it may start again" button="Start it again" send={(reason) => send("resume", reason)} />}
    </div>
  );
}

function Reason({ words, button, send }: { words: string; button: string; send: (reason: string) => Promise<boolean> }) {
  const [reason, setReason] = useState("");
  return (
    <form class="reason" onSubmit={(event) => (event.preventDefault(), void send(reason.trim()).then((sent) => sent && setReason("")))}>
      <label>{words}<input required maxLength={1000} value={reason} autocomplete="off" onInput={(event) => setReason(event.currentTarget.value)} /></label>
      <button>{button}</button>
    </form>
  );
}
