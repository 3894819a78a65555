import { number } from "../words";

/** A figure with its interval, and from how many studies. */
export interface Estimate {
  value: number;
  low: number | null;
  high: number | null;
  n: number;
}

const THIN = "\u2009";

/** Minutes as people say them; a sign where it is a change. */
export function minutes(value: number, { signed = false } = {}): string {
  const size = Math.abs(value);
  const sign = value < 0 ? "−" : signed && value > 0 ? "+" : "";
  if (size >= 48 * 60) return `${sign}${number(size / 1440)}${THIN}d`;
  if (size >= 180) return `${sign}${number(size / 60)}${THIN}h`;
  return `${sign}${tenths(size)}${THIN}min`;
}

/** To a tenth of a minute: nobody's wait is known more exactly, and one column then has one precision. */
function tenths(size: number): string {
  return (Math.round(size * 10) / 10).toString();
}

/** “−22 min (−31 … −12)”; without bounds where there are too few for them. */
export function change(one: Estimate): string {
  if (one.low === null || one.high === null) return minutes(one.value, { signed: true });
  const [value, ...bounds] = [one.value, one.low, one.high].map((each) => minutes(each, { signed: true }).split(THIN));
  // One unit for all three is said once; bounds in another unit carry it.
  const told = bounds.every((bound) => bound[1] === value![1]) ? bounds.map((bound) => bound[0]) : bounds.map((bound) => bound.join(THIN));
  return `${value!.join(THIN)} (${told.join(" … ")})`;
}

export function span(one: Estimate | null): string {
  if (!one) return "–";
  if (one.low === null || one.high === null || one.low === one.high) return minutes(one.value);
  const [low, high] = [minutes(one.low), minutes(one.high)];
  const bare = low.split(THIN)[1] === high.split(THIN)[1] && low.split(THIN)[1] === minutes(one.value).split(THIN)[1];
  return `${minutes(one.value)} (${bare ? low.split(THIN)[0] : low}–${bare ? high.split(THIN)[0] : high})`;
}

/** A share in per cent with its interval. */
export function share(one: Estimate | null): string {
  if (!one) return "–";
  const per = (value: number | null) => (value === null ? "" : Math.round(value * 100).toString());
  return `${per(one.value)}${THIN}% (${per(one.low)}–${per(one.high)})`;
}

/** How many of how many, before the share: “7 of 19, 37 % (19–59)”. */
export function counted(one: Estimate | null): string {
  return one ? `${Math.round(one.value * one.n)} of ${one.n}, ${share(one)}` : "–";
}

/** “11 of 60 needed”: studies. */
export function tooFew(n: number, needed: number): string {
  return `${n} of ${n + needed} needed`;
}

/** The zone of this desk: hours are local hours. */
export const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
