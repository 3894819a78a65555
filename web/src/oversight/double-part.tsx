import { useEffect, useRef } from "preact/hooks";
import { ask } from "../api/door";
import { Source } from "../api/load";
import { Empty, Shown } from "../kit/states";
import { StudyField } from "../kit/study-field";
import { me } from "../me";
import { to } from "../router";
import { day, spoken } from "../words";
import { Act, fields } from "./act";
import { type Estimate, counted } from "./figures";
import { Refusal } from "./refusal";
import { TakeOut } from "./take-out";

interface Pair {
  id: string;
  study: string;
  question: string;
  /** Whose study; nothing where it was rejected since. */
  about: { patient?: string; accession?: string; description?: string; date?: string };
  asked: string;
  state: string;
  turn: boolean;
  /** It waits for what this third reader sees alone; both opinions are told after it. */
  looks: boolean;
  opinions: { who: string; positive: boolean; words: string }[];
  readers?: string[];
  answer?: boolean;
  settled?: string;
}

interface Double {
  pairs: Pair[];
  figures: { n: number; known: number; recall: Estimate | null; detection: Estimate | null; ppv: Estimate | null; interval_cancers: Estimate | null; discordant: Estimate | null; reads: number; saved: number };
}

/** Two people read the same study, neither knows of the other, a third settles what differs. */
export function DoublePart() {
  const source = useRef<Source<Double>>(null);
  source.current ??= new Source((abort) => ask<Double>("/api/double", { abort }));
  const again = () => void source.current!.load();
  useEffect(again, []);
  return (
    <Shown of={source.current} what="double readings">
      {({ pairs, figures }) => {
        const open = pairs.filter((pair) => pair.state !== "done").sort((a, b) => Number(b.turn) - Number(a.turn));
        const done = pairs.filter((pair) => pair.state === "done");
        return <>
          {figures.n > 0 && <Figures told={figures} />}
          {pairs.length === 0 && <Empty title="No double reading is yours">What two readers are asked stands here, each for its two readers; what differs, for a third.</Empty>}
          {open.length > 0 && <><h2>Not done yet</h2>{open.map((pair, i) => <One key={pair.id} pair={pair} nth={i + 1} again={again} />)}</>}
          {done.length > 0 && <Done pairs={done} />}
          {me.value?.role === "admin" && <AskTwo again={again} />}
        </>;
      }}
    </Shown>
  );
}

function Figures({ told }: { told: Double["figures"] }) {
  return (
    <>
      <h2>Figures of {told.n} that are done; of {told.known} it is known what turned out to be true <TakeOut path="/api/double" name="double-reading.json" /></h2>
      <table class="plain">
        <caption class="hidden">Shares with 95 % intervals</caption>
        <thead><tr><th scope="col">Share</th><th scope="col">Studies, and with its 95 % interval</th></tr></thead>
        <tbody>
          <tr><th scope="row">Positive (recall)</th><td>{counted(told.recall)}</td></tr>
          <tr><th scope="row">Positive and confirmed, of all</th><td>{counted(told.detection)}{told.detection && told.known < told.n && <span class="muted"> at least</span>}</td></tr>
          <tr><th scope="row">Confirmed, of the positive with known truth</th><td>{counted(told.ppv)}</td></tr>
          <tr><th scope="row">Missed, of the negative with known truth</th><td>{counted(told.interval_cancers)}</td></tr>
          <tr><th scope="row">Needed a third reader</th><td>{counted(told.discordant)}</td></tr>
          <tr><th scope="row">Readings by people</th><td>{told.reads}, {told.saved} fewer than two each and a third where they differ</td></tr>
        </tbody>
      </table>
      {told.known === 0 && <p class="muted">What turned out to be true is told for an analysis; a double reading that names the analysis of its question is counted with it.</p>}
    </>
  );
}

