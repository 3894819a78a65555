import { spoken } from "../words";

interface Rate {
  value?: number;
  low?: number;
  high?: number;
  not_made?: string;
}

interface Point {
  name: string;
  threshold?: number;
  chosen?: string;
  not_made?: string;
  sensitivity?: Rate;
  specificity?: Rate;
  ppv?: Rate;
  npv?: Rate;
}

interface Promise_ {
  by: string;
  group: string;
  calibrated_on: Record<string, number>;
  refused?: string;
  held?: Record<string, Rate & { n: number }>;
  answers?: { one: number; several: number; none: number };
}

export interface Use {
  operating_points?: Point[];
  decision_curve?: { thresholds?: number[]; model?: number[]; everybody?: number[]; not_made?: string };
  deferral?: { deferred?: number[]; wrong?: (number | null)[]; missed?: number[]; missed_at_most?: number[]; not_made?: string };
  conformal?: { promise: number; fewest: number; limits_from: string; promises: Promise_[] };
}

const WIDTH = 360;
const HEIGHT = 220;
const EDGE = 44;
const TOP = 12;
const RATES = ["sensitivity", "specificity", "ppv", "npv"] as const;

function said(rate: Rate | undefined): string {
  if (!rate || rate.value === undefined) return rate?.not_made ?? "";
  return `${rate.value.toFixed(3)} (${rate.low?.toFixed(3)}–${rate.high?.toFixed(3)})`;
}

/** What acting on the model's certainties brought on the sealed cases: points, benefit, deferral, promises. */
export function UsePart({ of }: { of: Use }) {
  return (
    <>
      {of.operating_points?.length ? <Points of={of.operating_points} /> : null}
      {of.decision_curve?.thresholds && <Curve of={of.decision_curve} />}
      {of.deferral?.deferred && <Deferral of={of.deferral} />}
      {of.conformal && <Promises of={of.conformal} />}
    </>
  );
}

function Points({ of }: { of: Point[] }) {
  return (
    <>
      <h3>Where it may be operated</h3>
      <table class="plain">
        <thead><tr><th scope="col">Point</th><th scope="col" class="num">From certainty</th>{RATES.map((one) => <th scope="col" key={one}>{one.length > 3 ? spoken(one) : one.toUpperCase()} (95 %)</th>)}</tr></thead>
        <tbody>{of.map((one) => (
          <tr key={one.name}><td>{one.name}<div class="muted">{one.chosen && `chosen ${one.chosen}`}</div></td>
            {one.not_made ? <td colSpan={5} class="muted">{one.not_made}</td> : <><td class="num">{one.threshold?.toFixed(3)}</td>{RATES.map((rate) => <td key={rate}>{said(one[rate])}</td>)}</>}</tr>
        ))}</tbody>
      </table>
      <p class="muted">PPV and NPV hold for the share of diseased among these cases only.</p>
    </>
  );
}

