import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../api/door";
import { onHappening } from "../api/live";
import { asTrouble, Source } from "../api/load";
import type { Study } from "../api/shapes";
import { type Acts, bind, keyOf } from "../keys/keyboard";
import { Dialog } from "../kit/dialog";
import { Key } from "../kit/marks";
import { Empty, Shown } from "../kit/states";
import { StudyField } from "../kit/study-field";
import { may } from "../me";
import { address, go, setQuery, to } from "../router";
import { count, day, moment, sentence } from "../words";

interface Link {
  id: string;
  study: string;
  by: string;
  given: string;
  until: string;
  to: string;
  purpose: string;
  asks_a_word: boolean;
  opened: number;
  last: string | null;
  ended: string | null;
  lives: boolean;
  /** Why it opens nothing although it has not ended; empty where it opens. */
  closed: string;
}

/** What somebody outside may see: given, extended, seen as they see it, and taken back. */
export function Links({ tabs }: { tabs: Acts }) {
  const study = address.value.searchParams.get("study") ?? "";
  const source = useRef<Source<Link[]>>(null);
  source.current ??= new Source(async (abort) => (await ask<{ links: Link[] }>("/api/links", { abort })).links);
  const links = source.current;
  const [at, setAt] = useState(0);
  const [choosing, setChoosing] = useState(false);
  const [longer, setLonger] = useState<Link | null>(null);
  const [ending, setEnding] = useState<Link | null>(null);
  const [refused, setRefused] = useState("");
  const again = () => void links.load();
  useEffect(() => {
    again();
    const forget = onHappening(({ kind }) => /^(Share|Consent)/.test(kind) && again());
    return () => (forget(), links.stop());
  }, []);
  const all = links.value ?? [];
  const here = all[Math.min(at, all.length - 1)];
  const now = useRef(here); // the row that is marked when a key comes, however fast after the one before
  now.current = here;
  useEffect(() => bind("sharing", {
    ...tabs,
    down: () => setAt((row) => Math.min(all.length - 1, row + 1)),
    up: () => setAt((row) => Math.max(0, row - 1)),
    share: () => setChoosing(true),
    view: () => opens(now.current) && go(to.preview(now.current.study)),
    extend: () => opens(now.current) && setLonger(now.current),
    end: () => now.current?.lives && setEnding(now.current),
  }), [all.length]);
  const done = () => (setLonger(null), setEnding(null), setRefused(""), again());
  const act = (one: Link, what: string, body: object) => void ask(`/api/links/${one.id}/${what}`, { method: "POST", body }).then(done, (error: unknown) => {
    const trouble = asTrouble(error);
    setLonger(null);
    setEnding(null);
    setRefused(`${sentence(trouble.message)}. ${sentence(trouble.remedy)}.`);
  });
  return (
    <>
      {study ? <Give key={study} study={study} again={again} /> : <p class="acts"><button type="button" onClick={() => setChoosing(true)}>Share a study <Key of={keyOf("sharing", "share")} /></button></p>}
      {refused && <p class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> {refused}</p>}
      <Shown of={links} what="what is shared">
        {(told) => (told.length ? <List links={told} here={here} longer={setLonger} end={setEnding} /> : (
          <Empty title="Nothing is shared">
            <p>What somebody outside may see stands here: which study, until when, how often it was opened, and a button that takes it back.</p>
            <p>To share a study, name it by the button above, or take “Share” from the menu of its row in the <a href={to.worklist}>worklist</a>. To take one out without names, run <code>isocenter export STUDY COPIES --reason WHY</code>: what is not surely clean stays here, and the reason is told.</p>
          </Empty>
        ))}
      </Shown>
      {choosing && <Choose close={() => setChoosing(false)} />}
      {longer && <Longer of={longer} close={() => setLonger(null)} save={(hours, reason) => act(longer, "extend", { hours, reason })} />}
      {ending && <Ending of={ending} close={() => setEnding(null)} save={(reason) => act(ending, "end", { reason })} />}
    </>
  );
}

