import { useEffect, useRef } from "preact/hooks";
import { computed } from "../api/computing";
import { Source } from "../api/load";
import { Empty, Shown } from "../kit/states";
import { address, setQuery } from "../router";
import { count, number, unit } from "../words";
import { Fields } from "./fields";
import type { Column, Figures } from "./shapes";

type Plot = Column & Figures;

interface Told {
  n: number | null;
  charts: Plot[];
  more: number;
}

/** Figures of fields that are chosen one by one; a press on a part of one is the next filter, and the key of undoing takes it off again. */
export function Plots({ id, q, fields, few }: { id: string; q: string; fields: readonly Column[]; few: number }) {
  const source = useRef<Source<Told>>(null);
  source.current ??= new Source((abort, tell) => {
    const query = address.value.searchParams;
    return computed<Told>("cohort", `/api/cohorts/plots?${new URLSearchParams({ ...(id ? { id } : { q: query.get("q") ?? "" }), charts: query.get("charts") ?? "" })}`, abort, tell);
  });
  const held = source.current;
  const charts = address.value.searchParams.get("charts") ?? "";
  const chosen = charts.split(",").filter(Boolean);
  useEffect(() => void (charts && held.load()), [id, q, charts]);
  useEffect(() => () => held.stop(), []);
  const choose = (name: string) => setQuery("charts", (chosen.includes(name) ? chosen.filter((one) => one !== name) : [...chosen, name]).join(","), { keep: true });
  const narrow = id ? null : (condition: string) => setQuery("q", [q, condition].filter(Boolean).join(" "), { keep: true });
  return (
    <div class="cohort-grid">
      <Fields of={fields} few={few} chosen={chosen} many choose={choose} />
      <div>
        {!chosen.length ? <Empty title="Choose a field">Its chart stands here; each that is chosen after it stands beside. A press on a chosen one takes it off.</Empty> : (
          <Shown of={held} what="the plots">
            {(told) => told.n === null ? <Empty title="Fewer than ten people">Of so few nothing is told: take off a filter.</Empty> : told.n === 0 ? <Empty title="No study meets every filter">Take off the last one, or widen it; nothing is left to be drawn.</Empty> : (
              <>
                {!id && <p class="muted">A press on a bar or a word asks for those alone.</p>}
                <div class="wall">{chosen.flatMap((name) => told.charts.filter((one) => one.name === name)).map((one) => <Card key={one.name} of={one} narrow={narrow} leave={() => choose(one.name)} />)}</div>
                {chosen.filter((name) => told.more === 0 && !told.charts.some((one) => one.name === name)).map((name) => <p key={name} class="muted">No study of these has <code>{name}</code>. <button type="button" class="quiet link" onClick={() => choose(name)}>Take it off</button></p>)}
                {told.more > 0 && <p class="muted">{count(told.more, "more chart", "more charts")} than are drawn at once: take others off.</p>}
              </>
            )}
          </Shown>
        )}
      </div>
    </div>
  );
}

type Narrow = ((condition: string) => void) | null;

function Card({ of, narrow, leave }: { of: Plot; narrow: Narrow; leave: () => void }) {
  return (
    <section aria-label={of.title}>
      <h2>{of.title} {of.unit && <span class="muted">{unit(of.unit)}</span>} <button type="button" class="quiet" aria-label={`Take off ${of.title}`} onClick={leave}><span aria-hidden="true">✕</span></button></h2>
      <p class="muted">n {of.n ?? `under ${of.few}`}{of.missing === null ? `, under ${of.few} missing` : of.missing ? `, ${of.missing} missing` : ""}{of.median !== null && `, median ${number(of.median)}`}</p>
      {of.bins.length > 0 ? <Numbers of={of} narrow={narrow} /> : of.words.length > 0 ? <Words of={of} narrow={narrow} /> : <p>Withheld: fewer than {of.few} studies {of.kind === "words" ? "share a value" : "have it"}.</p>}
    </section>
  );
}

const [WIDE, HIGH, FOOT] = [280, 96, 18];

/** To so many digits the ends of a bar are asked for; a little wider, so that no value on an end is lost. */
const end = (value: number) => String(Number(value.toPrecision(6)));

