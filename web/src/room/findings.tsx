import { forOtherImages } from "../analyses/shapes";
import { useEffect, useRef, useState } from "preact/hooks";
import type { Finding, Planned, Relation, Result } from "../api/shapes";
import { keyOf } from "../keys/keyboard";
import { Certainty, Key, MachineMark, PersonMark } from "../kit/marks";
import { to } from "../router";
import { count, day, moment, number, quantity, spoken, unbroken, unit, whyStopped } from "../words";
import { titleOf, wordsOf } from "./naming";
import { colourOf } from "./overlay";
import type { Desk } from "./desk";
import { beforeOf, changed } from "./lesion-table";
import { Timeline } from "./timeline";
import choices from "./kinds.json";
import { type Answerable, asks, type Decision, type Found, type Session, waits } from "./session";
import { Take } from "./taking";

/** What was found, one card each; what was looked for and not found; and what was not looked for, and why. Three answers, never two. */
export function Findings({ desk }: { desk: Desk }) {
  const { session } = desk;
  const cards = session.cards.value;
  const asked = cards.filter(asks);
  if (session.blind.value) return <Blind desk={desk} />;
  return (
    <section aria-label="Findings">
      <h2>
        Findings {asked.length > 0 && <span class="muted">{asked.length - session.undecided.value} of {asked.length} decided</span>}
        <span class="gap" />
        {session.mine.value && <button type="button" onClick={() => (desk.adding.value = true)}>Add <Key of={keyOf("room", "add")} /></button>}
      </h2>
      <Compare desk={desk} />
      {session.undone.value && <p class="muted" role="status">Undone: {session.undone.value}</p>}
      {desk.adding.value && <Adding desk={desk} />}
      {cards.map((one) => <Card key={one.first.finding.tracking} of={one} desk={desk} />)}
      {cards.length === 0 && session.results.state.value.at === "there" && <p class="muted">No finding on this study.</p>}
      <Timeline desk={desk} />
      <Whole results={session.results.value ?? []} />
      <Answers desk={desk} />
    </section>
  );
}

/** To somebody who reads it blind nothing is told of it, which is not to say that nothing was found. */
function Blind({ desk }: { desk: Desk }) {
  return (
    <section aria-label="Findings">
      <h2>You read this study blind</h2>
      <p>What machines and colleagues said of it is shown once your own word is given: under <a href={to.oversight("peer")}>Peer learning</a> where it was drawn for you, under <a href={to.oversight("double")}>Double reading</a> where you are one of two readers.</p>
      <Answers desk={desk} />
    </section>
  );
}

/** Both opinions side by side: what differs, what AI adds, what agrees. Findings themselves are the cards below. */
function Compare({ desk }: { desk: Desk }) {
  const told = desk.session.comparison.value;
  if (!told) return null;
  const { opinion, lines } = told;
  const said = opinion.nothing ? "nothing to report" : [opinion.line, ...opinion.findings.map((one) => one.words || one.what.meaning)].filter(Boolean).join("; ");
  const beneath = new Set(desk.session.cards.value.flatMap((card) => card.beneath.map((one) => one.finding.tracking)));
  const once = lines.filter((line) => !beneath.has(line.machine)); // a lesion counts once, whichever analyses measured it
  const counts = (["differs", "adds", "agrees", "yours"] as const).map((relation) => [relation, once.filter((line) => line.relation === relation).length] as const).filter(([, n]) => n);
  const loose = lines.filter((line) => !line.machine && line.relation === "differs");
  return (
    <div class="compare" aria-label="Compare" role="group">
      <p><span class="tag person"><span aria-hidden="true">●</span> First opinion</span> {said} <span class="muted">locked {moment(opinion.locked).slice(11)} UTC</span></p>
      <p class="muted">{counts.length ? counts.map(([relation, n]) => COUNTED[relation](n)).join(" · ") : "No analysis has said anything to compare."}</p>
      {loose.map((line) => <p key={line.analysis + line.own}><Related relation="differs" why={line.why} /></p>)}
    </div>
  );
}

