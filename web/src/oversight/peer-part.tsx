import { useEffect, useRef } from "preact/hooks";
import { ask } from "../api/door";
import { Source } from "../api/load";
import { Empty, Shown } from "../kit/states";
import { to } from "../router";
import { day } from "../words";
import { Act, fields } from "./act";
import { type Estimate, share, tooFew } from "./figures";
import { DayField } from "./period";
import { Refusal } from "./refusal";
import { TakeOut } from "./take-out";

export interface Case {
  id: string;
  stratum: string;
  state: string;
  drawn: string;
  mine: boolean;
  study?: string;
  score?: string;
  words?: string;
  authors?: string[];
  reviewer?: string;
  arbiter?: string;
  arm?: string;
  /** What this person did in it: signed it, read it again, settled it. */
  part?: string;
}

interface Peer {
  cases: Case[];
  figures: { stratum: string; n: number; scores: Record<string, number>; matters: Estimate | null; needed: number; waiting: number }[];
  scores: Record<string, string>;
  owner: boolean;
}

/** Signed studies drawn by chance, read again by a colleague who knows neither name nor AI. */
export function PeerPart() {
  const source = useRef<Source<Peer>>(null);
  source.current ??= new Source((abort) => ask<Peer>("/api/peer", { abort }));
  useEffect(() => void source.current!.load(), []);
  return <Shown of={source.current} what="peer learning">{(told) => <Told told={told} again={() => void source.current!.load()} />}</Shown>;
}

function Told({ told, again }: { told: Peer; again: () => void }) {
  const turn = told.cases.filter((one) => one.mine);
  const learnt = told.cases.filter((one) => one.state === "done" && !told.owner).sort((a, b) => (b.score ?? "").localeCompare(a.score ?? ""));
  return (
    <>
      <h2>For you to read again</h2>
      {turn.length === 0 ? <p class="muted">Nothing is drawn for you.</p> : (
        <table class="plain"><thead><tr><th scope="col">Case</th><th scope="col">Drawn</th><th scope="col">As</th><th scope="col"><span class="hidden">Open</span></th></tr></thead>
          <tbody>{turn.map((one) => <tr key={one.id}><th scope="row">{one.stratum} <span class="id">{one.id.slice(0, 8)}</span></th><td>{day(one.drawn)}</td><td>{one.state === "arbitration" ? "third reader" : "reviewer"}</td><td><a class="button" href={to.oversight("peer", one.id)}>Read</a></td></tr>)}</tbody>
        </table>
      )}
      {learnt.length > 0 && (
        <><h2>To learn from</h2><table class="plain wide"><thead><tr><th scope="col">Case</th><th scope="col">Your part</th><th scope="col">Score</th><th scope="col">What was said</th></tr></thead>
          <tbody>{learnt.map((one) => <tr key={one.id}><th scope="row">{one.study ? <a href={to.study(one.study)}>{one.stratum} <span class="id">{one.id.slice(0, 8)}</span></a> : one.stratum}</th><td>{one.part}</td><td>{one.score}</td><td class="said">{one.words || <span class="muted">{told.scores[one.score ?? ""]}</span>}</td></tr>)}</tbody></table></>
      )}
      <h2>Figures, without names <TakeOut path="/api/peer" name="peer-learning.json" /></h2>
      {told.figures.length === 0 ? <Empty title="Nothing was drawn yet">{told.owner ? "Draw cases below: signed studies are taken by chance, and given to a colleague who knows neither name nor AI." : "The owner of this programme draws cases."}</Empty> : (
        <table class="plain wide">
          <caption class="hidden">Scores by stratum</caption>
          <thead><tr><th scope="col">Drawn from</th>{Object.entries(told.scores).map(([score, words]) => <th scope="col" class="num" key={score} title={words}>{score}</th>)}<th scope="col" class="num">Read</th><th scope="col" class="num">Open</th><th scope="col">2b and 3b (95 %)</th></tr></thead>
          <tbody>{told.figures.map((row) => <tr key={row.stratum}><th scope="row">{row.stratum}</th>{Object.keys(told.scores).map((score) => <td class="num" key={score}>{row.scores[score]}</td>)}<td class="num">{row.n}</td><td class="num">{row.waiting}</td><td>{row.matters ? share(row.matters) : <span class="muted">{tooFew(row.n, row.needed)}</span>}</td></tr>)}</tbody>
        </table>
      )}
      {told.owner && <Owner told={told} again={again} />}
    </>
  );
}

function Owner({ told, again }: { told: Peer; again: () => void }) {
  const act = useRef(new Act()).current;
  const draw = async (event: SubmitEvent) => {
    const { rate, half_width, discordant, ...rest } = fields(event);
    const body = { ...rest, ...(rate ? { rate: Number(rate) / 100 } : {}), half_width: Number(half_width ?? 2) / 100, discordant: Number(discordant ?? 0) };
    if (await act.send("/api/peer/draw", body)) again();
  };
  return (
    <>
      <h2>Draw cases <span class="muted">· the names below are for you alone</span></h2>
      <form class="controls" onSubmit={(event) => void draw(event)}>
        <label>Seed, any words<input name="seed" required maxLength={200} /></label>
        <label>Signed from<DayField name="since" /></label>
        <label>Until before<DayField name="until" /></label>
        <label>To within, %<input class="short" type="number" name="half_width" min="0.5" max="20" step="0.5" defaultValue="2" /></label>
        <label>Or a rate, %<input class="short" type="number" name="rate" min="0.1" max="100" step="0.1" /></label>
        <label>And where AI differs<input class="short" type="number" name="discordant" min="0" defaultValue="0" /></label>
        <button type="submit" disabled={act.busy.value}>Draw</button>
      </form>
      <Refusal of={act} />
      {told.cases.length > 0 && (
        <table class="plain wide"><caption class="hidden">Every case with names</caption>
          <thead><tr><th scope="col">Case</th><th scope="col">Why drawn</th><th scope="col">Signed by</th><th scope="col">Reviewer</th><th scope="col">Third</th><th scope="col">State</th><th scope="col">Score</th><th scope="col">Words</th></tr></thead>
          <tbody>{told.cases.map((one) => <tr key={one.id}><th scope="row">{one.stratum} <span class="id">{one.id.slice(0, 8)}</span></th><td>{one.arm}</td><td>{one.authors?.join(", ")}</td><td>{one.reviewer}</td><td>{one.arbiter}</td><td>{one.state}</td><td>{one.score}</td><td class="said">{one.words}</td></tr>)}</tbody>
        </table>
      )}
    </>
  );
}
