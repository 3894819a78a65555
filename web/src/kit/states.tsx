import type { ComponentChildren } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { Loaded } from "../api/load";
import type { Trouble } from "../api/door";
import { clock } from "../words";

/** The seven states of every screen, drawn once: empty, loading, error, no permission, refused, offline, stale. */

export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <section class="state" aria-label={title}>
      <h2>{title}</h2>
      <div class="muted">{children}</div>
    </section>
  );
}

/** Nothing for 150 ms, then still bars, after 5 s what we wait for. Never a spinner. */
export function Loading({ what, bars = 6 }: { what: string; bars?: number }) {
  const [waited, setWaited] = useState(0);
  useEffect(() => {
    const soon = setTimeout(() => setWaited(1), 150);
    const late = setTimeout(() => setWaited(2), 5000);
    return () => (clearTimeout(soon), clearTimeout(late));
  }, []);
  if (waited === 0) return <div class="state" aria-busy="true" />;
  return (
    <section class="state" aria-busy="true" aria-label={`Loading ${what}`}>
      <p class="muted" role="status">{waited === 2 ? `Still waiting for ${what}. It ends by itself when nothing comes.` : `Loading ${what}`}</p>
      {Array.from({ length: bars }, (_, i) => <div key={i} class="bone" />)}
    </section>
  );
}

export function Failed({ trouble, again }: { trouble: Trouble; again?: () => void }) {
  if (trouble.status === 403) return <NoPermission trouble={trouble} />;
  if (trouble.unreached) return <Offline trouble={trouble} again={again} />;
  return (
    <section class="state" role="alert">
      <h2><span class="soon" aria-hidden="true">▲</span> {trouble.what}</h2>
      {trouble.why && <p>{trouble.why}</p>}
      {trouble.remedy && <p class="muted">{trouble.remedy}</p>}
      {again && <button type="button" onClick={again}>Try again</button>}
    </section>
  );
}

export function NoPermission({ trouble }: { trouble: Trouble }) {
  return (
    <section class="state" role="alert">
      <h2>Not yours to see</h2>
      <p>{trouble.why || trouble.what}</p>
      <p class="muted">{trouble.remedy || "An administrator of this site can change your role."}</p>
    </section>
  );
}

/** The data cannot carry it: what was wanted, what is there. */
export function Refused({ title, reasons }: { title: string; reasons: string[] }) {
  return (
    <section class="refused" aria-label={title}>
      <strong>{title}</strong>
      <ul>{reasons.map((reason) => <li key={reason}>{reason}</li>)}</ul>
    </section>
  );
}

export function Offline({ trouble, again }: { trouble: Trouble; again?: () => void }) {
  return (
    <section class="state" role="alert">
      <h2><span class="soon" aria-hidden="true">▲</span> Offline: {trouble.what.toLowerCase()}</h2>
      <p class="muted">{trouble.why}. What you did here is kept and sent when the connection is back.</p>
      {again && <button type="button" onClick={again}>Try again</button>}
    </section>
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

/** Draw a source in whichever state it is. */
export function Show<T>({ state, what, again, children }: { state: Loaded<T>; what: string; again: () => void; children: (value: T) => ComponentChildren }) {
  if (state.at === "loading") return <Loading what={what} />;
  if (state.at === "failed") return <Failed trouble={state.trouble} again={again} />;
  return <>{state.stale && <Stale time={state.time} again={again} />}{children(state.value)}</>;
}
