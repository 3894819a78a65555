import { useEffect, useRef, useState } from "preact/hooks";
import type { Result } from "../api/shapes";
import { keyOf } from "../keys/keyboard";
import { Certainty, Key, MachineMark, PersonMark } from "../kit/marks";
import { to } from "../router";
import { quantity, spoken } from "../words";
import { colourOf } from "./overlay";
import type { Desk } from "./desk";
import choices from "./kinds.json";
import type { Found } from "./session";

/** What was found, one card each; what was looked for and not found; and what was not looked for, and why. Three answers, never two. */
export function Findings({ desk }: { desk: Desk }) {
  const { session } = desk;
  const found = session.found.value;
  const decided = found.length - session.undecided.value;
  return (
    <section aria-label="Findings">
      <h2>
        Findings {found.length > 0 && <span class="muted">{decided} of {found.length} decided</span>}
        <span class="gap" />
        {session.mine.value && <button type="button" onClick={() => (desk.adding.value = true)}>Add <Key of={keyOf("room", "add")} /></button>}
      </h2>
      {desk.adding.value && <Adding desk={desk} />}
      {found.map((one) => <Card key={one.finding.tracking} one={one} desk={desk} />)}
      {found.length === 0 && session.results.state.value.at === "there" && <p class="muted">No finding on this study.</p>}
      <Whole results={session.results.value ?? []} />
      <Answers desk={desk} />
    </section>
  );
}

function Card({ one, desk }: { one: Found; desk: Desk }) {
  const { session, evidence } = desk;
  const { finding, result } = one;
  const active = desk.active.value === finding.tracking;
  const ref = useRef<HTMLElement>(null);
  useEffect(() => {
    if (active) ref.current?.scrollIntoView({ block: "nearest" });
  }, [active]);
  const seen = evidence.findings.value.has(finding.tracking);
  const place = [finding.laterality?.meaning.toLowerCase(), finding.site?.meaning.toLowerCase()].filter(Boolean).join(" ");
  const title = finding.what.meaning + (place && !finding.what.meaning.toLowerCase().includes(place) ? `, ${place}` : "");
  return (
    <article ref={ref} class={`card ${one.machine ? "machine" : "person"} ${finding.verdict}${active ? " active" : ""}`} aria-label={`Finding ${one.number}: ${title}`} aria-current={active ? "true" : undefined} onClick={() => desk.choose(one)}>
      <header>
        <span class="swatch"><i style={{ borderColor: colourOf(one) }} /> {one.number}</span>
        <strong>{title}</strong>
        <span class="gap" />
        <Origin one={one} />
      </header>
      {finding.words && finding.words !== finding.what.meaning && <p>{finding.words}</p>}
      <Numbers of={finding.measurements} />
      <p class="muted">
        {one.machine && <><Certainty value={finding.certainty} />{finding.certainty !== null && " · confirmed here: not yet known"}{finding.verdict === "undecided" && <span class={seen ? "fine" : "faint"}> · {seen ? "seen ✓" : "not seen yet"}</span>}<br /></>}
        {result.analysis && one.machine && <><a href={to.analyses(result.analysis)}>{spoken(result.analysis)} {result.version}</a> </>}
        {[finding.where?.label, finding.reason && `because: ${finding.reason}`].filter(Boolean).join(" · ")}
      </p>
      {session.mine.value && finding.verdict !== "struck" && desk.editing.value?.tracking !== finding.tracking && (
        <div class="acts">
          {finding.verdict === "undecided" && (
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
      return <MachineMark />;
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

const struck_because = ["artefact", "normal variant", "wrong place", "already known", "other"];

/** Change asks for the words, strike for the reason: the reason becomes a label for the next model. */
function Editing({ one, desk, as }: { one: Found; desk: Desk; as: "changed" | "struck" }) {
  const [words, setWords] = useState(one.finding.words || one.finding.what.meaning);
  const [reason, setReason] = useState("");
  const done = (because = reason) => desk.decide(one, as === "changed" ? { verdict: "changed", words: words.trim(), reason: because } : { verdict: "struck", reason: because });
  return (
    <form class="editing" onSubmit={(event) => (event.preventDefault(), done())} onKeyDown={(event) => { if (event.key === "Escape") { event.stopPropagation(); desk.editing.value = null; } }}>
      {as === "changed" && <label>Words<textarea rows={2} value={words} onInput={(event) => setWords(event.currentTarget.value)} autofocus ref={grab} /></label>}
      <label>{as === "struck" ? "Why (optional)" : "Reason (optional)"}<input value={reason} list={`reasons-${one.number}`} onInput={(event) => setReason(event.currentTarget.value)} ref={as === "struck" ? grab : undefined} /></label>
      <datalist id={`reasons-${one.number}`}>{struck_because.map((because) => <option key={because} value={because} />)}</datalist>
      {as === "struck" && <div class="acts">{struck_because.map((because) => <button key={because} type="button" onClick={() => done(because)}>{because}</button>)}</div>}
      <div class="acts">
        <button class="primary" disabled={as === "changed" && !words.trim()}>{as === "changed" ? "Change" : "Strike"}</button>
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

/** A person's own finding: words, and a place when they click on the image. */
function Adding({ desk }: { desk: Desk }) {
  const [words, setWords] = useState("");
  const [kind, setKind] = useState(0);
  const [side, setSide] = useState(-1);
  const place = desk.mark.value;
  return (
    <form class="card person editing" aria-label="Add a finding" onSubmit={(event) => (event.preventDefault(), desk.add(words.trim(), choices.kinds[kind]!, choices.sides[side]))} onKeyDown={(event) => { if (event.key === "Escape") { event.stopPropagation(); desk.stopAdding(); } }}>
      <label>Your finding<textarea rows={2} value={words} placeholder="Small effusion, right" onInput={(event) => setWords(event.currentTarget.value)} ref={grab} /></label>
      <div class="choices">
        <label>Kind<select value={kind} onChange={(event) => setKind(Number(event.currentTarget.value))}>{choices.kinds.map((one, i) => <option key={one.code} value={i}>{one.meaning}</option>)}</select></label>
        <label>Side<select value={side} onChange={(event) => setSide(Number(event.currentTarget.value))}><option value={-1}>none</option>{choices.sides.map((one, i) => <option key={one.code} value={i}>{one.meaning}</option>)}</select></label>
      </div>
      <p class="muted">{place ? `Marked at column ${Math.round(place.pixel[0])}, row ${Math.round(place.pixel[1])} of the image on screen.` : "Click on the image to mark the place, or leave it without one."}</p>
      <div class="acts">
        <button class="primary" disabled={!words.trim()}>Add</button>
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
  const of = (...answers: string[]) => plan.filter((one) => answers.includes(one.answer));
  const [none, not, waiting] = [of("none"), of("declined", "failed"), of("waiting")];
  return (
    <>
      {waiting.length > 0 && <p class="answers"><span aria-hidden="true">⧗</span> Still looking: {waiting.map((one) => spoken(one.analysis)).join(", ")}</p>}
      {none.length > 0 && <p class="answers"><span class="fine" aria-hidden="true">✓</span> Looked, found none: {none.map((one) => spoken(one.analysis)).join(", ")}</p>}
      {not.length > 0 && (
        <div class="answers">
          <strong>Not looked:</strong>
          <ul>{not.map((one) => <li key={one.analysis}><a href={to.analyses(one.analysis)}>{spoken(one.analysis)}</a>{one.answer === "failed" && " (failed)"}, because {one.reasons.join("; ") || "no reason was given"}</li>)}</ul>
        </div>
      )}
    </>
  );
}
