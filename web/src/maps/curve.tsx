import type { Curve } from "../api/shapes";
import { ticksOf } from "../kit/ticks";
import { number, unit } from "../words";

const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, FOOT] = [356, 170, 44, 10, 10, 32];
const DASHES = ["", "6 3", "2 3", "8 3 2 3"];

/** A curve as a plot, and the same as a table: two lines differ by dash as well as by colour. */
export function CurveFigure({ curve }: { curve: Curve }) {
  const names = Object.keys(curve.y);
  const every = names.flatMap((name) => curve.y[name]!);
  if (!curve.x.length || !every.length) return null;
  const [across, up] = [[curve.x[0]!, curve.x.at(-1)!] as const, ticksOf(Math.min(0, ...every), Math.max(...every))];
  const x = (at: number) => LEFT + ((at - across[0]) / (across[1] - across[0] || 1)) * (WIDTH - LEFT - RIGHT);
  const y = (value: number) => HEIGHT - FOOT - ((value - up[0]!) / (up.at(-1)! - up[0]! || 1)) * (HEIGHT - TOP - FOOT);
  const [below, beside] = [`${curve.x_name}${unit(curve.x_unit) && ` (${unit(curve.x_unit)})`}`, unit(curve.y_unit)];
  const peaks = names.map((name) => peakOf(curve, name)).join("; ");
  return (
    <figure class="curve-of-map">
      <figcaption>{curve.name}</figcaption>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={`${curve.name}: ${peaks}`}>
        {up.map((tick) => <g key={tick}><path class="grid" d={`M${LEFT} ${y(tick)}H${WIDTH - RIGHT}`} /><text x={LEFT - 5} y={y(tick) + 4} text-anchor="end">{number(tick)}</text></g>)}
        {ticksOf(...across).filter((tick) => tick >= across[0] && tick <= across[1]).map((tick) => <text key={tick} x={x(tick)} y={HEIGHT - FOOT + 13} text-anchor="middle">{number(tick)}</text>)}
        <text x={(LEFT + WIDTH - RIGHT) / 2} y={HEIGHT - 4} text-anchor="middle">{below}</text>
        {names.map((name, i) => <path key={name} class={`curve of-${i % 4}`} stroke-dasharray={DASHES[i % 4] || undefined} d={curve.y[name]!.map((value, k) => `${k ? "L" : "M"}${x(curve.x[k]!).toFixed(1)} ${y(value).toFixed(1)}`).join("")} />)}
      </svg>
      <ul class="legend">{names.map((name, i) => <li key={name}><svg width="28" height="10" aria-hidden="true"><path class={`curve of-${i % 4}`} stroke-dasharray={DASHES[i % 4] || undefined} d="M0 5H28" /></svg>{name}{beside && ` (${beside})`}</li>)}</ul>
      <details>
        <summary>As a table</summary>
        <div class="table-of-curve">
          <table class="plain">
            <thead><tr><th scope="col" class="num">{below}</th>{names.map((name) => <th scope="col" class="num" key={name}>{name}{beside && ` (${beside})`}</th>)}</tr></thead>
            <tbody>{curve.x.map((at, k) => <tr key={k}><th scope="row" class="num">{number(at)}</th>{names.map((name) => <td class="num" key={name}>{number(curve.y[name]![k]!)}</td>)}</tr>)}</tbody>
          </table>
        </div>
      </details>
    </figure>
  );
}

function peakOf(curve: Curve, name: string): string {
  const line = curve.y[name]!;
  const top = line.reduce((best, value, k) => (value > line[best]! ? k : best), 0);
  return `${name} highest at ${number(curve.x[top]!)} ${unit(curve.x_unit)} with ${number(line[top]!)} ${unit(curve.y_unit)}`.trim();
}
