import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Loaded, Progress, Source } from "../api/load";
import { Trouble } from "../api/door";
import { may, ruleOf } from "../me";
import { waitingActs } from "../api/waiting";
import { clock, count, sentence } from "../words";

/** The seven states of every screen, drawn once: empty, loading, error, no permission, refused, offline, stale. */

/** What would be here, and the next act. */
export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <section class="state" aria-label={title}>
      <h2>{title}</h2>
      <div class="muted">{children}</div>
    </section>
  );
}

/** Nothing for 150 ms, then still bars and counts, after 5 s what we wait for and a way out. Never a spinner. */
export function Loading({ what, bars = 6, progress, cancel }: { what: string; bars?: number; progress?: Progress; cancel?: () => void }) {
  const [waited, setWaited] = useState(0);
  useEffect(() => {
    const soon = setTimeout(() => setWaited(1), 150);
    const late = setTimeout(() => setWaited(2), 5000);
    return () => (clearTimeout(soon), clearTimeout(late));
  }, []);
  if (waited === 0) return <div class="state" aria-busy="true" />;
  return (
    <section class="state" aria-busy="true" aria-label={`Loading ${what}`}>
      <p class="muted" role="status">
        {waited === 2 ? `Still waiting for ${what}.` : `${progress?.computing ? "Computing" : "Loading"} ${what}`}
        {progress && (waited === 2 ? ` ${progress.computing ? "Computing" : "Loading"} ${progress.done} of ${progress.of} ${progress.unit}.` : `: ${progress.done} of ${progress.of} ${progress.unit}`)}
        {waited === 2 && " It ends by itself when nothing comes."}
      </p>
      {waited === 2 && cancel && <p><button type="button" onClick={cancel}>Cancel</button></p>}
      {Array.from({ length: bars }, (_, i) => <div key={i} class="bone" />)}
    </section>
  );
}

/** What failed, what still stands, the remedy, and the number under which the server's log has it. */
export function Failed({ trouble, again, stands }: { trouble: Trouble; again?: () => void; stands?: string }) {
  if (trouble.status === 403) return <NoPermission trouble={trouble} />;
  if (trouble.unreached) return <Offline trouble={trouble} again={again} />;
  return (
    <section class="state" role="alert">
      <h2><span class="soon" aria-hidden="true">▲</span> {sentence(trouble.what)}</h2>
      {trouble.why && <p>{sentence(trouble.why)}.</p>}
      {stands && <p class="muted">{stands}</p>}
      {trouble.remedy && <p class="muted">{sentence(trouble.remedy)}.</p>}
      {trouble.event && <p class="muted">Number of this error in the server's log: <span class="id">{trouble.event}</span></p>}
      {again && <button type="button" onClick={again}>{trouble.kind === "cancelled" ? "Load it" : "Try again"}</button>}
    </section>
  );
}

/** The rule that refused, who can grant, and words to ask with. */
export function NoPermission({ trouble, children }: { trouble: Trouble; children?: ComponentChildren }) {
  const [copied, setCopied] = useState(false);
  const request = `I was refused: ${trouble.what}. ${trouble.why}. (${location.pathname})`;
  return (
    <section class="state" role="alert">
      <h2>Not yours to see</h2>
      <p>{trouble.what}{trouble.why && `: ${trouble.why}`}.</p>
      <p class="muted">Who can grant it: {trouble.remedy || "an administrator of this site can change your role"}.</p>
      {children}
      <p class="acts">
        <button type="button" onClick={() => void navigator.clipboard?.writeText(request).then(() => setCopied(true))}>Copy a request</button>
        {copied && <span class="muted" role="status">Copied: send it to whoever can grant it.</span>}
      </p>
    </section>
  );
}

/** What a right lets a person see or do here; without it the rule in its place, so that nothing is offered that would be refused. */
export function WithRight({ verb, children }: { verb: string; children: ComponentChildren }) {
  if (may(verb)) return <>{children}</>;
  return <NoPermission trouble={new Trouble(403, ruleOf(verb).replace(/\.$/, ""), "", "", "Forbidden")} />;
}

/** One predicate that the data did not meet. */
export interface Unmet {
  predicate: string;
  wanted: string;
  found: string;
}

/** The data cannot carry it: what was wanted, what is there. */
export function Refused({ title, reasons = [], unmet = [] }: { title: string; reasons?: string[]; unmet?: Unmet[] }) {
  return (
    <section class="refused" aria-label={title}>
      <strong>{title}</strong>
      {reasons.length > 0 && <ul>{reasons.map((reason) => <li key={reason}>{reason}</li>)}</ul>}
      {unmet.length > 0 && (
        <table class="plain">
          <thead><tr><th scope="col">What</th><th scope="col">Wanted</th><th scope="col">Found</th></tr></thead>
          <tbody>{unmet.map((one) => <tr key={one.predicate + one.found}><td>{one.predicate}</td><td>{one.wanted}</td><td>{one.found}</td></tr>)}</tbody>
        </table>
      )}
    </section>
  );
}

export function Offline({ trouble, again }: { trouble: Trouble; again?: () => void }) {
  return (
    <section class="state" role="alert">
      <h2><span class="soon" aria-hidden="true">▲</span> Offline: {trouble.what.toLowerCase()}</h2>
      <p class="muted">{trouble.why}. What is on screen can be read. <WaitingActs /></p>
      {again && <button type="button" onClick={again}>Try again</button>}
    </section>
  );
}

/** Every act that has not reached the server, by name. */
export function WaitingActs() {
  const acts = waitingActs.value;
  if (!acts.length) return <>No act of yours waits.</>;
  return (
    <details class="waiting-acts">
      <summary>{count(acts.length, "act")} of yours {acts.length === 1 ? "waits" : "wait"} to be sent</summary>
      <ul>{acts.map((words, i) => <li key={i}>{words}</li>)}</ul>
    </details>
  );
}

export function Stale({ time, again }: { time: Date; again: () => void }) {
  return (
    <p class="callout" role="status">
      <span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> This is the picture of {clock(time)}; the server cannot be reached.{" "}
      <button type="button" onClick={again}>Reload</button>
    </p>
  );
}

/** A line in the place of a part that did not come, where its absence would be good news. `what` begins the sentence. */
export function Lacking({ of, what }: { of: Source<unknown>; what: string }) {
  const state = of.state.value;
  if (state.at !== "failed" || state.trouble.status === 403) return null;
  return (
    <p class="callout slim" role="alert">
      <span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span>
      <span><strong>{what} could not be read.</strong> That is not to say that there is nothing. <span class="muted">{state.trouble.message}.</span></span>
      <button type="button" onClick={() => void of.load()}>Try again</button>
    </p>
  );
}

/** Draw a source in whichever state it is. */
export function Show<T>({ state, what, again, cancel, stands, children }: { state: Loaded<T>; what: string; again: () => void; cancel?: () => void; stands?: string; children: (value: T) => ComponentChildren }) {
  if (state.at === "loading") return <Loading what={what} progress={state.progress} cancel={cancel} />;
  if (state.at === "failed") return <Failed trouble={state.trouble} again={again} stands={stands} />;
  return <>{state.stale && <Stale time={state.time} again={again} />}{children(state.value)}</>;
}

/** The same for a whole source, with its own ways to begin again and to stop. */
export function Shown<T>({ of, what, stands, children }: { of: Source<T>; what: string; stands?: string; children: (value: T) => ComponentChildren }) {
  return <Show state={of.state.value} what={what} stands={stands} again={() => void of.load()} cancel={() => of.cancel()}>{children}</Show>;
}