const RELATIONS: Record<Relation, { shape: string; words: string; css: string }> = {
  differs: { shape: "≠", words: "differs", css: "tag soon" },
  adds: { shape: "+", words: "AI adds", css: "tag machine" },
  agrees: { shape: "=", words: "agrees", css: "tag fine" },
  yours: { shape: "●", words: "yours alone", css: "tag person" },
};

const COUNTED: Record<Relation, (n: number) => string> = {
  differs: (n) => `AI differs in ${n}`,
  adds: (n) => `AI adds ${n}`,
  agrees: (n) => `AI agrees in ${n}`,
  yours: (n) => `${n} yours alone`,
};

function Related({ relation, why }: { relation: Relation; why?: string }) {
  const { shape, words, css } = RELATIONS[relation];
  return <><span class={css}><span aria-hidden="true">{shape}</span> {words}</span>{why && <span class="muted"> {why}</span>}</>;
}

/** One thing to answer, once: what was found, and beneath it what else was measured on the same segment, each by its analysis. */
export function Card({ of, desk }: { of: Answerable; desk: Desk }) {
  const { session } = desk;
  const { first: one, beneath } = of;
  const { finding, result } = one;
  const active = desk.active.value === finding.tracking;
  const ref = useRef<HTMLElement>(null);
  useEffect(() => {
    if (active) ref.current?.scrollIntoView({ block: "nearest" });
  }, [active]);
  const seen = desk.seen(of);
  const open = waits(of);
  const title = titleOf(finding);
  const said = wordsOf(finding);
  return (
    <article ref={ref} class={`card ${one.machine ? "machine" : "person"} ${open ? "undecided" : finding.verdict === "undecided" ? "research" : finding.verdict}${active ? " active" : ""}`} aria-label={`Finding ${one.number}: ${title}`} aria-current={active ? "true" : undefined} onClick={() => desk.choose(one)}>
      <header>
        <span class="swatch"><i style={{ borderColor: colourOf(one) }} /> {one.number}</span>
        <strong>{title}</strong>
        <span class="gap" />
        {one.compared && one.compared.relation !== "adds" && <Related relation={one.compared.relation} />}
        <Origin one={one} />
      </header>
      {one.compared?.why && <p class="muted">{one.compared.why}</p>}
      {said && <p>{unbroken(said)}</p>}
      {result.model_state && result.model_state !== "released" && <p class="muted"><span class="soon" aria-hidden="true">▲</span> Its model is {result.model_state === "candidate" ? "a candidate" : result.model_state}: it was released by nobody here.</p>}
      {result.stopped && <p><span class="now"><span aria-hidden="true">⬢</span> Stopped</span> <span class="muted">by {result.stopped.by}, {moment(result.stopped.when)} UTC: {whyStopped(result.stopped.reason)}</span></p>}
      <Numbers of={finding.measurements} />
      <Before tracking={finding.tracking} session={session} />
      <Take one={one} session={session} />
      <p class="muted">
        {one.machine && <><Certainty value={finding.certainty} />{finding.here && " · "}<Here known={finding.here} />{open && <> · <span class={`whole-word ${seen ? "fine" : "faint"}`}>{seen ? "seen ✓" : "not seen yet"}</span></>}<br /></>}
        {result.analysis && one.machine && <><a href={to.analyses(result.analysis)}>{spoken(result.analysis)} {result.version}</a>{typeof result.model === "string" && <> · <a href={to.models(result.model)}>its model</a></>} </>}
        {finding.research && "For research: no answer needed. "}
        {finding.reason && `because: ${finding.reason}`}
      </p>
      {one.machine && <Limits of={result.limits ?? []} />}
      {beneath.filter((other) => !other.finding.research).map((other) => <Beneath key={other.finding.tracking} one={other} struck={finding.verdict === "struck"} />)}
      <Research of={beneath.filter((other) => other.finding.research)} struck={finding.verdict === "struck"} />
      {session.mine.value && finding.verdict !== "struck" && desk.editing.value?.tracking !== finding.tracking && (
        <div class="acts">
          {open && (
            <button type="button" aria-disabled={!seen} onClick={() => desk.keep(one)} title={seen ? undefined : "Look at the evidence first: press Enter to jump to it"}>Keep <Key of={keyOf("room", "keep")} /></button>
          )}
          <button type="button" onClick={() => desk.edit(one, "changed")}>Change <Key of={keyOf("room", "change")} /></button>
          <button type="button" onClick={() => desk.edit(one, "struck")}>Strike <Key of={keyOf("room", "strike")} /></button>
          <span class="gap" />
          {finding.where && <button type="button" class="quiet" onClick={() => desk.jump(one)}>Jump <Key of="↵" /></button>}
        </div>
      )}
      {desk.editing.value?.tracking === finding.tracking && <Editing one={one} desk={desk} as={desk.editing.value.as} />}
    </article>
  );
}

