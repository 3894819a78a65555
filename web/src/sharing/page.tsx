import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../api/door";
import { onHappening } from "../api/live";
import { asTrouble, Source } from "../api/load";
import type { Study } from "../api/shapes";
import { bind, keyOf } from "../keys/keyboard";
import { Lazy } from "../frame/lazy";
import { Dialog } from "../kit/dialog";
import { Empty, Shown } from "../kit/states";
import { Tabs } from "../kit/tabs";
import { may, ruleOf } from "../me";
import { address, go, setQuery, to } from "../router";
import { count, day, moment } from "../words";
import { ConsentPart } from "./consent";
import { LedgerPart } from "./ledger";

const PARTS = [
  { part: "", name: "Shared" },
  { part: "consent", name: "Consent" },
  { part: "ledger", name: "Came and left" },
];

interface Link {
  id: string;
  study: string;
  by: string;
  given: string;
  until: string;
  to: string;
  asks_a_word: boolean;
  used: number;
  ended: string | null;
  lives: boolean;
  /** Why it opens nothing although it has not ended; empty where it opens. */
  closed: string;
}

/** Give exactly this, to exactly them, until exactly then; and take it back. */
export function SharingPage({ part, id }: { part: string; id: string }) {
  if (part === "preview" && id && may("share")) return <Lazy key={id} what="what they would see" load={() => import("./preview").then((module) => module.PreviewPage)} with={{ study: id }} />;
  return <Parts part={part} />;
}

function Parts({ part }: { part: string }) {
  useEffect(() => bind("sharing", { "tab-1": () => go(to.sharing()), "tab-2": () => go(to.sharing("consent")), "tab-3": () => go(to.sharing("ledger")) }), []);
  return (
    <>
      <header class="bar" data-region tabIndex={-1}>
        <h1>Sharing and consent</h1>
        <Tabs label="Parts of sharing" here={part} tabs={PARTS.map((one, i) => ({ ...one, at: to.sharing(one.part), key: keyOf("sharing", `tab-${i + 1}`) }))} />
      </header>
      <main class="desk-list model" data-region tabIndex={0}>
        {part === "ledger" ? (
          may("audit") ? <LedgerPart /> : <Empty title="Not yours to see">{ruleOf("audit")}</Empty>
        ) : part === "consent" ? (
          may("consent") ? <ConsentPart /> : <Empty title="Not yours to see">{ruleOf("consent")}</Empty>
        ) : may("share") ? <Links /> : (
          <Empty title="Not yours to see">{ruleOf("share")}</Empty>
        )}
      </main>
    </>
  );
}

function Links() {
  const study = address.value.searchParams.get("study") ?? "";
  const source = useRef<Source<Link[]>>(null);
  source.current ??= new Source(async (abort) => (await ask<{ links: Link[] }>("/api/links", { abort })).links);
  const links = source.current;
  const again = () => void links.load();
  useEffect(() => {
    again();
    const forget = onHappening(({ kind }) => kind.startsWith("Share") && again());
    return () => (forget(), links.stop());
  }, []);
  return (
    <>
      {study && <Give key={study} study={study} again={again} />}
      <Shown of={links} what="what is shared">
        {(all) => (all.length ? <List links={all} again={again} /> : (
          <Empty title="Nothing is shared">
            <p>What somebody outside may see stands here: which study, until when, how often it was opened, and a button that takes it back.</p>
            <p>To share a study, take “Share” from the menu of its row in the <a href={to.worklist}>worklist</a>. To take one out without names, run <code>isocenter export STUDY --folder OUT</code>: what is not surely clean stays here, and the reason is told.</p>
          </Empty>
        ))}
      </Shown>
    </>
  );
}

const HOURS: [number, string][] = [[24, "one day"], [72, "three days"], [168, "a week"], [720, "thirty days"]];