function opens(one?: Link): one is Link {
  return !!one?.lives && !one.closed;
}

/** Which study is to be shared, by its accession number. */
function Choose({ close }: { close: () => void }) {
  const take = (event: SubmitEvent) => {
    event.preventDefault();
    const uid = String(new FormData(event.currentTarget as HTMLFormElement).get("study") ?? "");
    close();
    go(`${to.sharing()}?${new URLSearchParams({ study: uid })}`);
  };
  return (
    <Dialog title="Share a study" close={close}>
      <form class="stack" onSubmit={take}>
        <StudyField label="Study" />
        <p class="acts"><button class="primary">Say to whom, and until when</button><button type="button" onClick={close}>Cancel</button></p>
      </form>
    </Dialog>
  );
}

const HOURS: [number, string][] = [[24, "one day"], [72, "three days"], [168, "a week"], [720, "thirty days"]];

/** A link to one study: what it gives and what not stands before the button. */
function Give({ study: uid, again }: { study: string; again: () => void }) {
  const about = useRef<Source<Study>>(null);
  about.current ??= new Source((abort) => ask<Study>(`/api/studies/${uid}`, { abort }));
  const [given, setGiven] = useState({ to: "", word: "", hours: 72, purpose: "care" });
  const [link, setLink] = useState("");
  const [copied, setCopied] = useState(false);
  const [refused, setRefused] = useState("");
  const first = useRef<HTMLInputElement>(null);
  const copy = useRef<HTMLButtonElement>(null);
  useEffect(() => (void about.current?.load(), first.current?.focus(), () => about.current?.stop()), []);
  useEffect(() => copy.current?.focus(), [link]);
  const study = about.current.value;
  const send = async (event: SubmitEvent) => {
    event.preventDefault();
    try {
      const told = await ask<{ link: string }>(`/api/studies/${uid}/links`, { method: "POST", body: given });
      setLink(location.origin + told.link);
      setRefused("");
      again();
    } catch (error) {
      const trouble = asTrouble(error);
      setRefused(`${sentence(trouble.message)}. ${sentence(trouble.remedy)}.`);
    }
  };
  return (
    <section class="for" aria-label="Share a study">
      <h2>Share {study ? `${study.description || study.modalities.join(" ")}, ${study.accession || "no accession"}, ${day(study.date)}` : "a study"}</h2>
      <ul class="bullets">
        <li>They will get: its images as they were received, with the name, number and birth date that stand in them.</li>
        <li>They will not get: results of analyses, reports, earlier studies, or anything else of this archive.</li>
        <li>Each look is in the journal. It ends by itself, and at once when you end it.</li>
        <Terms study={uid} purpose={given.purpose} />
      </ul>
      {refused && <p class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> {refused}</p>}
      {link ? (
        <p role="status">The link, told once: <code class="secret">{link}</code> <button ref={copy} type="button" onClick={() => void navigator.clipboard?.writeText(link).then(() => setCopied(true))}>Copy</button>{copied && <span class="muted"> copied</span>} <button type="button" onClick={() => setQuery("study", "")}>Done</button> <span class="muted">Another archive takes the study in by <code>isocenter fetch</code>.</span></p>
      ) : (
        <form class="add give" onSubmit={send} aria-label="Give a link">
          <label>For whom<input ref={first} required maxLength={200} autocomplete="off" value={given.to} onInput={(event) => setGiven({ ...given, to: event.currentTarget.value })} /></label>
          <label>For what<select value={given.purpose} onChange={(event) => setGiven({ ...given, purpose: event.currentTarget.value })}><option value="care">care of this patient</option><option value="sharing">research of another house</option></select></label>
          <label>Until<select value={given.hours} onChange={(event) => setGiven({ ...given, hours: Number(event.currentTarget.value) })}>{HOURS.map(([hours, words]) => <option key={hours} value={hours}>{words}</option>)}</select></label>
          <label>A word they must say (optional)<input type="password" autocomplete="new-password" value={given.word} onInput={(event) => setGiven({ ...given, word: event.currentTarget.value })} /></label>
          <button class="primary">Give the link</button>
          <a class="button" href={to.preview(uid)}>See what they will see</a>
        </form>
      )}
    </section>
  );
}