/** What the same lesion measured when it was seen last, where somebody has said that it is the same. */
function Before({ tracking, session }: { tracking: string; session: Session }) {
  const told = session.lesions.value;
  const before = told && beforeOf(told, tracking);
  if (!before?.then.size) return null;
  return <p class="muted">was {quantity(before.then.size.value, before.then.size.unit)}{before.date && ` on ${day(before.date)}`}{changed(before.now) && `, ${changed(before.now)}`}</p>;
}

/** Where its analysis ends: a number is read with it, so the first stands and the others are at hand. */
function Limits({ of: [first, ...more] }: { of: string[] }) {
  if (!first) return null;
  if (!more.length) return <p class="muted">Limit: {first}</p>;
  return <details class="whole"><summary>Limit: {first} <span class="muted">{count(more.length, "more", "more")}</span></summary><ul>{more.map((words) => <li key={words}>{words}</li>)}</ul></details>;
}

/** What was measured for research alone: at hand, out of the way, and nothing to answer. */
function Research({ of, struck }: { of: Found[]; struck: boolean }) {
  if (!of.length) return null;
  const names = [...new Set(of.map(({ result }) => spoken(result.analysis)))].join(", ");
  return (
    <details class="whole beneath">
      <summary>For research, no answer needed: {names}, {count(of.reduce((sum, { finding }) => sum + finding.measurements.length, 0), "number")}</summary>
      {of.map((one) => <Beneath key={one.finding.tracking} one={one} struck={struck} />)}
    </details>
  );
}

/** Another measurement of the same segment: by which analysis, in its words, and its numbers at hand. */
function Beneath({ one: { finding, result }, struck }: { one: Found; struck: boolean }) {
  const said = wordsOf(finding);
  return (
    <div class="beneath">
      <p>
        {result.analysis && <a href={to.analyses(result.analysis)}>{spoken(result.analysis)} {result.version}</a>} {said && unbroken(said)}
        {finding.verdict !== "undecided" && (finding.verdict === "struck") !== struck && <span class="muted"> {finding.verdict}</span>}
      </p>
      {finding.measurements.length > 0 && <details class="whole"><summary>{count(finding.measurements.length, "number")}</summary><NumberList of={finding.measurements} /></details>}
    </div>
  );
}

/** What a certainty is worth at this site: counted from its signed reports, and not said while they are few. */
function Here({ known }: { known: Finding["here"] }) {
  if (!known) return null;
  if (known.of_100 === null) return <span class="faint">not yet known here (n {known.n})</span>;
  return <span>of 100 like this here, {known.of_100} were confirmed ({known.low}–{known.high}, n {known.n})</span>;
}

function Origin({ one }: { one: Found }) {
  switch (one.finding.verdict) {
    case "added":
      return <PersonMark words="added" />;
    case "changed":
      return <PersonMark words="changed" />;
    case "kept":
      return <MachineMark words="AI, kept" />;
    case "struck":
      return <MachineMark words="AI, struck" />;
    default:
      return <MachineMark words={one.compared?.relation === "adds" ? "AI adds" : "AI"} />;
  }
}

const AT_FIRST = 4;

