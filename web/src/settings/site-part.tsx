import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../api/door";
import { asTrouble, Source } from "../api/load";
import { Shown } from "../kit/states";
import { to } from "../router";
import { moment } from "../words";
import { Changes } from "./changes";
import { Modes } from "./modes";
import { Rules } from "./rules";
import type { SiteSettings } from "./site-settings";

const LEVELS: Record<string, string> = { now: "Now (STAT)", soon: "Soon (high, urgent)", today: "Today (medium)", routine: "Routine" };

/** What the site set: what it may change while it runs, and what needs a restart. */
export function SitePart({ wanted }: { wanted: string }) {
  const source = useRef<Source<SiteSettings>>(null);
  source.current ??= new Source((abort) => ask<SiteSettings>("/api/settings/site", { abort }));
  const site = source.current;
  useEffect(() => void site.load(), []);
  return (
    <Shown of={site} what="how the site is set">
      {(told) => (
        <>
          {"limits classes due within worklist critical told".includes(wanted) && <Limits key={JSON.stringify([told.limits_min, told.told_within_min])} told={told} put={(next) => site.put(next)} />}
          {"region place institution country sharing transfer".includes(wanted) && <Place key={JSON.stringify([told.institution, told.country, told.region])} told={told} put={(next) => site.put(next)} />}
          {"consent terms of use research training sharing priors hanging side".includes(wanted) && <Rules key={JSON.stringify([told.unasked, told.unasked_set, told.prior_side])} told={told} put={(next) => site.put(next)} />}
          <Modes wanted={wanted} />
          {ELSEWHERE.some((one) => fits(one, wanted)) && <Elsewhere wanted={wanted} />}
          <section aria-labelledby="start">
            <h2 id="start">Set at start</h2>
            <p class="muted">From the environment or the command line. Each needs a restart of the server.</p>
            <table class="plain wide">
              <thead><tr><th scope="col">Setting</th><th scope="col">Now</th><th scope="col">Shipped</th><th scope="col">What it does</th></tr></thead>
              <tbody>
                {told.start.filter((one) => `${one.variable} ${one.about}`.toLowerCase().includes(wanted)).map((one) => (
                  <tr key={one.name}>
                    <td class="id">{one.variable}</td>
                    <td>{one.value === null ? <span class="faint">not told to your role</span> : `${one.value}` || <span class="faint">empty</span>}{one.changed && <span class="muted"> · changed</span>}</td>
                    <td class="muted">{`${one.shipped}` || "empty"}</td>
                    <td>{one.about}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          </section>
          <Changes key={told.version} told={told} put={(next) => site.put(next)} />
        </>
      )}
    </Shown>
  );
}

/** What the site sets on the page where it acts. */
const ELSEWHERE = [
  { words: "Stop rules of a model", where: "Models", at: to.models() },
  { words: "Senders and destinations", where: "Department, Peers", at: to.department("peers") },
  { words: "Retention: no image goes by its age; what was rejected is erased by two people", where: "Department, Rejected", at: to.department("rejected") },
  { words: "Terms of use of a patient or study", where: "Sharing, Consent", at: to.sharing("consent") },
] as const;

const fits = (one: (typeof ELSEWHERE)[number], wanted: string) => `${one.words} ${one.where}`.toLowerCase().includes(wanted);

function Elsewhere({ wanted }: { wanted: string }) {
  return (
    <section aria-labelledby="elsewhere">
      <h2 id="elsewhere">Set where it acts</h2>
      <ul class="bullets">
        {ELSEWHERE.filter((one) => fits(one, wanted)).map((one) => <li key={one.at}>{one.words}: <a href={one.at}>{one.where}</a></li>)}
      </ul>
    </section>
  );
}

function Limits({ told, put }: { told: SiteSettings; put: (next: SiteSettings) => void }) {
  const [limits, setLimits] = useState(told.limits_min);
  const [within, setWithin] = useState(told.told_within_min);
  const [reason, setReason] = useState("");
  const [refused, setRefused] = useState("");
  const summary = useRef<HTMLParagraphElement>(null);
  const save = async (event: SubmitEvent) => {
    event.preventDefault();
    try {
      put(await ask<SiteSettings>("/api/settings/site", { method: "PUT", body: { version: told.version, reason, settings: { limits_min: limits, told_within_min: within } } }));
      setReason("");
      setRefused("");
    } catch (error) {
      setRefused(asTrouble(error).message);
      requestAnimationFrame(() => summary.current?.focus());
    }
  };
  const touched = JSON.stringify(limits) !== JSON.stringify(told.limits_min) || within !== told.told_within_min;
  return (
    <section aria-labelledby="limits">
      <h2 id="limits">Limits of the classes</h2>
      <p class="muted">Within how many minutes after its arrival a study of each class is due. They order the worklist at once. {told.when ? `Changed by ${told.by}, ${moment(told.when)} UTC.` : "As shipped."}</p>
      <form onSubmit={save}>
        {refused && <p ref={summary} tabIndex={-1} class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {refused}</p>}
        <div class="limits">
          {Object.entries(limits).map(([level, minutes]) => (
            <label key={level}>{LEVELS[level] ?? level}<span class="with-unit"><input type="number" min="1" max="86400" required value={minutes} disabled={!told.may_change} onInput={(event) => setLimits({ ...limits, [level]: Number(event.currentTarget.value) })} /> min</span><span class="muted">shipped {told.limits_shipped_min[level]}</span></label>
          ))}
          <label>A critical result is told<span class="with-unit"><input type="number" min="1" max="86400" required value={within} disabled={!told.may_change} onInput={(event) => setWithin(Number(event.currentTarget.value))} /> min</span><span class="muted">after the signature; then everybody is asked</span></label>
        </div>
        {told.may_change ? (
          touched && <div class="reason"><label>Reason, kept in the journal<input required maxLength={500} value={reason} onInput={(event) => setReason(event.currentTarget.value)} /></label><button class="primary">Change for everybody</button><button type="button" onClick={() => (setLimits(told.limits_min), setWithin(told.told_within_min))}>Leave as it is</button></div>
        ) : (
          <p class="muted">{told.rule}</p>
        )}
      </form>
    </section>
  );
}

/** Where this site is: terms of use ask it, and a link out of its region asks for a reason. */
function Place({ told, put }: { told: SiteSettings; put: (next: SiteSettings) => void }) {
  const here = { institution: told.institution, country: told.country, region: told.region.join(", ") };
  const [place, setPlace] = useState(here);
  const [reason, setReason] = useState("");
  const [refused, setRefused] = useState("");
  const summary = useRef<HTMLParagraphElement>(null);
  const save = async (event: SubmitEvent) => {
    event.preventDefault();
    const region = place.region.split(/[\s,]+/).filter(Boolean);
    const settings = { institution: place.institution.trim() || null, country: place.country || null, region: region.length ? region : null };
    try {
      const next = await ask<SiteSettings>("/api/settings/site", { method: "PUT", body: { version: told.version, reason, settings } });
      put(next);
      setPlace({ institution: next.institution, country: next.country, region: next.region.join(", ") });
      setReason("");
      setRefused("");
    } catch (error) {
      setRefused(asTrouble(error).message);
      requestAnimationFrame(() => summary.current?.focus());
    }
  };
  const field = (name: keyof typeof here, label: string, hint: string, more: object = {}) => (
    <label>{label}<input maxLength={128} autocomplete="off" disabled={!told.may_change} value={place[name]} {...more} onInput={(event) => setPlace({ ...place, [name]: event.currentTarget.value })} /><span class="muted">{hint}</span></label>
  );
  return (
    <section aria-labelledby="place">
      <h2 id="place">Where this site is</h2>
      <p class="muted">Terms of use that are limited to institutions or countries ask for it. Countries are two letters of ISO 3166. Where a region is set, a link asks in which country its recipient is, and outside the region for a reason.</p>
      <form onSubmit={(event) => void save(event)}>
        {refused && <p ref={summary} tabIndex={-1} class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {refused}</p>}
        <div class="limits">
          {field("institution", "Institution", "as terms of use name it")}
          {field("country", "Country", "such as DE", { pattern: "[A-Z]{2}", maxLength: 2, title: "two capital letters" })}
          {field("region", "Own region", "such as DE, FR, NL; empty: nothing is asked", { pattern: "\\s*([A-Z]{2}([\\s,]+[A-Z]{2})*)?[\\s,]*", maxLength: 1000, title: "countries, two capital letters each, with commas between" })}
        </div>
        {told.may_change && JSON.stringify(place) !== JSON.stringify(here) && <div class="reason"><label>Reason, kept in the journal<input required maxLength={500} value={reason} onInput={(event) => setReason(event.currentTarget.value)} /></label><button class="primary">Change for everybody</button><button type="button" onClick={() => setPlace(here)}>Leave as it is</button></div>}
        {!told.may_change && <p class="muted">{told.rule}</p>}
      </form>
    </section>
  );
}
