import { Rate } from "../analyses/fate";
import type { Share } from "../analyses/shapes";
import { figure, Unknown } from "./parts";
import type { Model } from "./shapes";

const SIZE = 280;
const EDGE = 36;
const TOP = 12;
/** A bin of fewer cases says little: it is drawn hollow, and marked in the table. */
const FEW = 10;

/** Stated against true, a point for each bin; the table beside it says the same. */
export function Calibration({ model, here }: { model: Model; here: (Share & { from: number; to: number })[] }) {
  return (
    <>
      <h2>Claimed by its maker</h2>
      <Calibrated of={model.evidence.calibration} />
      <h2>Here: stated against confirmed by readers, from signed reports</h2>
      {here.length ? (
        <table class="plain">
          <thead><tr><th scope="col">Stated certainty</th><th scope="col">Readers confirmed (95 %)</th></tr></thead>
          <tbody>{here.map((one) => <tr key={one.from}><td>{one.from.toFixed(1)} to {one.to.toFixed(1)}</td><td><Rate of={one} /></td></tr>)}</tbody>
        </table>
      ) : <p><Unknown because="no finding of it with a stated certainty is in a signed report yet" /></p>}
      <p class="muted">Whoever keeps a wrong finding confirms it too: this is agreement, not truth.</p>
    </>
  );
}

/** A calibration that its maker claims, as a plot and as a table. */
export function Calibrated({ of: told, id = "cal" }: { of: Model["evidence"]["calibration"]; id?: string }) {
  if (!told?.bins.length) return <p><Unknown because="its evidence holds no calibration" /></p>;
  const x = (value: number) => EDGE + value * (SIZE - EDGE - TOP);
  const y = (value: number) => SIZE - EDGE - value * (SIZE - EDGE - TOP);
  return (
    <div class="plot-and-table">
      <svg width={SIZE} height={SIZE} viewBox={`0 0 ${SIZE} ${SIZE}`} role="img" aria-labelledby={`${id}-title ${id}-words`}>
        <title id={`${id}-title`}>Calibration: stated certainty against the share that was true</title>
        <desc id={`${id}-words`}>{told.bins.length} bins; expected calibration error {told.ece.toFixed(3)}. The table beside it holds every point.</desc>
        {[0, 0.5, 1].map((tick) => (
          <g key={tick} class="tick"><path d={`M${x(0)} ${y(tick)}H${x(1)}`} /><text x={x(0) - 6} y={y(tick) + 4} text-anchor="end">{tick}</text><text x={x(tick)} y={SIZE - EDGE + 16} text-anchor="middle">{tick}</text></g>
        ))}
        <path class="ideal" d={`M${x(0)} ${y(0)}L${x(1)} ${y(1)}`} />
        {told.bins.map((bin) => <circle key={bin.stated} class={bin.n < FEW ? "few" : undefined} cx={x(bin.stated)} cy={y(bin.true)} r={Math.max(3, Math.min(9, Math.sqrt(bin.n) / 2))} />)}
        <text class="axis" x={x(0.5)} y={SIZE - 4} text-anchor="middle">stated</text>
      </svg>
      <table class="plain">
        <caption class="muted">Expected calibration error {told.ece.toFixed(3)}, Brier score {told.brier.toFixed(3)}{told.slope && told.intercept && <>, slope {figure(told.slope)}, intercept {figure(told.intercept)}</>}{told.line_not_made && <>; no slope: {told.line_not_made}</>}</caption>
        <thead><tr><th scope="col" class="num">Stated</th><th scope="col" class="num">True</th><th scope="col" class="num">n</th></tr></thead>
        <tbody>{told.bins.map((bin) => <tr key={bin.stated}><td class="num">{bin.stated.toFixed(3)}</td><td class="num">{bin.true.toFixed(3)}{bin.n < FEW && <span class="muted"> few</span>}</td><td class="num">{bin.n}</td></tr>)}</tbody>
      </table>
    </div>
  );
}