function Numbers({ of }: { of: Result["measurements"] }) {
  if (!of.length) return null;
  const few = of.length > AT_FIRST + 1 ? AT_FIRST : of.length;
  return (
    <>
      <NumberList of={of.slice(0, few)} />
      {few < of.length && <details class="whole"><summary>{of.length - few} more</summary><NumberList of={of.slice(few)} /></details>}
    </>
  );
}

function NumberList({ of }: { of: Result["measurements"] }) {
  return (
    <dl class="numbers">
      {of.map((one) => (
        <div key={one.what.code + one.definition + one.unit}>
          <dt>{one.what.meaning}{one.definition && <span class="faint"> {one.definition}</span>}</dt>
          <dd>{quantity(one.value, one.unit, one.low, one.high)}</dd>
        </div>
      ))}
    </dl>
  );
}

/** Why a finding is struck: a coded label for the next model, chosen by its number. */
const STRUCK_BECAUSE = [["artefact", "artefact"], ["normal", "normal variant"], ["wrong-place", "wrong place"], ["known", "already known"], ["other", "other"]] as const;

/** Change asks for words, side and size; strike for the reason, by number. Both take one key and Enter. */
function Editing({ one, desk, as }: { one: Found; desk: Desk; as: "changed" | "struck" }) {
  const stop = (event: KeyboardEvent) => {
    if (event.key !== "Escape") return;
    event.stopPropagation();
    desk.editing.value = null;
  };
  return as === "struck" ? <Striking one={one} desk={desk} stop={stop} /> : <Changing one={one} desk={desk} stop={stop} />;
}

function Striking({ one, desk, stop }: { one: Found; desk: Desk; stop: (event: KeyboardEvent) => void }) {
  const [reason, setReason] = useState("");
  const strike = (label = "") => desk.decide(one, { verdict: "struck", label, reason: reason.trim() });
  const choose = (event: KeyboardEvent) => {
    const choice = STRUCK_BECAUSE[Number(event.key) - 1];
    if (!choice || (event.target as HTMLElement).matches("input")) return stop(event);
    event.preventDefault();
    event.stopPropagation();
    strike(choice[0]);
  };
  return (
    <form class="editing" aria-label="Strike, because" onSubmit={(event) => (event.preventDefault(), strike())} onKeyDown={choose}>
      <p class="muted">Why? One key, or Enter without a reason.</p>
      <div class="acts">{STRUCK_BECAUSE.map(([label, words], i) => <button key={label} type="button" onClick={() => strike(label)} ref={i === 0 ? grab : undefined}>{words} <Key of={String(i + 1)} /></button>)}</div>
      <label>In words (optional)<input value={reason} onInput={(event) => setReason(event.currentTarget.value)} /></label>
      <div class="acts">
        <button class="primary">Strike</button>
        <button type="button" onClick={() => (desk.editing.value = null)}>Not now</button>
      </div>
    </form>
  );
}

