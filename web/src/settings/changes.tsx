import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../api/door";
import { asTrouble, Source } from "../api/load";
import { Key } from "../kit/marks";
import { Shown } from "../kit/states";
import { keyOf } from "../keys/keyboard";
import { moment } from "../words";
import type { SiteSettings } from "./site-settings";
import { type Change, historyOf, puttingBack, standing } from "./undo";

/** What was set for everybody, newest first; what still stands is put back with a reason, as a change of its own. */
export function Changes({ told, put }: { told: SiteSettings; put: (next: SiteSettings) => void }) {
  const source = useRef<Source<Change[]>>(null);
  source.current ??= new Source(() => historyOf("site"));
  const past = source.current;
  useEffect(() => {
    void past.load();
    return () => void (puttingBack.value = "");
  }, []);
  return (
    <section aria-labelledby="changes">
      <h2 id="changes">Changes</h2>
      <Shown of={past} what="the changes">{(changes) => changes.length === 0 ? <p class="muted">Nothing was changed since this archive was made.</p> : (
        <ul class="changes">
          {changes.map((one) => (
            <li key={one.version}>
              <span class="muted">{moment(one.when)} UTC</span> <strong>{one.by}</strong>: {sentence(one)}. <span class="muted">{one.reason}</span>
              {told.may_change && standing(changes).includes(one) && (puttingBack.value === one.version
                ? <PutBack of={one} told={told} put={put} />
                : <> <button type="button" class="quiet" onClick={() => (puttingBack.value = one.version)}>Put it back{one === standing(changes)[0] && <> <Key of={keyOf("settings", "undo")} /></>}<span class="hidden">: {names(one)}</span></button></>)}
            </li>
          ))}
        </ul>
      )}</Shown>
    </section>
  );
}

/** What would be again, and why; the journal keeps both. */
function PutBack({ of, told, put }: { of: Change; told: SiteSettings; put: (next: SiteSettings) => void }) {
  const [reason, setReason] = useState("");
  const [refused, setRefused] = useState("");
  const field = useRef<HTMLInputElement>(null);
  const summary = useRef<HTMLParagraphElement>(null);
  useEffect(() => field.current?.focus(), []);
  const save = async (event: SubmitEvent) => {
    event.preventDefault();
    const settings = Object.fromEntries(of.changes.map((one) => [one.name, one.was ?? null]));
    try {
      put(await ask<SiteSettings>("/api/settings/site", { method: "PUT", body: { version: told.version, reason, settings } }));
      puttingBack.value = "";
    } catch (error) {
      setRefused(asTrouble(error).message);
      requestAnimationFrame(() => summary.current?.focus());
    }
  };
  return (
    <form onSubmit={(event) => void save(event)} aria-label={`Put back: ${names(of)}`}>
      {refused && <p ref={summary} tabIndex={-1} class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {refused}</p>}
      <p>{of.changes.map((one) => `${spoken(one.name)} ${words(one.now)} → ${words(one.was)}`).join("; ")}</p>
      <div class="reason"><label>Reason, kept in the journal<input ref={field} required maxLength={500} value={reason} onInput={(event) => setReason(event.currentTarget.value)} /></label><button class="primary">Put it back for everybody</button><button type="button" onClick={() => (puttingBack.value = "")}>Leave as it is</button></div>
    </form>
  );
}

const spoken = (name: string) => name.replace(/_/g, " ");

const names = (one: Change) => one.changes.map((what) => spoken(what.name)).join(", ");

const sentence = (one: Change) => one.changes.map((what) => `${spoken(what.name)} ${words(what.was)} → ${words(what.now)}`).join("; ");

function words(value: unknown): string {
  if (value === null || value === undefined) return "as shipped";
  if (Array.isArray(value)) return value.join(", ");
  return typeof value === "object" ? Object.entries(value).map(([name, one]) => `${name} ${one}`).join(", ") : String(value);
}