function Curve({ of }: { of: NonNullable<Use["decision_curve"]> }) {
  const at = of.thresholds ?? [];
  const lines = [{ name: "the model", values: of.model ?? [], class: "own" }, { name: "everybody", values: of.everybody ?? [], class: "ideal" }];
  const high = Math.max(0.01, ...(of.model ?? []), ...(of.everybody ?? []));
  const low = -0.25 * high;
  const x = (value: number) => EDGE + value * (WIDTH - EDGE - TOP);
  const y = (value: number) => TOP + ((high - Math.max(low, value)) / (high - low)) * (HEIGHT - EDGE - TOP);
  const path = (values: number[]) => values.map((value, i) => `${i ? "L" : "M"}${x(at[i]!).toFixed(1)} ${y(value).toFixed(1)}`).join("");
  return (
    <>
      <h3>Is acting on it worth it</h3>
      <div class="plot-and-table">
        <svg width={WIDTH} height={HEIGHT} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-labelledby="net-title net-words">
          <title id="net-title">Decision curve: net benefit by threshold probability</title>
          <desc id="net-words">Acting on the model beside acting on everybody and, at zero, on nobody. The table beside it holds every point.</desc>
          {[0, 0.5, 1].map((tick) => <g key={tick} class="tick"><text x={x(tick)} y={HEIGHT - EDGE + 18} text-anchor="middle">{tick}</text></g>)}
          <g class="tick"><path d={`M${x(0)} ${y(0)}H${x(1)}`} /><text x={x(0) - 6} y={y(0) + 4} text-anchor="end">0</text><text x={x(0) - 6} y={y(high) + 8} text-anchor="end">{high.toFixed(2)}</text></g>
          {lines.map((one) => <path key={one.name} class={one.class} fill="none" stroke="var(--accent)" stroke-width={2} d={path(one.values)}><title>{one.name}</title></path>)}
          <text class="axis" x={x(0.5)} y={HEIGHT - 6} text-anchor="middle">threshold probability; dashed: act on everybody</text>
        </svg>
        <details>
          <summary>Every point</summary>
          <table class="plain">
            <thead><tr><th scope="col" class="num">Threshold</th><th scope="col" class="num">Model</th><th scope="col" class="num">Everybody</th></tr></thead>
            <tbody>{at.map((one, i) => <tr key={one}><td class="num">{one.toFixed(2)}</td><td class="num">{of.model?.[i]?.toFixed(4)}</td><td class="num">{of.everybody?.[i]?.toFixed(4)}</td></tr>)}</tbody>
          </table>
        </details>
      </div>
    </>
  );
}

function Deferral({ of }: { of: NonNullable<Use["deferral"]> }) {
  return (
    <>
      <h3>What is missed when people read only a part</h3>
      <p class="muted">Nothing here releases a study: the cases chose no threshold, and the person is taken as always right.</p>
      <table class="plain">
        <thead><tr><th scope="col" class="num">Read by a person</th><th scope="col" class="num">Missed</th><th scope="col" class="num">of the diseased, at most (95 %)</th><th scope="col" class="num">Wrong among its own answers</th></tr></thead>
        <tbody>{of.deferred?.map((one, i) => i % 4 === 0 && <tr key={one}><td class="num">{(100 * one).toFixed(0)} %</td><td class="num">{of.missed?.[i]}</td><td class="num">{(100 * (of.missed_at_most?.[i] ?? 1)).toFixed(1)} %</td><td class="num">{of.wrong?.[i] === null ? "none" : `${(100 * (of.wrong?.[i] ?? 0)).toFixed(1)} %`}</td></tr>)}</tbody>
      </table>
    </>
  );
}

function Promises({ of }: { of: NonNullable<Use["conformal"]> }) {
  return (
    <>
      <h3>Answers that hold the truth as often as they promise: {(100 * of.promise).toFixed(0)} % of each class</h3>
      <p class="muted">Limits from {of.limits_from}; at least {of.fewest} cases of a class set one, or nothing is promised.</p>
      <table class="plain">
        <thead><tr><th scope="col">For</th><th scope="col">Held on other cases (95 %)</th><th scope="col" class="num">One class</th><th scope="col" class="num">Several</th><th scope="col" class="num">None</th></tr></thead>
        <tbody>{of.promises.map((one) => (
          <tr key={one.by + one.group}><td>{one.by ? `${one.by} ${one.group}` : "everybody"}</td>
            {one.refused ? <td colSpan={4}><span class="soon" aria-hidden="true">▲</span> {one.refused}</td> : (
              <><td>{Object.entries(one.held ?? {}).map(([name, rate]) => <div key={name}>{name}: {said(rate)}, n {rate.n}</div>)}</td><td class="num">{one.answers?.one}</td><td class="num">{one.answers?.several}</td><td class="num">{one.answers?.none}</td></>
            )}</tr>
        ))}</tbody>
      </table>
    </>
  );
}
