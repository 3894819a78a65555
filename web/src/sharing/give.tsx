import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../api/door";
import { asTrouble, Source } from "../api/load";
import type { Study } from "../api/shapes";
import { keyOf } from "../keys/keyboard";
import { Dialog } from "../kit/dialog";
import { Key } from "../kit/marks";
import { StudyField } from "../kit/study-field";
import { Typed } from "../kit/typed";
import { may } from "../me";
import { DayField } from "../oversight/period";
import { go, to } from "../router";
import { count, day, sentence } from "../words";
import { draft, type Draft, fresh, hoursTo, type May } from "./draft";

/** The page with these studies chosen. */
export function withStudies(studies: readonly string[]): string {
  const query = new URLSearchParams(studies.map((one) => ["study", one])).toString();
  return `${to.sharing()}${query && `?${query}`}`;
}

/** Which study is to be shared too, by its accession number. */
export function Choose({ chosen, close }: { chosen: readonly string[]; close: () => void }) {
  const take = (event: SubmitEvent) => {
    event.preventDefault();
    const uid = String(new FormData(event.currentTarget as HTMLFormElement).get("study") ?? "");
    close();
    go(withStudies([...new Set([...chosen, uid])]));
  };
  return (
    <Dialog title={chosen.length ? "Share one study more by the same link" : "Share a study"} close={close}>
      <form class="stack" onSubmit={take}>
        <StudyField label="Study" />
        <p class="acts"><button class="primary">{chosen.length ? "Add it" : "Say to whom, and until when"}</button><button type="button" onClick={close}>Cancel</button></p>
      </form>
    </Dialog>
  );
}

interface Given {
  link: string;
  code?: string;
  to: string;
}

const MAY: [May, string][] = [["download", "download: take the files, also into an archive of theirs"], ["measure", "measure on the page"]];

