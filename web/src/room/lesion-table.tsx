import type { Coded, Measurement } from "../api/shapes";
import { to } from "../router";
import { day, number, quantity } from "../words";

export interface Point {
  study: string;
  tracking: string;
  match: "first" | "same" | "unsure";
  size: Measurement | null;
  change: number | null;
  interval_days: number | null;
  /** Of a pair that is proposed by place: how far apart its centres lie, and the residual of the registration by which (0 in one frame, null where it does not say). */
  apart_mm: number | null;
  residual_mm: number | null;
}

export interface Lesion {
  what: Coded;
  site: Coded | null;
  laterality: Coded | null;
  words: string;
  /** What whoever outlined it last called it. */
  label: string;
  points: (Point | null)[];
  /** For each study why the lesion has no point there. */
  absent: ("looked for" | "unmatched" | "untold" | "unread" | null)[];
}

export interface Lesions {
  studies: { study: string; date: string | null; description: string; modalities: string[]; here: boolean }[];
  lesions: Lesion[];
  sums: { what: Coded; unit: string; definition: string; values: (number | null)[] }[];
}

export interface Pair {
  one: string;
  other: string;
  same: boolean;
}

/** Points that somebody takes in hand, to say of two of them whether they are one lesion. */
export interface ByHand {
  taken: string[];
  take: (tracking: string) => void;
}

/** Lesions through studies: size, change and interval; what is only proposed asks to be confirmed. */
export function LesionTable({ told, say, byHand }: { told: Lesions; say?: (pair: Pair) => void; byHand?: ByHand }) {
  return (
    <div class="lesion-scroll" tabIndex={0} role="group" aria-label="Lesions through the studies">
      <table class="lesions">
        <thead>
          <tr>
            <th scope="col">Lesion</th>
            {told.studies.map((one) => <th scope="col" key={one.study} class={one.here ? "here" : undefined}>{one.here ? day(one.date) : <a href={to.study(one.study)}>{day(one.date)}</a>}</th>)}
            <th scope="col">Course</th>
          </tr>
        </thead>
        <tbody>
          {told.lesions.map((lesion) => <Row key={lesion.points.map((point) => point?.tracking).join()} lesion={lesion} told={told} say={say} byHand={byHand} />)}
          {told.sums.map((sum) => (
            <tr key={sum.what.code + sum.definition}>
              <th scope="row">{sum.what.meaning} <small>{sum.definition}</small></th>
              {sum.values.map((value, i) => <td key={i} class={told.studies[i]?.here ? "here" : undefined}>{value === null ? <span class="faint">not given</span> : quantity(value, sum.unit)}</td>)}
              <td><Spark values={sum.values} dates={told.studies.map((one) => one.date)} words={`${sum.what.meaning} through the studies`} /></td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Of a finding of the study that is read: where its lesion was seen last before, once it is one lesion for sure. */
export function beforeOf(told: Lesions, tracking: string): { then: Point; now: Point; date: string | null } | null {
  const here = told.studies.findIndex((one) => one.here);
  const points = told.lesions.find((one) => one.points[here]?.tracking === tracking)?.points;
  const now = points?.[here];
  if (!points || !now || now.match !== "same") return null;
  const at = points.findLastIndex((point, i) => i < here && !!point);
  return at < 0 ? null : { then: points[at]!, now, date: told.studies[at]!.date };
}

export const nameOf = (lesion: Lesion) => [lesion.what.meaning, lesion.laterality?.meaning.toLowerCase(), lesion.site?.meaning.toLowerCase()].filter(Boolean).join(", ") + (lesion.label ? ` (${lesion.label})` : "");

function Row({ lesion, told, say, byHand }: { lesion: Lesion; told: Lesions; say?: (pair: Pair) => void; byHand?: ByHand }) {
  const name = nameOf(lesion);
  const first = lesion.points.findIndex(Boolean);
  return (
    <tr>
      <th scope="row">{name}</th>
      {lesion.points.map((point, i) => {
        const before = lesion.points.slice(0, i).reverse().find(Boolean);
        return (
          <td key={i} class={told.studies[i]?.here ? "here" : undefined}>
            {point ? <Seen point={point} first={i !== first || i === 0 ? "" : lesion.absent[i - 1] === "looked for" ? "new" : "first measured"} /> : <span class="muted">{ABSENT[lesion.absent[i] ?? "untold"]}</span>}
            {point && byHand && lesion.points.filter((one) => one?.tracking === point.tracking).length === 1 && <label class="check"><input type="checkbox" checked={byHand.taken.includes(point.tracking)} onChange={() => byHand.take(point.tracking)} /> take<span class="hidden"> {name}, {day(told.studies[i]?.date)}</span></label>}
            {point?.match === "unsure" && before && (
              <small>match unsure ?{point.apart_mm !== null && ` ${number(point.apart_mm)} mm apart, ${point.residual_mm === 0 ? "same frame" : point.residual_mm === null ? "registered, residual not stated" : `registered, residual ${point.residual_mm.toFixed(2)} mm`}`}{say && <> <button type="button" onClick={() => say({ one: before.tracking, other: point.tracking, same: true })}>Same</button> <button type="button" onClick={() => say({ one: before.tracking, other: point.tracking, same: false })}>Not</button></>}</small>
            )}
          </td>
        );
      })}
      <td><Spark values={lesion.points.map((point) => point?.size?.value ?? null)} dates={told.studies.map((one) => one.date)} words={`${name} through the studies`} /></td>
    </tr>
  );
}

/** Three answers, never two: only the first says that it is not there. */
const ABSENT = { "looked for": "not detected", unmatched: "not matched", untold: "not reported", unread: "not read yet" };

function Seen({ point, first }: { point: Point; first: string }) {
  const { size, change } = point;
  return (
    <>
      {size ? quantity(size.value, size.unit) : "seen"}
      {first && <small>{first}</small>}
      {change !== null && <small>{changed(point)}</small>}
    </>
  );
}

/** "+32 % in 213 d"; empty where nothing is known of it. */
export function changed({ change, interval_days: days }: Point): string {
  if (change === null) return "";
  const sign = change === 0 ? "" : change > 0 ? "+" : "\u2212";
  return `${sign}${number(Math.abs(change))}\u2009%${days === null ? "" : ` in ${days}\u2009d`}`;
}

/** The course as a line over the days, or from study to study where one has no date; the table beside it says the same in numbers. */
export function Spark({ values, dates, words }: { values: (number | null)[]; dates: (string | null)[]; words: string }) {
  const seen = values.map((value, i) => [i, value] as const).filter((one): one is readonly [number, number] => one[1] !== null);
  if (seen.length < 2) return null;
  const [low, high] = [Math.min(...seen.map(([, v]) => v)), Math.max(...seen.map(([, v]) => v))];
  const days = dates.map((date, i) => (dates.every(Boolean) ? Date.parse(date!) : i));
  const [first, last] = [Math.min(...days), Math.max(...days)];
  const at = ([i, value]: readonly [number, number]) => [2 + (60 * (days[i]! - first)) / (last - first || 1), 18 - (16 * (value - low)) / (high - low || 1)] as const;
  return (
    <svg class="spark" viewBox="0 0 64 20" role="img" aria-label={words}>
      <polyline points={seen.map((one) => at(one).join(",")).join(" ")} />
      {seen.map((one) => {
        const [x, y] = at(one);
        return <circle key={one[0]} cx={x} cy={y} r={2} />;
      })}
    </svg>
  );
}
