import { ticksOf } from "../kit/ticks";
import { number } from "../words";
import { minutes } from "./figures";

/** Plots stand after the table that holds the same figures. Each has a title and says its summary in words. */

interface Range {
  name: string;
  value: number;
  low?: number | null;
  high?: number | null;
  ends?: number[];
}

const RIGHT = 24, TOP = 8, FOOT = 26;

/** On a phone a plot is drawn as narrow as it is shown, so that its words keep their size. */
const onPhone = () => innerWidth <= 700;
const wide = () => (onPhone() ? 360 : 760);

/** One line a group: a dot with its interval, and further marks (90th, 95th). A vertical line is the target or zero. */
export function Ranges({ title, rows, line, lineName }: { title: string; rows: Range[]; line?: number; lineName?: string }) {
  if (!rows.length) return null;
  const all = rows.flatMap((row) => [row.value, row.low ?? row.value, row.high ?? row.value, ...(row.ends ?? [])]).concat(line ?? []);
  // Round in the unit in which they are told.
  const most = Math.max(...all.map(Math.abs));
  const [unit, called] = most >= 48 * 60 ? ([1440, "d"] as const) : most >= 180 ? ([60, "h"] as const) : ([1, "min"] as const);
  const ticks = ticksOf(Math.min(0, ...all) / unit, Math.max(...all, all.some((value) => value !== 0) ? 0 : 1) / unit).map((tick) => tick * unit);
  const [from, until] = [ticks[0]!, ticks[ticks.length - 1]!];
  const width = wide(), phone = onPhone();
  const above = phone || rows.some((row) => row.name.length > 24); // a name over its line, where none fits beside it
  const [deep, left] = above ? [40, RIGHT] : [26, 168];
  const x = (value: number) => left + ((value - from) / (until - from || 1)) * (width - left - RIGHT);
  const height = TOP + rows.length * deep + FOOT;
  // Half of the ticks have room for their words on a phone.
  const told = ticks.filter((_, i) => !phone || ticks.length < 5 || i % 2 === 0);
  const summary = rows.map((row) => `${row.name} ${minutes(row.value)}`).join("; ");
  return (
    <figure class="plot">
      <figcaption>{title}</figcaption>
      <svg viewBox={`0 0 ${width} ${height}`} role="img" aria-label={`${title}: ${summary}`}>
        {ticks.map((tick) => <g key={tick}><path class="grid" d={`M${x(tick)} ${TOP}V${height - FOOT}`} />{told.includes(tick) && <text x={x(tick)} y={height - 8} text-anchor="middle">{tick < 0 ? "−" : ""}{number(Math.abs(tick) / unit)}{"\u2009"}{called}</text>}</g>)}
        {line !== undefined && <g><path class="target" d={`M${x(line)} ${TOP}V${height - FOOT}`} />{lineName && <text class="target-name" x={x(line) + (x(line) > width - 90 ? -4 : 4)} y={TOP + 9} text-anchor={x(line) > width - 90 ? "end" : "start"}>{lineName}</text>}</g>}
        {rows.map((row, i) => {
          const y = TOP + (i + (above ? 0.75 : 0.5)) * deep;
          const ends = row.ends ?? [];
          return (
            <g key={row.name}>
              {above ? <text x="2" y={y - 12}>{row.name}</text> : <text x={left - 12} y={y + 4} text-anchor="end">{row.name}</text>}
              {ends.length > 0 && <path class="reach" d={`M${x(row.value)} ${y}H${x(Math.max(...ends))}`} />}
              {ends.map((end) => <path key={end} class="end" d={`M${x(end)} ${y - 5}v10`} />)}
              {row.low != null && row.high != null && <path class="interval" d={`M${x(row.low)} ${y}H${x(row.high)}`} />}
              <circle class="dot" cx={x(row.value)} cy={y} r="4" />
            </g>
          );
        })}
      </svg>
    </figure>
  );
}

interface Curve {
  name: string;
  dash: boolean;
  points: [number, number][];
}

const HIGH = 220;

/** Cumulative shares over minutes; two lines differ by dash as well as by colour. Minutes are spread by their root. */
export function Cumulative({ title, curves }: { title: string; curves: Curve[] }) {
  const last = Math.max(...curves.flatMap((one) => one.points.map(([at]) => at)), 1);
  const width = wide();
  const x = (at: number) => 52 + Math.sqrt(at / last) * (width - 52 - RIGHT);
  const y = (part: number) => TOP + (1 - part) * (HIGH - TOP - FOOT);
  // Those whose words do not run into the word before, about as wide as six letters each.
  const marks = [0, 5, 10, 20, 30, 60, 120, 240, 480, 1440].filter((mark) => mark <= last).reduce<number[]>((kept, mark) => (kept.length && x(mark) - x(kept.at(-1)!) < 46 ? kept : [...kept, mark]), []);
  const half = curves.map((one) => `${one.name}: half within ${minutes(one.points.find(([, part]) => part >= 0.5)?.[0] ?? last)}`).join("; ");
  return (
    <figure class="plot">
      <figcaption>{title}</figcaption>
      <svg viewBox={`0 0 ${width} ${HIGH}`} role="img" aria-label={`${title}. ${half}`}>
        {[0, 0.25, 0.5, 0.75, 1].map((part) => <g key={part}><path class="grid" d={`M52 ${y(part)}H${width - RIGHT}`} /><text x="44" y={y(part) + 4} text-anchor="end">{Math.round(part * 100)} %</text></g>)}
        {marks.map((mark) => <g key={mark}><path class="grid" d={`M${x(mark)} ${TOP}V${HIGH - FOOT}`} /><text x={x(mark)} y={HIGH - 8} text-anchor="middle">{minutes(mark)}</text></g>)}
        {curves.map((one) => <path key={one.name} class={one.dash ? "curve plain-order" : "curve"} d={one.points.map(([at, part], i) => `${i ? "L" : "M"}${x(at)} ${y(part)}`).join("")} />)}
      </svg>
      <ul class="legend">{curves.map((one) => <li key={one.name}><svg width="28" height="10" aria-hidden="true"><path class={one.dash ? "curve plain-order" : "curve"} d="M0 5H28" /></svg>{one.name}</li>)}</ul>
    </figure>
  );
}