function Done({ pairs }: { pairs: Pair[] }) {
  return (
    <>
      <h2>Done</h2>
      <div class="across" tabIndex={0} role="region" aria-label="Double readings that are done">
        <table class="plain wide">
          <thead><tr><th scope="col">Study</th><th scope="col">Question</th><th scope="col">What was said</th><th scope="col">It stands</th></tr></thead>
          <tbody>
            {pairs.map((pair) => (
              <tr key={pair.id}>
                <th scope="row"><a href={to.oversight("view", pair.study)}>{pair.about.description || "images"} {pair.about.date}</a> <span class="id">{pair.about.patient} {pair.about.accession}</span></th>
                <td>{pair.question}</td>
                <td>{pair.opinions.map((one) => <div key={one.who}>{one.who}: {one.positive ? "yes" : "no"}{one.words && <span class="muted">, {one.words}</span>}</div>)}</td>
                <td>{pair.answer ? "yes" : "no"}{pair.settled && <span class="muted">, settled: {pair.settled}</span>}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

const STATES: Record<string, string> = { reading: "not both have answered", discordant: "they differ: a third reader looks alone, then settles it", done: "done" };

function One({ pair, nth, again }: { pair: Pair; nth: number; again: () => void }) {
  const act = useRef(new Act()).current;
  const send = async (event: SubmitEvent) => {
    const { answer, words = "" } = fields(event);
    if (await act.send(`/api/double/${pair.id}/opinion`, { positive: answer === "yes", words })) again();
  };
  const mine = pair.looks ? "Lock what I see" : pair.state === "discordant" ? "Settle it" : "Lock my opinion";
  return (
    <section class="pair" aria-label={`${nth}. ${pair.question} ${pair.about.accession ?? ""}`}>
      <h3>{pair.question} <span class="muted">asked {day(pair.asked)}, {STATES[pair.state] ?? pair.state}</span></h3>
      <p>{pair.about.description} {pair.about.date} <span class="id">{pair.about.patient}</span>{pair.about.accession && <> Acc <span class="id">{pair.about.accession}</span></>} · <a href={to.oversight("view", pair.study)}>Look at the images</a>{pair.readers && <span class="muted"> · {pair.readers.join(" and ")}</span>}</p>
      {pair.opinions.map((one) => <p key={one.who}><strong>{one.who}</strong>: {one.positive ? "yes" : "no"}{one.words && `, ${one.words}`}</p>)}
      {pair.looks && <p class="muted">The two differ. What each said is shown once you have locked what you see yourself.</p>}
      {pair.turn && (
        <form key={mine} class="controls" onSubmit={(event) => void send(event)}>{/* nothing of the own look stands in what settles */}
          <label class="radio"><input type="radio" name="answer" value="yes" required /> yes</label>
          <label class="radio"><input type="radio" name="answer" value="no" /> no</label>
          <label class="wide">Why<input name="words" maxLength={4000} required={pair.state === "discordant" && !pair.looks} /></label>
          <button type="submit" class="primary" disabled={act.busy.value}>{mine}</button>
        </form>
      )}
      <Refusal of={act} />
    </section>
  );
}

function AskTwo({ again }: { again: () => void }) {
  const act = useRef(new Act()).current;
  const send = async (event: SubmitEvent) => {
    const { study, question, first, second, analysis = "" } = fields(event);
    if (await act.send("/api/double", { study, question, readers: [first, second], analysis })) again();
  };
  const catalogue = useRef<Source<string[]>>(null);
  catalogue.current ??= new Source(async (abort) => (await ask<{ analyses: { name: string }[] }>("/api/analyses", { abort })).analyses.map((one) => one.name));
  const colleagues = useRef<Source<string[]>>(null);
  colleagues.current ??= new Source(async (abort) => (await ask<{ colleagues: { name: string }[] }>("/api/colleagues", { abort })).colleagues.map((one) => one.name));
  const readers = colleagues.current;
  useEffect(() => (void catalogue.current!.load(), void readers.load()), []);
  return (
    <>
      <h2>Ask two readers</h2>
      <form class="controls" onSubmit={(event) => void send(event)}>
        <StudyField />
        <label class="wide">Question, to be answered by yes or no<input name="question" required maxLength={300} /></label>
        <label>First reader<input name="first" required list="who-reads" autocomplete="off" /></label>
        <label>Second reader, or AI<input name="second" required list="who-reads-or-ai" autocomplete="off" /></label>
        <datalist id="who-reads">{readers.value?.map((name) => <option key={name} value={name} />)}</datalist>
        <datalist id="who-reads-or-ai">{["AI", ...(readers.value ?? [])].map((name) => <option key={name} value={name} />)}</datalist>
        <label>Analysis that asks the same
          <select name="analysis"><option value="">none</option>{(catalogue.current.value ?? []).map((name) => <option key={name} value={name}>{spoken(name)}</option>)}</select>
        </label>
        <button type="submit" disabled={act.busy.value}>Ask</button>
      </form>
      <Refusal of={act} />
      <p class="muted">Of the analysis that asks the same, what turned out to be true counts here; where AI is the second reader, it is that analysis, as it has answered.</p>
    </>
  );
}