/** A link to one study: what it gives and what not stands before the button. */
function Give({ study: uid, again }: { study: string; again: () => void }) {
  const about = useRef<Source<Study>>(null);
  about.current ??= new Source((abort) => ask<Study>(`/api/studies/${uid}`, { abort }));
  const [given, setGiven] = useState({ to: "", word: "", hours: 72 });
  const [link, setLink] = useState("");
  const [refused, setRefused] = useState("");
  useEffect(() => (void about.current?.load(), () => about.current?.stop()), []);
  const study = about.current.value;
  const send = async (event: SubmitEvent) => {
    event.preventDefault();
    try {
      const told = await ask<{ link: string }>(`/api/studies/${uid}/links`, { method: "POST", body: given });
      setLink(location.origin + told.link);
      setRefused("");
      again();
    } catch (error) {
      setRefused(asTrouble(error).message);
    }
  };
  return (
    <section class="for" aria-label="Share a study">
      <h2>Share {study ? `${study.description || study.modalities.join(" ")}, ${study.accession || "no accession"}, ${day(study.date)}` : "a study"}</h2>
      <ul class="bullets">
        <li>They will get: its images as they were received, with the name, number and birth date that stand in them.</li>
        <li>They will not get: results of analyses, reports, earlier studies, or anything else of this archive.</li>
        <li>Each look is in the journal. It ends by itself, and at once when you end it.</li>
      </ul>
      {refused && <p class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> {refused}</p>}
      {link ? (
        <p role="status">The link, told once: <code class="secret">{link}</code> <button type="button" onClick={() => void navigator.clipboard?.writeText(link)}>Copy</button> <button type="button" onClick={() => setQuery("study", "")}>Done</button> <span class="muted">Another archive takes the study in by <code>isocenter fetch</code>.</span></p>
      ) : (
        <form class="add give" onSubmit={send} aria-label="Give a link">
          <label>For whom<input required maxLength={200} autocomplete="off" value={given.to} onInput={(event) => setGiven({ ...given, to: event.currentTarget.value })} /></label>
          <label>Until<select value={given.hours} onChange={(event) => setGiven({ ...given, hours: Number(event.currentTarget.value) })}>{HOURS.map(([hours, words]) => <option key={hours} value={hours}>{words}</option>)}</select></label>
          <label>A word they must say (optional)<input type="password" autocomplete="new-password" value={given.word} onInput={(event) => setGiven({ ...given, word: event.currentTarget.value })} /></label>
          <button class="primary">Give the link</button>
          <a class="button" href={to.preview(uid)}>See what they will see</a>
        </form>
      )}
    </section>
  );
}

function List({ links, again }: { links: Link[]; again: () => void }) {
  const [refused, setRefused] = useState("");
  const [longer, setLonger] = useState<Link | null>(null);
  const done = () => (setLonger(null), setRefused(""), again());
  const act = (one: Link, what: string, body: object) => ask(`/api/links/${one.id}/${what}`, { method: "POST", body }).then(done, (error: unknown) => setRefused(asTrouble(error).message));
  return (
    <>
      {refused && <p class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> {refused}</p>}
      <table class="plain wide">
        <thead><tr><th scope="col">For whom</th><th scope="col">Study</th><th scope="col">Given (UTC)</th><th scope="col">Until (UTC)</th><th scope="col" class="num">Opened</th><th scope="col">State</th></tr></thead>
        <tbody>
          {links.map((one) => (
            <tr key={one.id}>
              <td>{one.to || <span class="muted">nobody was named</span>}</td>
              <td><a href={to.study(one.study)}>Open</a>{one.lives && !one.closed && <> · <a href={to.preview(one.study)}>as they see it</a></>}</td>
              <td>{moment(one.given)} <span class="muted">by {one.by}</span></td>
              <td>{moment(one.until)}{one.asks_a_word && <span class="muted"> · with a word</span>}</td>
              <td class="num">{count(one.used, "time")}</td>
              <td>
                {one.lives ? (
                  <span class="acts">
                    {one.closed ? <span>opens nothing: {one.closed}</span> : (
                      <>
                        <span class="soon"><span aria-hidden="true">▲</span> open</span>
                        <button type="button" onClick={() => setLonger(one)}>Extend<span class="hidden"> the link for {one.to}</span></button>
                      </>
                    )}
                    <button type="button" onClick={() => void act(one, "end", {})}>End it<span class="hidden"> for {one.to}</span></button>
                  </span>
                ) : <span class="muted">{one.ended ? `ended ${moment(one.ended)} UTC` : "expired"}</span>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {longer && <Longer of={longer} close={() => setLonger(null)} save={(hours, reason) => void act(longer, "extend", { hours, reason })} />}
    </>
  );
}

/** Let a link open for longer: from now on, under the same secret, with a reason in the journal. */
function Longer({ of, close, save }: { of: Link; close: () => void; save: (hours: number, reason: string) => void }) {
  const [hours, setHours] = useState(168);
  const [reason, setReason] = useState("");
  const until = new Date(Date.now() + hours * 3_600_000).toISOString();
  return (
    <Dialog title={`Extend the link for ${of.to || "nobody named"}`} close={close}>
      <form class="stack" onSubmit={(event) => (event.preventDefault(), save(hours, reason))}>
        <p class="muted">It opens until {moment(of.until)} UTC now. Whoever holds it needs no new one. The change is in the journal.</p>
        <label>From now on for<select value={hours} onChange={(event) => setHours(Number(event.currentTarget.value))}>{HOURS.map(([n, words]) => <option key={n} value={n}>{words}</option>)}</select></label>
        <label>Why (optional)<input maxLength={500} value={reason} onInput={(event) => setReason(event.currentTarget.value)} /></label>
        <p class={until <= of.until ? "soon" : "muted"} role="status">{until <= of.until ? "That would be sooner than it ends now: end it instead." : `It would open until ${moment(until)} UTC.`}</p>
        <p class="acts"><button class="primary" disabled={until <= of.until}>Extend it</button><button type="button" onClick={close}>Cancel</button></p>
      </form>
    </Dialog>
  );
}
