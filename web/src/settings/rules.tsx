import { useRef, useState } from "preact/hooks";
import { ask } from "../api/door";
import { asTrouble } from "../api/load";
import { PURPOSES } from "../sharing/consent";
import type { SiteSettings } from "./site-settings";

interface Set {
  unasked: Record<string, "allow" | "deny">;
  prior_side: "left" | "right";
}

const ANSWERS = { allow: "allowed", deny: "refused" } as const;

/** What holds where no terms of use are recorded, and where the earlier images hang. */
export function Rules({ told, put }: { told: SiteSettings; put: (next: SiteSettings) => void }) {
  const now: Set = { unasked: told.unasked, prior_side: told.prior_side };
  const [wanted, setWanted] = useState(now);
  const [reason, setReason] = useState("");
  const [refused, setRefused] = useState("");
  const summary = useRef<HTMLParagraphElement>(null);
  const fixed = !told.may_change;
  // Only what was touched: a purpose that is not named follows research, as it does in the command.
  const named = Object.fromEntries(Object.entries(wanted.unasked).filter(([purpose, answer]) => purpose in told.unasked_set || answer !== told.unasked[purpose]));
  const settings = { ...(touchedIn(wanted.unasked, told.unasked) && { unasked: named }), ...(wanted.prior_side !== told.prior_side && { prior_side: wanted.prior_side }) };
  const save = async (event: SubmitEvent) => {
    event.preventDefault();
    try {
      const next = await ask<SiteSettings>("/api/settings/site", { method: "PUT", body: { version: told.version, reason, settings } });
      put(next);
      setWanted({ unasked: next.unasked, prior_side: next.prior_side });
      setReason("");
      setRefused("");
    } catch (error) {
      setRefused(asTrouble(error).message);
      requestAnimationFrame(() => summary.current?.focus());
    }
  };
  return (
    <section aria-labelledby="rules">
      <h2 id="rules">Consent, and where priors hang</h2>
      <p class="muted">What data may be used for where no terms of use are recorded. Terms of a patient or study stand above it, and a withdrawal above all. What research may do training and sharing may too, unless they are set apart.</p>
      <form onSubmit={(event) => void save(event)}>
        {refused && <p ref={summary} tabIndex={-1} class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {refused}</p>}
        <table class="plain wide">
          <thead><tr><th scope="col">Without terms of use</th><th scope="col">Answer</th></tr></thead>
          <tbody>
            {Object.entries(wanted.unasked).map(([purpose, answer]) => (
              <tr key={purpose}>
                <td>{PURPOSES[purpose] ?? purpose}</td>
                <td>
                  <select aria-label={`Without terms of use: ${PURPOSES[purpose] ?? purpose}`} disabled={fixed} value={answer} onChange={(event) => setWanted({ ...wanted, unasked: { ...wanted.unasked, [purpose]: event.currentTarget.value as "allow" | "deny" } })}>
                    {Object.entries(ANSWERS).map(([value, words]) => <option key={value} value={value}>{words}</option>)}
                  </select>
                  <span class="origin"> {purpose in told.unasked_set ? "set here" : answer === told.unasked_shipped[purpose] ? "as shipped" : "as research"}</span>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
        <p class="acts"><label for="prior-side">Earlier images hang on the</label>
          <select id="prior-side" disabled={fixed} value={wanted.prior_side} onChange={(event) => setWanted({ ...wanted, prior_side: event.currentTarget.value as Set["prior_side"] })}><option value="left">left</option><option value="right">right</option></select>
          <span class="muted">for everybody here: the side of the prior is never a surprise</span></p>
        {fixed ? <p class="muted">{told.rule}</p> : Object.keys(settings).length > 0 && <div class="reason"><label>Reason, kept in the journal<input required maxLength={500} value={reason} onInput={(event) => setReason(event.currentTarget.value)} /></label><button class="primary">Change for everybody</button><button type="button" onClick={() => setWanted(now)}>Leave as it is</button></div>}
      </form>
    </section>
  );
}

function touchedIn(wanted: Set["unasked"], now: Set["unasked"]): boolean {
  return Object.entries(wanted).some(([purpose, answer]) => answer !== now[purpose]);
}