function Numbers({ of, narrow }: { of: Plot; narrow: Narrow }) {
  const most = Math.max(1, ...of.bins.map((one) => one.n ?? 0));
  const width = WIDE / of.bins.length;
  const [first, last] = [of.bins[0]!, of.bins.at(-1)!];
  const condition = (i: number) => `${of.name}:${end(of.bins[i]!.from)}..${end(of.bins[i]!.to)}`;
  return (
    <>
      <svg class="histogram" viewBox={`0 0 ${WIDE} ${HIGH}`} width={WIDE} height={HIGH} role="img" aria-label={`Histogram of ${of.title}; the table below says the same`}>
        {of.bins.map((one, i) => {
          const tall = one.n === null ? 3 : (one.n / most) * (HIGH - FOOT);
          return (
            <g key={i} class={narrow ? "press" : undefined} onClick={narrow ? () => narrow(condition(i)) : undefined}>
              <rect class="room" x={i * width} y={0} width={width} height={HIGH - FOOT} />
              <rect class={one.n === null ? "withheld" : undefined} x={i * width + 1} y={HIGH - FOOT - tall} width={Math.max(1, width - 2)} height={tall} />
            </g>
          );
        })}
        <text x={0} y={HIGH - 4}>{number(first.from)}</text><text x={WIDE} y={HIGH - 4} text-anchor="end">{number(last.to)}</text>
      </svg>
      <details>
        <summary>Table{narrow && " and range"}</summary>
        {narrow && <Range of={of} narrow={narrow} />}
        <table class="plain">
          <thead><tr><th scope="col">From, to</th><th scope="col" class="num">Studies</th></tr></thead>
          <tbody>{of.bins.map((one, i) => <tr key={i}><td><Part narrow={narrow} condition={condition(i)}>{number(one.from)} to {number(one.to)}</Part></td><td class="num">{one.n ?? <span class="muted">under {of.few}</span>}</td></tr>)}</tbody>
        </table>
      </details>
    </>
  );
}

/** The same as a press on a bar, between any two numbers. */
function Range({ of, narrow }: { of: Plot; narrow: NonNullable<Narrow> }) {
  const ask = (event: SubmitEvent) => {
    event.preventDefault();
    const told = new FormData(event.currentTarget as HTMLFormElement);
    narrow(`${of.name}:${String(told.get("from"))}..${String(told.get("to"))}`);
  };
  return (
    <form class="acts" aria-label={`Range of ${of.title}`} onSubmit={ask}>
      <label>From<input name="from" type="number" step="any" required /></label>
      <label>to<input name="to" type="number" step="any" required /></label>
      <button>Ask for these</button>
    </form>
  );
}

const SHOWN = 8;

function Words({ of, narrow }: { of: Plot; narrow: Narrow }) {
  const most = Math.max(...of.words.map((one) => one.n ?? 0));
  const rest = of.words.length - SHOWN;
  return (
    <table class="plain">
      <thead class="hidden"><tr><th scope="col">Value</th><th scope="col">Studies</th></tr></thead>
      <tbody>{of.words.slice(0, SHOWN).map((one) => (
        <tr key={one.word}>
          <td><Part narrow={/[":]/.test(one.word) ? null : narrow} condition={`${of.name}:${/[\s,]/.test(one.word) ? `"${one.word}"` : one.word}`}>{one.word}</Part></td>
          <td class="num"><svg class="small-bars" width="90" height="10" viewBox="0 0 90 10" aria-hidden="true"><rect x={0} y={1} width={(90 * one.n!) / most} height={8} /></svg> {one.n}</td>
        </tr>
      ))}</tbody>
      {(rest > 0 || !!of.withheld) && <caption class="muted">{[rest > 0 && `${rest} more values`, of.withheld && `${count(of.withheld, "value")} of fewer than ${of.few} studies`].filter(Boolean).join(", ")}</caption>}
    </table>
  );
}

function Part({ narrow, condition, children }: { narrow: Narrow; condition: string; children: preact.ComponentChildren }) {
  return narrow ? <button type="button" class="quiet link" onClick={() => narrow(condition)}>{children}</button> : <>{children}</>;
}
