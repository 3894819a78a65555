import { useEffect, useState } from "preact/hooks";
import { keyOf } from "../keys/keyboard";
import { Key, PersonMark } from "../kit/marks";
import { CurveFigure } from "../maps/curve";
import type { Desk } from "../room/desk";
import { number, quantity, sentence } from "../words";
import { type Crossing, nameOf, type Plane, type Through } from "./crossing";

/** Flow through the planes that a reader set: the beat as a curve, its volumes, and of two planes what is lost between them. */
export function FlowPanel({ desk: { marks } }: { desk: Desk }) {
  const flow = marks.crossing;
  const planes = flow.planes.value;
  if (!planes.length && !flow.stands.value && marks.measuring.kind.value !== "flow") return null;
  const scan = flow.scan.value;
  return (
    <section class="flow-panel" aria-label="Flow through planes" aria-busy={flow.since.value !== null}>
      <h2>Flow through planes <Key of={keyOf("room", "flow")} /></h2>
      {planes.length < 2 && <p class="muted">Draw a line across a vessel: by mouse, or with the arrow keys and <kbd>Enter</kbd> at both ends. The plane holds the line and stands upright on the image. Of two planes the first is inflow, the second outflow; a third takes the place of the first.</p>}
      {planes.length > 0 && <p><PersonMark words="Your own planes" /> <span class="muted">They and their numbers are kept nowhere and enter no report.</span></p>}
      {flow.since.value !== null && <Waiting since={flow.since.value} />}
      {planes.map((plane, i) => <OfPlane key={i} plane={plane} name={sentence(nameOf(i, planes.length))} flow={flow} />)}
      <Difference flow={flow} />
      {scan && <Beat flow={flow} frame_ms={scan.frame_ms} />}
      {scan && scan.remarks.length > 0 && planes.length > 0 && <details><summary>What limits this scan</summary><ul class="muted">{scan.remarks.map((words) => <li key={words}>{sentence(words)}.</li>)}</ul></details>}
      {planes.length > 0 && (
        <p class="acts">
          {planes.length > 1 && <button type="button" onClick={() => flow.exchange()}>Exchange inflow and outflow</button>}
          <label class="small">VENC <input type="number" min={1} max={1000} step="any" placeholder="as sent" value={flow.venc_cm_s.value || ""} onChange={(event) => flow.again(event.currentTarget.valueAsNumber || 0)} /> cm/s</label>
        </p>
      )}
    </section>
  );
}

/** What is waited for, and how long already: the first answer takes as long as the scan takes to be corrected. */
function Waiting({ since }: { since: number }) {
  const [now, setNow] = useState(since);
  useEffect(() => {
    const clock = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(clock);
  }, [since]);
  return <p><span role="status">Correcting the scan</span> <span class="num" data-waited>{Math.round((now - since) / 1000)} s</span> <span class="muted">· the first plane may take minutes, the next ones are quick</span></p>;
}

function OfPlane({ plane, name, flow }: { plane: Plane; name: string; flow: Crossing }) {
  const { through, trouble } = plane;
  return (
    <div data-plane={name}>
      <h3>{name} <button type="button" class="quiet" onClick={() => flow.drop(plane)} aria-label={`Take away: ${name}`}>Take away</button></h3>
      {through && <Numbers of={through} />}
      {trouble && <p role="alert"><span class="soon" aria-hidden="true">▲</span> {trouble.told} {trouble.unreached && <button type="button" onClick={() => flow.again()}>Try again</button>}</p>}
      {!through && !trouble && <p class="muted">Not measured yet</p>}
    </div>
  );
}

function Numbers({ of: one }: { of: Through }) {
  const rows = [
    ["Net volume", one.net_ml, "mL", "net_ml"],
    ["Forward", one.forward_ml, "mL", "forward_ml"],
    ["Backward", one.backward_ml, "mL", "backward_ml"],
    ["Regurgitant fraction", one.regurgitant_percent, "%", "regurgitant_percent"],
    ["Peak velocity, 99th percentile", one.p99_m_s, "m/s", "p99_m_s"],
    ["Area, mean of the beat", one.area_mm2, "mm2", "area_mm2"],
  ] as const;
  return (
    <>
      <dl class="numbers">{rows.map(([words, value, unit, name]) => <div key={name}><dt>{words}</dt><dd data-flow={name} data-value={value}>{quantity(value, unit)}</dd></div>)}</dl>
      {one.steady && <p class="muted"><span class="soon" aria-hidden="true">▲</span> It hardly changes over the beat, as in a vein, or in tissue.</p>}
    </>
  );
}

/** Inflow and outflow held against each other. */
function Difference({ flow }: { flow: Crossing }) {
  const [first, second] = flow.answered.value;
  const lost = flow.lost_percent.value;
  if (!first || !second) return null;
  return (
    <div data-difference>
      <h3>Inflow less outflow</h3>
      <dl class="numbers" aria-live="polite">
        <div><dt>Net volume</dt><dd>{quantity(first.through!.net_ml - second.through!.net_ml, "mL")}</dd></div>
        <div><dt>Of the inflow</dt><dd data-flow="lost_percent" data-value={lost ?? ""}>{lost === null ? "no net inflow" : quantity(lost, "%")}</dd></div>
      </dl>
      <p class="muted">In one vessel without a branch between the planes it would be 0; what is left there is the error of the measurement.</p>
    </div>
  );
}

function Beat({ flow, frame_ms }: { flow: Crossing; frame_ms: number }) {
  const planes = flow.planes.value;
  const lines = planes.flatMap((one, i) => (one.through ? [[nameOf(i, planes.length), one.through.rate_ml_s] as const] : []));
  if (!lines.length) return null;
  return <CurveFigure curve={{ name: `Flow over the beat, a frame every ${number(frame_ms)} ms`, x: lines[0]![1].map((_, i) => i * frame_ms), x_name: "time", x_unit: "ms", y: Object.fromEntries(lines), y_unit: "mL/s" }} />;
}