/** One link to some studies: what it gives and what not stands before the button. */
export function Give({ studies, region, again, add }: { studies: string[]; region: readonly string[]; again: () => void; add: () => void }) {
  const about = useRef<Source<Study[]>>(null);
  about.current ??= new Source((abort) => Promise.all(studies.map((uid) => ask<Study>(`/api/studies/${uid}`, { abort }))));
  const [given, setGiven] = useState<Given | null>(null);
  const [sending, setSending] = useState(false);
  const [refused, setRefused] = useState("");
  const [few, setFew] = useState(false);
  const first = useRef<HTMLInputElement>(null);
  const copy = useRef<HTMLButtonElement>(null);
  useEffect(() => (void about.current?.load(), first.current?.focus(), () => about.current?.stop()), []);
  useEffect(() => copy.current?.focus(), [given]);
  const known = about.current.value ?? [];
  const now = draft.value;
  const set = (change: Partial<Draft>) => (draft.value = { ...draft.peek(), ...change });
  const hours = hoursTo(now.until);
  const outside = region.length > 0 && !!countryOf(now.country) && !region.includes(now.country);
  const toggle = (one: May) => set({ may: now.may.includes(one) ? now.may.filter((other) => other !== one) : [...now.may, one] });
  const send = async (event: SubmitEvent) => {
    event.preventDefault();
    setSending(true);
    const { until: _, ...rest } = draft.peek(); // a field that is left by Enter has just been taken
    try {
      setGiven(await ask<Given>("/api/links", { method: "POST", body: { studies, ...rest, hours }, deadline_s: 60 }));
      setRefused("");
      draft.value = fresh();
      again();
    } catch (error) {
      const trouble = asTrouble(error);
      setRefused(trouble.told);
    }
    setSending(false);
  };
  return (
    <section class="for" aria-label="Share studies">
      <h2>Share {studies.length === 1 ? titleOf(known[0]) : count(studies.length, "study", "studies")}</h2>
      <ul class="bullets" aria-label="Studies of this link">
        {studies.length > 1 && studies.map((uid) => {
          const one = known.find((study) => study.uid === uid);
          return <li key={uid}>{titleOf(one)} <button type="button" class="quiet" onClick={() => go(withStudies(studies.filter((other) => other !== uid)), { replace: true })}>Leave out<span class="hidden"> {titleOf(one)}</span></button></li>;
        })}
      </ul>
      {!given && <p class="acts"><button type="button" onClick={add}>Add a study <Key of={keyOf("sharing", "share")} /></button></p>}
      {!given && <ul class="bullets" aria-label="What they will see and what not">
        {now.pseudonym ? <WithoutPerson studies={studies} to={now.to} few={setFew} /> : <AsReceived known={known} />}
        <li>They may: see the images{now.may.includes("measure") && ", measure in them"}{now.may.includes("download") && ", and take the files"}.{!now.may.includes("download") && " Files are refused."}</li>
        {now.check && <li>It opens nothing before they have said who they are, by a code that you tell them, and you have confirmed it here.</li>}
        <li>Each look is in the journal. It ends by itself{hours > 0 && ` after ${day(now.until)} (UTC)`}, and at once when you end it.</li>
        {outside && <li><span class="soon" aria-hidden="true">▲</span> {countryOf(now.country)} is outside this site's own region ({region.join(", ")}): a link asks you why it may leave. The journal keeps what you say.</li>}
        <Terms studies={studies} of={now} />
      </ul>}
      {refused && <p class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {refused}</p>}
      {given ? <Told of={given} copy={copy} /> : (
        <form class="give" onSubmit={(event) => void send(event)} aria-label="Give a link">
          <div class="add many">
            <label>For whom<input ref={first} required maxLength={200} autocomplete="off" defaultValue={now.to} onChange={(event) => set({ to: event.currentTarget.value })} /></label>
            <label>Institution (optional)<Typed maxLength={200} value={now.institution} taken={(words) => set({ institution: words.trim() })} /></label>
            <Country value={now.country} required={region.length > 0} set={(country) => set({ country })} />
            <label>For what<select value={now.purpose} onChange={(event) => set({ purpose: event.currentTarget.value as Draft["purpose"] })}><option value="care">care of this patient</option><option value="sharing">research of another house</option></select></label>
            <label>Until, included (UTC)<DayField required value={now.until} onInput={(event) => set({ until: event.currentTarget.value })} /></label>
            <label>A word they must say (optional)<input type="password" autocomplete="new-password" value={now.word} onInput={(event) => set({ word: event.currentTarget.value })} /></label>
          </div>
          <fieldset><legend>They may</legend>
            <label class="check"><input type="checkbox" checked disabled /> view the images</label>
            {MAY.map(([one, words]) => <label class="check" key={one}><input type="checkbox" checked={now.may.includes(one)} onChange={() => toggle(one)} /> {words}</label>)}
          </fieldset>
          <fieldset><legend>And</legend>
            <label class="check"><input type="checkbox" checked={now.pseudonym} onChange={() => set({ pseudonym: !now.pseudonym })} /> pseudonym: they see no name, number, birth date, private attribute or writing in the images</label>
            <label class="check"><input type="checkbox" checked={now.check} onChange={() => set({ check: !now.check })} /> confirm who they are before it opens</label>
          </fieldset>
          {now.pseudonym && few && <label>Why a link may show fewer than five people who are alike in sex, age, body part and kind of image <input required maxLength={500} autocomplete="off" value={now.reason} onInput={(event) => set({ reason: event.currentTarget.value })} /></label>}
          {outside && <label>Why it may leave this site's own region <input required maxLength={500} autocomplete="off" value={now.transfer_reason} onInput={(event) => set({ transfer_reason: event.currentTarget.value })} /></label>}
          {now.until && hours <= 0 && <p class="soon" role="status">{day(now.until)} has passed, or is no day: write it as 2026-11-30.</p>}
          <p class="acts">
            <button class="primary" disabled={sending || hours <= 0}>{sending ? "Making it" : "Give the link"}</button>
            <a class="button" href={`${to.preview()}?${new URLSearchParams(studies.map((one) => ["study", one]))}`}>See what they will see</a>
          </p>
        </form>
      )}
    </section>
  );
}

const NAMES = new Intl.DisplayNames("en", { type: "region", fallback: "none" });

/** The name of a country by its two letters; undefined for what is none. */
function countryOf(code: string): string | undefined {
  return /^[A-Z]{2}$/.test(code) ? NAMES.of(code) : undefined;
}

/** In which country the recipient is, by the two letters of ISO 3166: terms of use name it so. */
function Country({ value, required, set }: { value: string; required: boolean; set: (country: string) => void }) {
  const field = useRef<HTMLInputElement>(null);
  const name = countryOf(value);
  useEffect(() => field.current?.setCustomValidity(value && !name ? `${value} is no country: write two letters, such as NG or DE` : ""), [value, name]);
  return (
    <label>Country{!required && " (optional)"}
      <span class="with-unit"><input ref={field} required={required} maxLength={2} size={3} autocomplete="off" placeholder="NG" aria-describedby="country-name" value={value} onInput={(event) => set(event.currentTarget.value.toUpperCase())} /> <span id="country-name">{name ?? (value ? "no country" : "two letters")}</span></span>
    </label>
  );
}

function titleOf(study: Study | undefined): string {
  return study ? `${study.description || study.modalities.join(" ")}, ${study.accession || "no accession"}, ${day(study.date)}` : "a study";
}

/** What was given, told once. */
function Told({ of, copy }: { of: Given; copy: preact.RefObject<HTMLButtonElement | null> }) {
  const [copied, setCopied] = useState(false);
  const link = location.origin + of.link;
  return (
    <div role="status">
      <p>The link, told once: <code class="secret">{link}</code> <button ref={copy} type="button" onClick={() => void navigator.clipboard?.writeText(link).then(() => setCopied(true))}>Copy</button>{copied && <span class="muted"> copied</span>} <button type="button" onClick={() => go(to.sharing(), { replace: true })}>Done</button> <span class="muted">Another archive takes the studies in by <code>isocenter fetch</code>, where files may be taken.</span></p>
      {of.code && <p>The code, told once: <code class="code">{of.code}</code>. Tell it to {of.to} by another way than the link, by telephone say. When they have said who they are, it stands in the list below.</p>}
    </div>
  );
}

/** The studies go as they came: what they hold, and what of the archive stays. */
function AsReceived({ known }: { known: Study[] }) {
  const series = known.flatMap((one) => one.series ?? []);
  const people = new Set(known.map((one) => one.patient.id)).size;
  return (
    <>
      <li>They will see: {count(series.length, "series", "series")} as received, with the name, number and birth date{people > 1 && ` of ${people} patients`} that stand in them.</li>
      <li>They will not see: results of analyses, series that a machine made, reports, other studies, or anything else of this archive.</li>
    </>
  );
}

interface Seen {
  study: string;
  sees: { name: string; id: string; sex: string; series: number; images: number };
  not_seen: { person: string[]; attributes: string[]; private: number; blanked: number; faces: number; held_back: { why: string; images: number }[] };
  risks: { risk: string; images: number }[];
}

interface Looked {
  done: number;
  of: number;
  studies?: Seen[];
  few_alike?: boolean;
}

/** What leaves under a pseudonym and what stays, counted from the copies themselves. */
function WithoutPerson({ studies, to: whom, few }: { studies: string[]; to: string; few: (so: boolean) => void }) {
  const [looked, setLooked] = useState<Looked | null>(null);
  const [failed, setFailed] = useState("");
  useEffect(() => {
    const abort = new AbortController();
    let again = 0;
    const look = () =>
      void ask<Looked>("/api/deid/preview", { method: "POST", body: { studies, to: whom }, abort: abort.signal, deadline_s: 60 }).then(
        (told) => (setLooked(told), setFailed(""), few(!!told.few_alike), told.studies || (again = window.setTimeout(look, 700))),
        (error: unknown) => abort.signal.aborted || setFailed(asTrouble(error).message),
      );
    look();
    return () => (abort.abort(), clearTimeout(again));
  }, [studies.join(), whom]);
  if (failed) return <li><span class="now"><span aria-hidden="true">⬢</span> {sentence(failed)}.</span></li>;
  if (!looked?.studies) return <li role="status">{looked ? `${looked.done} of ${looked.of} images are looked through.` : "The images are looked through."}</li>;
  const all = looked.studies;
  const sum = (of: (one: Seen) => number) => all.reduce((total, one) => total + of(one), 0);
  const held = new Map<string, number>();
  for (const one of all.flatMap((study) => study.not_seen.held_back)) held.set(one.why, (held.get(one.why) ?? 0) + one.images);
  const person = [...new Set(all.flatMap((one) => one.not_seen.person))];
  const gone = new Set(all.flatMap((one) => one.not_seen.attributes)).size;
  const names = [...new Set(all.map((one) => one.sees.id))];
  return (
    <>
      <li>They will see: {count(sum((one) => one.sees.images), "image")} of {count(sum((one) => one.sees.series), "series", "series")} under the pseudonym {names.map((id, i) => <span key={id}>{i > 0 && ", "}<code>{id}</code></span>)}{whom ? "" : " (another one when you have said for whom)"}; sex, age and intervals stay, dates are moved.</li>
      <li>They will not see: {[...person, ...(gone ? [count(gone, "other attribute")] : []), ...[count(Math.max(0, ...all.map((one) => one.not_seen.private)), "private tag")], ...(sum((one) => one.not_seen.blanked) ? [`writing in ${count(sum((one) => one.not_seen.blanked), "image")}`] : []), ...(sum((one) => one.not_seen.faces) ? [`the face in ${count(sum((one) => one.not_seen.faces), "image")}`] : [])].join(", ")}; nor results, reports, or anything else of this archive.</li>
      {looked.few_alike && <li><span class="soon" aria-hidden="true">▲</span> Fewer than five people of these are alike in sex, age, body part and kind of image: who knows these of somebody may find that person, so a link asks you why it may be. The journal keeps what you say.</li>}
      {[...held].map(([why, images]) => <li key={why}><span class="soon" aria-hidden="true">▲</span> {count(images, "image")} {images === 1 ? "stays" : "stay"} here: {why}</li>)}
      {[...new Set(all.flatMap((one) => one.risks.map(({ risk }) => risk)))].map((risk) => <li key={risk} class="muted">What remains: {risk}.</li>)}
    </>
  );
}

/** What the terms of use say of this purpose, before the button is pressed; and whom one may ask. */
function Terms({ studies, of: { purpose, institution, country } }: { studies: string[]; of: Draft }) {
  const [said, setSaid] = useState<string[]>([]);
  const [asking, setAsking] = useState<"patient" | "steward" | null>(null);
  const [asked, setAsked] = useState("");
  useEffect(() => {
    if (!may("consent")) return;
    const abort = new AbortController();
    const where = { ...(institution && { institutions: [institution] }), ...(countryOf(country) && { countries: [country] }) };
    setSaid([]);
    void Promise.all(studies.map((study) => ask<{ reason: string }>("/api/consents/asked", { method: "POST", body: { study, purpose, ...where }, abort: abort.signal }).then(
      (told) => `permitted: ${told.reason}`,
      (error: unknown) => `refused: ${asTrouble(error).why || asTrouble(error).message}`,
    ))).then((all) => !abort.signal.aborted && setSaid([...new Set(all)]));
    return () => abort.abort();
  }, [studies.join(), purpose, institution, countryOf(country), asked]);
  if (!said.length) return null;
  return (
    <li>
      <span role="status">Terms of use for {purpose === "care" ? "care" : "research of another house"}: {said.join("; ")} (<a href={`${to.sharing("consent")}?study=${studies[0]}`}>what is recorded</a>).</span>{" "}
      <button type="button" class="quiet" onClick={() => setAsking("patient")}>Ask patient</button> <button type="button" class="quiet" onClick={() => setAsking("steward")}>Ask data steward</button>
      {asked && <span class="fine" role="status"> <span aria-hidden="true">✓</span> {asked}</span>}
      {asking && <AskConsent of={asking} studies={studies} purpose={purpose} close={() => setAsking(null)} done={(words) => (setAsking(null), setAsked(words))} />}
    </li>
  );
}

/** A request for consent: it waits on the page Consent for whoever may decide, and nothing is sent. */
function AskConsent({ of, studies, purpose, close, done }: { of: "patient" | "steward"; studies: string[]; purpose: Draft["purpose"]; close: () => void; done: (words: string) => void }) {
  const now = draft.peek();
  const [told, setTold] = useState({ to: now.to, until: now.until, words: "" });
  const [refused, setRefused] = useState("");
  const whom = of === "patient" ? "the patient" : "the data steward";
  const send = (event: SubmitEvent) => {
    event.preventDefault();
    const body = { studies, of, purpose, to: told.to, words: told.words, until: told.until ? `${told.until}T23:59:59Z` : null };
    ask("/api/consents/requests", { method: "POST", body }).then(() => done(`asked ${whom}: it waits under Consent`), (error: unknown) => setRefused(asTrouble(error).told));
  };
  return (
    <Dialog title={`Ask ${whom} for consent`} close={close}>
      <form class="stack" onSubmit={send}>
        <p class="muted">To {purpose === "care" ? "care" : "research of another house"}, for {count(studies.length, "study", "studies")}. The request waits on the page Consent for {of === "patient" ? "whoever speaks with the patient" : "another person who may decide"}; nothing is sent. It is in the journal.</p>
        {refused && <p class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {refused}</p>}
        <label>For whom<input required maxLength={200} autocomplete="off" value={told.to} onInput={(event) => setTold({ ...told, to: event.currentTarget.value })} /></label>
        <label>Until, included (empty: until withdrawn)<DayField value={told.until} onInput={(event) => setTold({ ...told, until: event.currentTarget.value })} /></label>
        <label>Why<input maxLength={500} value={told.words} onInput={(event) => setTold({ ...told, words: event.currentTarget.value })} /></label>
        <p class="acts"><button class="primary">Ask</button><button type="button" onClick={close}>Cancel</button></p>
      </form>
    </Dialog>
  );
}
