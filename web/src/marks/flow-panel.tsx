import { useEffect, useState } from "preact/hooks";
import { keyOf } from "../keys/keyboard";
import { Key } from "../kit/marks";
import { CurveFigure } from "../maps/curve";
import type { Desk } from "../room/desk";
import { number, quantity, sentence } from "../words";
import type { Crossing, Flow } from "./crossing";

/** Flow through the planes that a person set across vessels: the curve of a beat, its volumes, and what is lost between two planes. */
export function FlowPanel({ desk }: { desk: Desk }) {
  const { crossing } = desk.marks;
  const [planes, state] = [crossing.planes.value, crossing.state.value];
  if (state.at === "none") return null;
  return (
    <section class="map-panel" aria-label="Flow through planes" data-state={state.at}>
      <h2>Flow <Key of={keyOf("room", "flow")} /></h2>
      <p class="muted">● Yours: planes that you set. They are in no report, and gone when you leave.</p>
      {state.at === "waiting" && <Waiting since={state.since} />}
      {state.at === "refused" && <p role="alert"><span class="soon" aria-hidden="true">▲</span> {sentence(state.words)}.</p>}
      {state.at === "told" && <Told flow={state.flow} />}
      <p>{planes.map((_, i) => <button type="button" class="quiet" key={i} onClick={() => crossing.drop(i)}>Take plane {i + 1} away</button>)}</p>
      <Venc crossing={crossing} />
    </section>
  );
}

/** The first plane waits for the whole scan; those after it do not. */
function Waiting({ since }: { since: number }) {
  const [now, setNow] = useState(performance.now());
  useEffect(() => {
    const clock = setInterval(() => setNow(performance.now()), 1000);
    return () => clearInterval(clock);
  }, []);
  const seconds = Math.max(0, Math.round((now - since) / 1000));
  return (
    <>
      <p role="status">Correcting the scan. The first plane may take minutes; those after it come at once.</p>
      <p class="muted" aria-hidden="true">{seconds}{"\u2009"}s</p>
    </>
  );
}

function Told({ flow }: { flow: Flow }) {
  const names = flow.planes.map((_, i) => `Plane ${i + 1}`);
  const x = flow.planes[0]!.rate_ml_s.map((_, k) => k * flow.frame_ms);
  const y = Object.fromEntries(flow.planes.map((one, i) => [names[i]!, one.rate_ml_s]));
  const rows: [words: string, each: string[]][] = [
    ["Forward", flow.planes.map((one) => quantity(one.forward_ml, "mL"))],
    ["Backward", flow.planes.map((one) => quantity(one.backward_ml, "mL"))],
    ["Net", flow.planes.map((one) => quantity(one.net_ml, "mL"))],
    ["Flows back", flow.planes.map((one) => (one.regurgitant_percent === null ? "–" : quantity(one.regurgitant_percent, "%")))],
    ["Peak velocity", flow.planes.map((one) => quantity(one.peak_m_s, "m/s"))],
    ["Area, mean of the beat", flow.planes.map((one) => quantity(one.area_mm2, "mm2"))],
  ];
  return (
    <>
      <CurveFigure curve={{ name: "Flow through the beat", x, x_name: "Time", x_unit: "ms", y, y_unit: "mL/s" }} />
      <table class="plain">
        <thead><tr><th scope="col">Of one beat</th>{names.map((name) => <th scope="col" class="num" key={name}>{name}</th>)}</tr></thead>
        <tbody>{rows.map(([words, each]) => <tr key={words}><th scope="row">{words}</th>{each.map((value, i) => <td class="num" key={i}>{value}</td>)}</tr>)}</tbody>
      </table>
      {flow.lost_percent !== null && <p><strong data-lost={flow.lost_percent}>Inflow less outflow {number(flow.lost_percent)}{"\u2009"}%</strong> <span class="muted">of the net flow through plane 1; between two planes of one vessel without branches it is near 0</span></p>}
      {flow.planes.some((one) => !one.steady) && <p><span class="soon" aria-hidden="true">▲</span> The vessel was not found in the same place throughout the beat.</p>}
      {flow.remarks.map((words) => <p key={words} class="muted">{sentence(words)}</p>)}
    </>
  );
}

/** Where the header states no limit of velocity, or a wrong one, a person may. */
function Venc({ crossing }: { crossing: Crossing }) {
  return (
    <details>
      <summary>Velocity encoding by hand</summary>
      <label class="small">VENC <input type="number" min={0} max={1000} step={1} value={crossing.venc_cm_s.value || ""} placeholder="as the header says" onChange={(event) => crossing.believe(Math.min(1000, Math.max(0, event.currentTarget.valueAsNumber || 0)))} /> cm/s</label>
    </details>
  );
}
