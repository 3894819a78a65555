import { useEffect, useRef } from "preact/hooks";
import { ask } from "../api/door";
import { Source } from "../api/load";
import { Empty, Shown } from "../kit/states";
import { StudyField } from "../kit/study-field";
import { me } from "../me";
import { to } from "../router";
import { day } from "../words";
import { Act, fields } from "./act";
import { type Estimate, share } from "./figures";
import { Refusal } from "./refusal";

interface Pair {
  id: string;
  study: string;
  question: string;
  /** Whose study; nothing where it was rejected since. */
  about: { patient?: string; accession?: string; description?: string; date?: string };
  asked: string;
  state: string;
  turn: boolean;
  opinions: { who: string; positive: boolean; words: string }[];
  readers?: string[];
  answer?: boolean;
  settled?: string;
}

interface Double {
  pairs: Pair[];
  figures: { n: number; recall: Estimate | null; detection: Estimate | null; ppv: Estimate | null; interval_cancers: Estimate | null; discordant: Estimate | null; reads: number; saved: number };
}

/** Two people read the same study, neither knows of the other, a third settles what differs. */
export function DoublePart() {
  const source = useRef<Source<Double>>(null);
  source.current ??= new Source((abort) => ask<Double>("/api/double", { abort }));
  const again = () => void source.current!.load();
  useEffect(again, []);
  return (
    <Shown of={source.current} what="double readings">
      {({ pairs, figures }) => (
        <>
          {pairs.length === 0 ? <Empty title="No double reading is yours">What two readers are asked stands here, each for its two readers; what differs, for a third.</Empty> : pairs.map((pair) => <One key={pair.id} pair={pair} again={again} />)}
          {figures.n > 0 && (
            <><h2>Figures of {figures.n} that are done</h2>
              <table class="plain"><tbody>
                <tr><th scope="row">Positive (recall)</th><td>{share(figures.recall)}</td></tr>
                <tr><th scope="row">Found, of all</th><td>{share(figures.detection)}</td></tr>
                <tr><th scope="row">Positive predictive value</th><td>{share(figures.ppv)}</td></tr>
                <tr><th scope="row">Missed, of the negative with known truth</th><td>{share(figures.interval_cancers)}</td></tr>
                <tr><th scope="row">Needed a third reader</th><td>{share(figures.discordant)}</td></tr>
                <tr><th scope="row">Readings by people</th><td>{figures.reads}, {figures.saved} fewer than two each</td></tr>
              </tbody></table></>
          )}
          {me.value?.role === "admin" && <AskTwo again={again} />}
        </>
      )}
    </Shown>
  );
}

const STATES: Record<string, string> = { reading: "not both have answered", discordant: "they differ: a third reader settles it", done: "done" };

function One({ pair, again }: { pair: Pair; again: () => void }) {
  const act = useRef(new Act()).current;
  const send = async (event: SubmitEvent) => {
    const { answer, words = "" } = fields(event);
    if (await act.send(`/api/double/${pair.id}/opinion`, { positive: answer === "yes", words })) again();
  };
  const mine = pair.state === "discordant" ? "Settle it" : "Lock my opinion";
  return (
    <section class="pair" aria-label={pair.question}>
      <h3>{pair.question} <span class="muted">asked {day(pair.asked)}, {STATES[pair.state] ?? pair.state}</span></h3>
      <p>{pair.about.description} {pair.about.date} <span class="id">{pair.about.patient}</span>{pair.about.accession && <> Acc <span class="id">{pair.about.accession}</span></>} · <a href={to.oversight("view", pair.study)}>Look at the images</a>{pair.readers && <span class="muted"> · {pair.readers.join(" and ")}</span>}</p>
      {pair.opinions.map((one) => <p key={one.who}><strong>{one.who}</strong>: {one.positive ? "yes" : "no"}{one.words && `, ${one.words}`}</p>)}
      {pair.answer !== undefined && <p><strong>It stands</strong>: {pair.answer ? "yes" : "no"}{pair.settled && `, ${pair.settled}`}</p>}
      {pair.turn && (
        <form class="controls" onSubmit={(event) => void send(event)}>
          <label class="radio"><input type="radio" name="answer" value="yes" required /> yes</label>
          <label class="radio"><input type="radio" name="answer" value="no" /> no</label>
          <label class="wide">Why<input name="words" maxLength={4000} required={pair.state === "discordant"} /></label>
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
    const { study, question, first, second } = fields(event);
    if (await act.send("/api/double", { study, question, readers: [first, second] })) again();
  };
  return (
    <>
      <h2>Ask two readers</h2>
      <form class="controls" onSubmit={(event) => void send(event)}>
        <StudyField />
        <label class="wide">Question, to be answered by yes or no<input name="question" required maxLength={300} /></label>
        <label>First reader<input name="first" required /></label>
        <label>Second reader, or AI<input name="second" required /></label>
        <button type="submit" disabled={act.busy.value}>Ask</button>
      </form>
      <Refusal of={act} />
    </>
  );
}