function Changing({ one, desk, stop }: { one: Found; desk: Desk; stop: (event: KeyboardEvent) => void }) {
  const { finding } = one;
  const { beneath } = desk.session.cardOf(one);
  const measured = [one, ...beneath.filter((other) => !other.finding.research)];
  const [words, setWords] = useState(finding.words || finding.what.meaning);
  const [side, setSide] = useState(choices.sides.findIndex((other) => other.code === finding.laterality?.code));
  const [site, setSite] = useState(choices.sites.findIndex((other) => other.code === finding.site?.code));
  const [sizes, setSizes] = useState(measured.map((other) => other.finding.measurements.map((size) => number(size.value))));
  const [reason, setReason] = useState("");
  const wrong = sizes.flat().some((size) => !/^-?\d+([.,]\d+)?(e-?\d+)?$/.test(size));
  const done = () => {
    if (!words.trim() || wrong) return;
    // Only what was typed anew is another number; the others keep all their digits.
    const anew = ({ finding: { measurements: old } }: Found, typed: string[]) =>
      old.some((size, i) => typed[i] !== number(size.value)) ? old.map((size, i) => ({ what: size.what, unit: size.unit, value: typed[i] === number(size.value) ? size.value : Number(typed[i]!.replace(",", ".")) })) : undefined;
    const also = measured.slice(1).map((other, i) => ({ tracking: other.finding.tracking, measurements: anew(other, sizes[i + 1]!) }));
    desk.decide(one, { verdict: "changed", words: words.trim(), reason: reason.trim(), laterality: choices.sides[side], site: choices.sites[site], measurements: anew(one, sizes[0]!) }, also);
  };
  return (
    <form class="editing" aria-label="Change the finding" onSubmit={(event) => (event.preventDefault(), done())} onKeyDown={stop}>
      <label>Words<textarea rows={2} value={words} onInput={(event) => setWords(event.currentTarget.value)} ref={grab} /></label>
      <div class="choices">
        <label>Site<select value={site} onChange={(event) => setSite(Number(event.currentTarget.value))}><option value={-1}>{finding.site && site < 0 ? finding.site.meaning : "as it is"}</option>{choices.sites.map((other, i) => <option key={other.code} value={i}>{other.meaning}</option>)}</select></label>
        <label>Side<select value={side} onChange={(event) => setSide(Number(event.currentTarget.value))}><option value={-1}>as it is</option>{choices.sides.map((other, i) => <option key={other.code} value={i}>{other.meaning}</option>)}</select></label>
      </div>
      {sizes.flat().length > 0 && (
        <details class="whole">
          <summary>Sizes</summary>
          {measured.map((other, part) => (
            <div class="choices" key={other.finding.tracking} role="group" aria-label={spoken(other.result.analysis)}>
              {other.finding.measurements.map((size, i) => (
                <label key={size.what.code + i}>{size.what.meaning}{size.definition && ` (${size.definition})`}, {unit(size.unit) || "no unit"}<input inputMode="decimal" value={sizes[part]![i]} onInput={(event) => setSizes(sizes.map((all, p) => (p === part ? all.map((old, at) => (at === i ? event.currentTarget.value.trim() : old)) : all)))} /></label>
              ))}
            </div>
          ))}
        </details>
      )}
      {wrong && <p class="soon" role="alert">A size is a number.</p>}
      <label>Reason (optional)<input value={reason} onInput={(event) => setReason(event.currentTarget.value)} /></label>
      <div class="acts">
        <button class="primary" disabled={!words.trim() || wrong}>Change</button>
        <button type="button" onClick={() => (desk.editing.value = null)}>Not now</button>
      </div>
    </form>
  );
}

function grab(element: HTMLElement | null): void {
  if (element && !element.dataset.grabbed) {
    element.dataset.grabbed = "yes";
    element.focus();
  }
}

const CERTAIN = [["possible", "▂"], ["likely", "▅"], ["certain", "█"]] as const;

/** A person's own finding: words, a kind, how certain they are in three steps, and a place when they click on the image. */
export function Adding({ desk }: { desk: Desk }) {
  const [words, setWords] = useState("");
  const [kind, setKind] = useState(0);
  const [side, setSide] = useState(-1);
  const [certainty, setCertainty] = useState<Decision["certainty"]>("likely");
  const place = desk.mark.value;
  const kinds = [{ code: "121071", scheme: "DCM", meaning: "Finding" }, ...choices.kinds];
  return (
    <form class="card person editing" aria-label="Add a finding" onSubmit={(event) => (event.preventDefault(), words.trim() && desk.add(words.trim(), kinds[kind]!, choices.sides[side], certainty))} onKeyDown={(event) => { if (event.key === "Escape") { event.stopPropagation(); desk.stopAdding(); } }}>
      <label>Your finding<input value={words} placeholder="Small effusion, right" autocomplete="off" onInput={(event) => setWords(event.currentTarget.value)} ref={grab} /></label>
      <div class="choices">
        <label>Kind<select value={kind} onChange={(event) => setKind(Number(event.currentTarget.value))}>{kinds.map((one, i) => <option key={one.code} value={i}>{i ? one.meaning : "as worded"}</option>)}</select></label>
        <label>Side<select value={side} onChange={(event) => setSide(Number(event.currentTarget.value))}><option value={-1}>none</option>{choices.sides.map((one, i) => <option key={one.code} value={i}>{one.meaning}</option>)}</select></label>
      </div>
      <fieldset class="steps">
        <legend>Certainty</legend>
        {CERTAIN.map(([step, bar]) => <label key={step}><input type="radio" name="certainty" checked={certainty === step} onChange={() => setCertainty(step)} /> <span aria-hidden="true">{bar}</span> {step}</label>)}
      </fieldset>
      <p class="muted">{place ? `Marked at column ${Math.round(place.pixel[0])}, row ${Math.round(place.pixel[1])} of the image on screen.` : "Click on the image to mark the place, or leave it without one."}</p>
      <div class="acts">
        <button class="primary" disabled={!words.trim()}>Add <Key of="↵" /></button>
        <button type="button" onClick={() => desk.stopAdding()}>Not now</button>
      </div>
    </form>
  );
}

