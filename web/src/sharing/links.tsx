import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../api/door";
import { onHappening } from "../api/live";
import { asTrouble, Source } from "../api/load";
import { type Acts, bind, keyOf } from "../keys/keyboard";
import { Dialog } from "../kit/dialog";
import { Key } from "../kit/marks";
import { Empty, Shown } from "../kit/states";
import { may } from "../me";
import { address, go, to } from "../router";
import { count, moment } from "../words";
import { Choose, Give } from "./give";

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
  studies: string[];
  may: string[];
  pseudonym: boolean;
  institution: string;
  country: string;
  transfer_reason: string;
  /** How far it is known who holds it. */
  identity: "not asked" | "wanted" | "pending" | "accepted" | "refused";
  /** Who its holder says to be. */
  claim: { id: string; name: string; address: string; at: string } | null;
  /** What other archives said that they took. */
  taken: { time: string; study: string; expected: number; stored: number; there: number; rejected: number; missing: number }[];
  /** Models that learned from its studies. */
  models: { model: string; version: string; known_by: string }[];
  /** Why it opens nothing although it has not ended; empty where it opens. */
  closed: string;
  /** The same of single studies of it. */
  shut: Record<string, string>;
}

interface Given {
  links: Link[];
  /** Countries of the site's own region: none leaves them without a reason; empty where nobody asks. */
  region: string[];
}

/** What somebody outside may see: given, extended, seen as they see it, and taken back. */
export function Links({ tabs }: { tabs: Acts }) {
  const studies = address.value.searchParams.getAll("study");
  const source = useRef<Source<Given>>(null);
  source.current ??= new Source((abort) => ask<Given>("/api/links", { abort }));
  const links = source.current;
  const [at, setAt] = useState(0);
  const [choosing, setChoosing] = useState(false);
  const [longer, setLonger] = useState<Link | null>(null);
  const [ending, setEnding] = useState<Link | null>(null);
  const [judging, setJudging] = useState<{ of: Link; accepted: boolean } | null>(null);
  const [refused, setRefused] = useState("");
  const again = () => void links.load();
  useEffect(() => {
    again();
    const forget = onHappening(({ kind }) => /^(Share|Consent|Identity)/.test(kind) && again());
    return () => (forget(), links.stop());
  }, []);
  const all = links.value?.links ?? [];
  const here = all[Math.min(at, all.length - 1)];
  const now = useRef(here); // the row that is marked when a key comes, however fast after the one before
  now.current = here;
  useEffect(() => bind("sharing", {
    ...tabs,
    down: () => setAt((row) => Math.min(all.length - 1, row + 1)),
    up: () => setAt((row) => Math.max(0, row - 1)),
    share: () => setChoosing(true),
    view: () => opens(now.current) && go(previewOf(now.current)),
    accept: () => waits(now.current) && setJudging({ of: now.current, accepted: true }),
    refuse: () => waits(now.current) && setJudging({ of: now.current, accepted: false }),
    extend: () => opens(now.current) && setLonger(now.current),
    end: () => now.current?.lives && setEnding(now.current),
  }), [all.length]);
  const done = () => (setLonger(null), setEnding(null), setJudging(null), setRefused(""), again());
  const act = (one: Link, what: string, body: object) => void ask(`/api/links/${one.id}/${what}`, { method: "POST", body }).then(done, (error: unknown) => {
    const trouble = asTrouble(error);
    setLonger(null);
    setEnding(null);
    setJudging(null);
    setRefused(trouble.told);
  });
  return (
    <>
      {studies.length ? <Give key={studies.join()} studies={studies} region={links.value?.region ?? []} again={again} add={() => setChoosing(true)} /> : <p class="acts"><button type="button" onClick={() => setChoosing(true)}>Share a study <Key of={keyOf("sharing", "share")} /></button></p>}
      {refused && <p class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {refused}</p>}
      <Shown of={links} what="what is shared">
        {({ links: told }) => (told.length ? <List links={told} here={here} longer={setLonger} end={setEnding} judge={(of, accepted) => setJudging({ of, accepted })} /> : (
          <Empty title="Nothing is shared">
            <p>What somebody outside may see stands here: which study, until when, how often it was opened, and a button that takes it back.</p>
            <p>To share a study, name it by the button above, or take “Share” from the menu of its row in the <a href={to.worklist}>worklist</a>. To take one out without names, run <code>isocenter export STUDY COPIES --reason WHY</code>: what is not surely clean stays here, and the reason is told.</p>
          </Empty>
        ))}
      </Shown>
      {choosing && <Choose chosen={studies} close={() => setChoosing(false)} />}
      {longer && <Longer of={longer} close={() => setLonger(null)} save={(hours, reason) => act(longer, "extend", { hours, reason })} />}
      {judging && <Judging of={judging.of} accepted={judging.accepted} close={() => setJudging(null)} save={(reason) => act(judging.of, "identity", { claim: judging.of.claim?.id, accepted: judging.accepted, reason })} />}
      {ending && <Ending of={ending} close={() => setEnding(null)} save={(reason) => act(ending, "end", { reason })} />}
    </>
  );
}

