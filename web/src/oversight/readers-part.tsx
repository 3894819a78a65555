import { useEffect, useRef } from "preact/hooks";
import { computed } from "../api/computing";
import { Source } from "../api/load";
import { Empty, Shown } from "../kit/states";
import { address } from "../router";
import { type Estimate, minutes, share } from "./figures";
import { spoken } from "../words";
import { Choice, Period, wantedPeriod } from "./period";
import { TakeOut } from "./take-out";

const names = ["agreement", "override", "changed", "wrong_follow", "wrong_override", "led_astray", "rescued"] as const;
type Name = (typeof names)[number];

type Rates = { group: string[]; n: number; with_truth: number; seconds: number | null; needed: Partial<Record<Name, number>> } & Record<Name, Estimate | null>;

interface Readers {
  by: string[];
  all: Rates;
  rows: Rates[];
  few: number;
}

const words: Record<Name, [string, string]> = {
  agreement: ["Agreement", "the report says what AI said"],
  override: ["Override", "the report says the other thing"],
  changed: ["Changed after AI", "the first opinion was another than the signed one"],
  wrong_follow: ["Wrong follow", "AI was wrong, and the report followed it"],
  wrong_override: ["Wrong override", "AI was right, and the report did not follow"],
  led_astray: ["Led astray", "the first opinion was right, AI wrong, and the report followed AI"],
  rescued: ["Rescued", "the first opinion was wrong, AI right, and the report followed AI"],
};

function wanted(): string {
  const told = new URLSearchParams(wantedPeriod());
  told.set("by", address.value.searchParams.get("by") ?? "mode");
  return `/api/readers?${told}`;
}

/** How readers and AI agree, and who is led by whom. */
export function ReadersPart() {
  const source = useRef<Source<Readers>>(null);
  source.current ??= new Source((abort, tell) => computed<Readers>("readers", wanted(), abort, tell));
  const path = wanted();
  useEffect(() => void source.current!.load(), [path]);
  return (
    <>
      <form class="controls" onSubmit={(event) => event.preventDefault()}>
        <Choice name="by" label="Groups" choices={["mode", "analysis", "reader", "mode,analysis", "mode,reader"]} fallback="mode" />
        <Period />
        <TakeOut path={path} name="readers-with-ai.json" />
      </form>
      <Shown of={source.current} what="readers with AI">
        {(told) => told.all.n === 0 ? <Empty title="No signed reading with AI in this period">A study counts here once an analysis has spoken of it and its report is signed.</Empty> : <Table told={told} />}
      </Shown>
    </>
  );
}

function Table({ told }: { told: Readers }) {
  return (
    <>
      <h2>{told.all.n} {told.all.n === 1 ? "answer" : "answers"} in signed reports; of {told.all.with_truth} it is known what turned out to be true</h2>
      <div class="across" tabIndex={0} role="region" aria-label="Rates of readers with AI">
        <table class="plain wide">
          <caption class="hidden">Rates with 95 % intervals</caption>
          <thead><tr>{told.by.map((name) => <th scope="col" key={name}>{spoken(name)}</th>)}<th scope="col" class="num">n</th>{names.map((name) => <th scope="col" key={name} title={words[name][1]}>{words[name][0]}</th>)}<th scope="col" class="num">Median time</th></tr></thead>
          <tbody>
            <Line rates={told.all} heads={["All together", ...told.by.slice(1).map(() => "")]} />
            {told.rows.map((row) => <Line key={row.group.join(" ")} rates={row} heads={row.group} />)}
          </tbody>
        </table>
      </div>
      <details class="rules"><summary>What the words mean</summary><dl class="facts">{names.map((name) => <div key={name}><dt>{words[name][0]}</dt><dd>{words[name][1]}</dd></div>)}</dl><p class="muted">Below {told.few} cases a rate is withheld. Intervals are Wilson's. What AI says only after the signature does not count, and where AI was on screen from the beginning (second, concurrent) there is no first opinion.</p></details>
    </>
  );
}

function Line({ rates, heads }: { rates: Rates; heads: string[] }) {
  return (
    <tr>
      {heads.map((head, i) => (i ? <td key={i}>{head}</td> : <th scope="row" key={i}>{head}</th>))}
      <td class="num">{rates.n}</td>
      {names.map((name) => <td key={name}>{rates[name] ? share(rates[name]) : <span class="muted">{rates.needed[name]} more needed</span>}</td>)}
      <td class="num">{rates.seconds === null ? "–" : rates.seconds < 180 ? `${Math.round(rates.seconds)}\u2009s` : minutes(rates.seconds / 60)}</td>
    </tr>
  );
}