/** What the terms of use say of this purpose, before the button is pressed. */
function Terms({ study, purpose }: { study: string; purpose: string }) {
  const [said, setSaid] = useState("");
  useEffect(() => {
    if (!may("consent")) return;
    const abort = new AbortController();
    setSaid("");
    ask<{ reason: string }>("/api/consents/asked", { method: "POST", body: { study, purpose }, abort: abort.signal }).then(
      (told) => setSaid(`permitted: ${told.reason}`),
      (error: unknown) => !abort.signal.aborted && setSaid(`refused: ${asTrouble(error).why || asTrouble(error).message}`),
    );
    return () => abort.abort();
  }, [study, purpose]);
  if (!said) return null;
  return <li><span role="status">Terms of use for {purpose === "care" ? "care" : "research of another house"}: {said} (<a href={`${to.sharing("consent")}?study=${study}`}>what is recorded</a>).</span></li>;
}

function List({ links, here, longer, end }: { links: Link[]; here?: Link; longer: (one: Link) => void; end: (one: Link) => void }) {
  return (
    <table class="plain wide">
      <thead><tr><th scope="col">For whom</th><th scope="col">Study</th><th scope="col">Given (UTC)</th><th scope="col">Until (UTC)</th><th scope="col">Opened (UTC)</th><th scope="col">State</th></tr></thead>
      <tbody>
        {links.map((one) => (
          <tr key={one.id} aria-current={one === here ? "true" : undefined}>
            <td>{one.to || <span class="muted">nobody was named</span>}{one.purpose !== "care" && <span class="muted"> · for research</span>}</td>
            <td><a href={to.study(one.study)}>Open</a>{one.lives && !one.closed && <> · <a href={to.preview(one.study)}>as they see it</a></>}</td>
            <td>{moment(one.given)} <span class="muted">by {one.by}</span></td>
            <td>{moment(one.until)}{one.asks_a_word && <span class="muted"> · with a word</span>}</td>
            <td>{count(one.opened, "time")}{one.last && <span class="muted"> · last {moment(one.last)}</span>}{one.last && may("audit") && <> · <a href={`${to.oversight("audit")}?q=${one.id}`}>each look<span class="hidden"> of {one.to}</span></a></>}</td>
            <td>
              {one.lives ? (
                <span class="acts">
                  {one.closed ? <span>opens nothing: {one.closed}</span> : (
                    <>
                      <span class="soon"><span aria-hidden="true">▲</span> open</span>
                      <button type="button" onClick={() => longer(one)}>Extend<span class="hidden"> the link for {one.to}</span>{one === here && <> <Key of={keyOf("sharing", "extend")} /></>}</button>
                    </>
                  )}
                  <button type="button" onClick={() => end(one)}>End it<span class="hidden"> for {one.to}</span>{one === here && <> <Key of={keyOf("sharing", "end")} /></>}</button>
                </span>
              ) : <span class="muted">{one.ended ? `ended ${moment(one.ended)} UTC` : "expired"}</span>}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
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

/** Take a link back: what has ended stays ended. */
function Ending({ of, close, save }: { of: Link; close: () => void; save: (reason: string) => void }) {
  const [reason, setReason] = useState("");
  return (
    <Dialog title={`End the link for ${of.to || "nobody named"}`} close={close}>
      <form class="stack" onSubmit={(event) => (event.preventDefault(), save(reason))}>
        <p class="muted">It opens nothing from now on, also on pages that show the study at this moment, and it cannot be begun again. What they have saved they keep.</p>
        <label>Why (optional)<input maxLength={500} value={reason} onInput={(event) => setReason(event.currentTarget.value)} /></label>
        <p class="acts"><button class="primary">End it now</button><button type="button" onClick={close}>Cancel</button></p>
      </form>
    </Dialog>
  );
}
