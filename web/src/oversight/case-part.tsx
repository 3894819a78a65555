import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../api/door";
import { Source } from "../api/load";
import { Shown } from "../kit/states";
import { go, to } from "../router";
import { Act, fields } from "./act";
import type { Case } from "./peer-part";
import { Refusal } from "./refusal";
import { nowhere, Slices } from "./slices";

interface Blind {
  case: Case;
  report: { section: string; text: string }[];
}

const scores = [
  ["1", "agree"], ["2a", "understandable miss, unlikely to matter"], ["2b", "understandable miss, likely to matter"],
  ["3a", "should be made most of the time, unlikely to matter"], ["3b", "should be made most of the time, likely to matter"],
]; // prettier-ignore

/** One drawn case: the images and the words of the report, without names, without AI; then a score. */
export function CasePart({ id }: { id: string }) {
  const source = useRef<Source<Blind>>(null);
  source.current ??= new Source((abort) => ask<Blind>(`/api/peer/${id}/case`, { abort }));
  const [at, setAt] = useState(nowhere);
  const [score, setScore] = useState("");
  const act = useRef(new Act()).current;
  useEffect(() => void source.current!.load(), []);
  const send = async (event: SubmitEvent) => {
    if (await act.send(`/api/peer/${id}/score`, { words: "", ...fields(event) })) go(to.oversight("peer"));
  };
  return (
    <Shown of={source.current} what="the case">
      {({ case: one, report }) => (
        <>
          <h2>{one.stratum}, read again <span class="id">{one.id.slice(0, 8)}</span> <span class="muted">without names and without AI</span></h2>
          <div class="beside">
            {one.study && <Slices study={one.study} at={at} move={setAt} />}
            <div>
              <h3>What was signed</h3>
              {report.length ? report.map((sentence, i) => <p key={i}><span class="muted">{sentence.section}</span> {sentence.text}</p>) : <p class="muted">The report has no words.</p>}
              {one.mine ? (
                <form class="score" onSubmit={(event) => void send(event)}>
                  <fieldset>
                    <legend>RADPEER score</legend>
                    {scores.map(([value, words]) => <label class="radio" key={value}><input type="radio" name="score" required value={value} checked={score === value} onChange={() => setScore(value!)} /><strong>{value}</strong> {words}</label>)}
                  </fieldset>
                  <label>What was different{score > "1" && ", needed for this score"}<textarea name="words" rows={4} maxLength={4000} required={score > "1"} /></label>
                  <Refusal of={act} />
                  <button type="submit" class="primary" disabled={act.busy.value}>{score ? `Score as ${score}` : "Score"}</button>
                </form>
              ) : <p class="muted said">{one.state === "done" ? `Scored ${one.score}. ${one.words ?? ""}` : "It is not your turn."}</p>}
            </div>
          </div>
        </>
      )}
    </Shown>
  );
}