function opens(one?: Link): one is Link {
  return !!one?.lives && !one.closed;
}

const HOURS: [number, string][] = [[24, "one day"], [72, "three days"], [168, "a week"], [720, "thirty days"]];

function waits(one?: Link): one is Link {
  return !!one?.lives && one.identity === "pending";
}

/** The page of its recipient, through the eyes of whoever gave it. */
function previewOf(one: Link): string {
  return `${to.preview()}?link=${one.id}`;
}

interface Acting {
  longer: (one: Link) => void;
  end: (one: Link) => void;
  judge: (one: Link, accepted: boolean) => void;
}

function List({ links, here, ...acts }: { links: Link[]; here?: Link } & Acting) {
  return (
    <table class="plain wide">
      <thead><tr><th scope="col">For whom</th><th scope="col">Studies, and what they may</th><th scope="col">Given (UTC)</th><th scope="col">Until (UTC)</th><th scope="col">Who holds what (UTC)</th><th scope="col">State</th></tr></thead>
      <tbody>
        {links.map((one) => (
          <tr key={one.id} aria-current={one === here ? "true" : undefined}>
            <td>{one.to || <span class="muted">nobody was named</span>}{(one.institution || one.country) && <div class="muted">{[one.institution, one.country].filter(Boolean).join(", ")}</div>}{one.transfer_reason && <div class="muted">outside the region: {one.transfer_reason}</div>}{one.purpose !== "care" && <span class="muted"> · for research</span>}{one.pseudonym && <span class="muted"> · under a pseudonym</span>}</td>
            <td><What of={one} /></td>
            <td>{moment(one.given)} <span class="muted">by {one.by}</span></td>
            <td>{moment(one.until)}{one.asks_a_word && <span class="muted"> · with a word</span>}</td>
            <td><Holds of={one} /></td>
            <td><State of={one} marked={one === here} {...acts} /></td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Its studies, and what its holder may do with them. */
function What({ of: one }: { of: Link }) {
  return (
    <>
      {one.studies.length === 1 ? <a href={to.study(one.study)}>Open</a> : one.studies.map((uid, i) => <span key={uid}>{i > 0 && " · "}<a href={to.study(uid)}>study {i + 1}</a></span>)}
      {opens(one) && <> · <a href={previewOf(one)}>as they see {one.studies.length === 1 ? "it" : "them"}<span class="hidden"> of {one.to}</span></a></>}
      <div class="muted">may {[...one.may].sort().reverse().join(", ")}</div>
      {!one.closed && Object.entries(one.shut).map(([uid, why]) => <div key={uid} class="soon"><span aria-hidden="true">▲</span> study {one.studies.indexOf(uid) + 1} is not shown: {why}</div>)}
    </>
  );
}

/** Who saw it and took it, and which models learned from its studies. */
function Holds({ of: one }: { of: Link }) {
  return (
    <>
      opened {count(one.opened, "time")}{one.last && <span class="muted"> · last {moment(one.last)}</span>}{one.last && may("audit") && <> · <a href={`${to.oversight("audit")}?q=${one.id}`}>each look<span class="hidden"> of {one.to}</span></a></>}
      {one.taken.map((lot) => <div key={lot.time + lot.study}><span class={lot.missing + lot.rejected ? "soon" : "fine"} aria-hidden="true">{lot.missing + lot.rejected ? "▲" : "✓"}</span> another archive: {sumOf(lot)}</div>)}
      <div class="muted">{one.models.length ? `models trained with it: ${one.models.map((model) => `${model.model} ${model.version}`).join(", ")}` : "no model is known to have learned from it"}</div>
    </>
  );
}

/** 96 expected = 94 stored + 2 missing. */
function sumOf(lot: Link["taken"][number]): string {
  const parts = [[lot.stored, "stored"], [lot.there, "there before"], [lot.rejected, "rejected"], [lot.missing, "missing"]] as const;
  return `${lot.expected} expected = ${parts.filter(([n]) => n).map(([n, words]) => `${n} ${words}`).join(" + ") || "nothing"}`;
}

function State({ of: one, marked, longer, end, judge }: { of: Link; marked: boolean } & Acting) {
  if (!one.lives) return <span class="muted">{one.ended ? `ended ${moment(one.ended)} UTC` : "expired"}</span>;
  const key = (act: string) => marked && <> <Key of={keyOf("sharing", act)} /></>;
  return (
    <>
      {one.identity === "pending" && one.claim && (
        <div class="callout" role="status">
          <span class="soon" aria-hidden="true">▲</span> <strong>{one.claim.name}</strong> says so with the code, from {one.claim.address}, {moment(one.claim.at)} UTC.{" "}
          <span class="acts"><button type="button" onClick={() => judge(one, true)}>It is them<span class="hidden">: {one.claim.name}</span>{key("accept")}</button> <button type="button" onClick={() => judge(one, false)}>It is not<span class="hidden"> {one.claim.name}</span>{key("refuse")}</button></span>
        </div>
      )}
      <span class="acts">
        {one.closed ? <span>opens nothing: {one.closed}</span> : (
          <>
            <span class="soon"><span aria-hidden="true">▲</span> {OPEN[one.identity]}{one.identity === "accepted" && one.claim && ` by ${one.claim.name}`}</span>
            <button type="button" onClick={() => longer(one)}>Extend<span class="hidden"> the link for {one.to}</span>{key("extend")}</button>
          </>
        )}
        <button type="button" onClick={() => end(one)}>End it<span class="hidden"> for {one.to}</span>{key("end")}</button>
      </span>
    </>
  );
}

const OPEN: Record<Link["identity"], string> = {
  "not asked": "open", accepted: "open, held", pending: "check of identity pending: opens nothing", wanted: "opens nothing: nobody has said who they are", refused: "opens nothing: who they said they are was refused",
}; // prettier-ignore

/** Confirm or refuse who holds a link. */
function Judging({ of, accepted, close, save }: { of: Link; accepted: boolean; close: () => void; save: (reason: string) => void }) {
  const [reason, setReason] = useState("");
  return (
    <Dialog title={accepted ? `Confirm that ${of.claim?.name} holds the link` : `Refuse ${of.claim?.name}`} close={close}>
      <form class="stack" onSubmit={(event) => (event.preventDefault(), save(reason))}>
        <p class="muted">The link was given for {of.to}. {accepted ? "It opens then for whoever has both the link and its code." : "It goes on to open nothing; they may state once more who they are. If it is in the wrong hands, end it."} The answer is in the journal.</p>
        <label>How you know (optional)<input maxLength={500} value={reason} onInput={(event) => setReason(event.currentTarget.value)} /></label>
        <p class="acts"><button class="primary">{accepted ? "It is them" : "It is not"}</button><button type="button" onClick={close}>Cancel</button></p>
      </form>
    </Dialog>
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