/** Numbers on the study as a whole. */
function Whole({ results }: { results: Result[] }) {
  const with_numbers = results.filter((result) => result.measurements.length && result.answer !== "declined");
  if (!with_numbers.length) return null;
  return (
    <details class="whole">
      <summary>Measurements of the whole study</summary>
      {with_numbers.map((result) => <div key={result.id}><h3>{spoken(result.analysis)} <span class="muted">{result.version}</span></h3><NumberList of={result.measurements} /></div>)}
    </details>
  );
}

function Answers({ desk }: { desk: Desk }) {
  const plan = desk.session.plan.value ?? [];
  const of = (answer: string) => each(plan.filter((one) => one.answer === answer).map((one) => spoken(one.analysis)));
  const [struck, none, waiting] = [of("struck"), of("none"), of("waiting")];
  return (
    <>
      {waiting && <p class="answers"><span aria-hidden="true">…</span> Still looking: {waiting}</p>}
      {struck && <p class="answers"><span class="muted" aria-hidden="true">⊘</span> Found, and struck by a reader: {struck}</p>}
      {none && <p class="answers"><span class="fine" aria-hidden="true">✓</span> Looked, found none: {none}</p>}
      <NotLooked desk={desk} />
    </>
  );
}

/** Names in their order, each once; how often, where one spoke of several series. */
function each(names: string[]): string {
  return [...new Set(names)].map((name) => [name, names.filter((other) => other === name).length] as const).map(([name, n]) => (n > 1 ? `${name} (${n} series)` : name)).join(", ");
}

/** What no analysis looked for, and why: the same before and after one's opinion, for it follows from the headers. */
export function NotLooked({ desk }: { desk: Desk }) {
  const plan = desk.session.plan.value ?? [];
  const not = plan.filter((one) => one.answer === "declined" || one.answer === "failed");
  // What wants another modality or part of the body is no surprise to a reader; what came near and was not done may be one.
  const [far, near] = [not.filter(forOtherImages), not.filter((one) => !forOtherImages(one))];
  const after = plan.filter((one) => one.answer === "after");
  const names = [...new Set(after.map((one) => spoken(one.analysis)))].join(", ");
  return (
    <>
      {after.length > 0 && <p class="answers"><span aria-hidden="true">◇</span> After your opinion: {names}</p>}
      {not.length > 0 && (
        <div class="answers">
          <strong>Not looked:</strong> <a class="quiet" href={to.why(desk.session.uid)}>why <Key of={keyOf("room", "why")} /></a>
          {near.length > 0 && <Because of={near} />}
          {far.length > 0 && <details><summary>{count(far.length, "analysis", "analyses")} for other images than these</summary><Because of={far} /></details>}
        </div>
      )}
    </>
  );
}

function Because({ of }: { of: Planned[] }) {
  return <ul>{of.map((one) => <li key={one.analysis}><a href={to.analyses(one.analysis)}>{spoken(one.analysis)}</a>{one.answer === "failed" && " (failed)"}, because {one.reasons.map((why) => why.replace(/^needs\b/, "it needs")).join("; ") || "no reason was given"}</li>)}</ul>;
}
