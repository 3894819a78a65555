import type { Desk } from "../room/desk";
import { unit as unitOf } from "../words";
import { Group } from "../kit/group";
import { Key } from "../kit/marks";
import { keyOf } from "../keys/keyboard";
import { setOf } from "./marks";
import type { Kind } from "./measuring";
import type { Brush } from "./painting";

const KINDS: Record<Kind, string> = { length: "Length", bidirectional: "Bidirectional", angle: "Angle", ellipse: "Ellipse", probe: "Probe", freehand: "Freehand", flow: "Flow" };
/** What stands on a button where the word is long: all tools share one row on a screen of 1920 pixels. */
const SHORT: Partial<Record<Kind, string>> = { bidirectional: "Bidir" };
const BRUSHES: Record<Brush, string> = { brush: "Brush", threshold: "Threshold", click: "Click", box: "Box" };

const key = (act: string) => <Key of={keyOf("room", act)} />;

/** Measuring and outlining tools with their keys. */
export function MarkTools({ desk }: { desk: Desk }) {
  const { measuring, painting } = desk.marks;
  return (
    <div class="tools" role="toolbar" aria-label="Drawing tools">
      <Group name="Measure" from={1400} taken={measuring.kind.value ? KINDS[measuring.kind.value] : ""}>
        {(Object.keys(KINDS) as Kind[]).filter((kind) => kind !== "flow" || desk.marks.crossing.offered.value).map((kind) => (
          <button type="button" class="quiet" key={kind} aria-pressed={measuring.kind.value === kind} title={kind === "flow" ? "A line across a vessel: flow through the plane that is upright on the image" : SHORT[kind] && KINDS[kind]} onClick={() => desk.marks.take(kind)}>{SHORT[kind] ?? KINDS[kind]} {key(kind)}</button>
        ))}
      </Group>
      <span class="rule" />
      <Group name="Segment" from={1800} taken={painting.how.value ? BRUSHES[painting.how.value] : ""}>
        {(Object.keys(BRUSHES) as Brush[]).map((how) => (
          <button type="button" class="quiet" key={how} aria-pressed={painting.how.value === how} onClick={() => desk.marks.paint(how)}>{BRUSHES[how]} {key(`seg-${how}`)}</button>
        ))}
      </Group>
    </div>
  );
}

/** What the brush in hand needs. */
export function BrushOptions({ desk }: { desk: Desk }) {
  const { painting } = desk.marks;
  const brushes = painting.how.value === "brush" || painting.how.value === "threshold";
  const unit = unitOf(desk.lightbox.active.value?.series.value?.unit ?? "");
  if (!painting.how.value) return null;
  return (
    <span class="with">
      {painting.how.value !== "box" && <button type="button" aria-pressed={!painting.add.value} onClick={() => (painting.add.value = !painting.add.value)}>{painting.add.value ? "Adds" : "Takes away"} {key("seg-turn")}</button>}
      {painting.how.value === "box" && desk.lightbox.active.value?.view.value && <label class="small" title="Through the slices, in millimetres; empty: as deep as it is wide and high in the mean">depth <input type="number" min={1} max={500} step={1} placeholder="as wide" value={painting.depth_mm.value ?? ""} onInput={(event) => (painting.depth_mm.value = event.currentTarget.valueAsNumber > 0 ? event.currentTarget.valueAsNumber : null)} /> mm</label>}
      {brushes && <label class="small">radius <input type="number" min={0.5} max={100} step={0.5} value={painting.radius_mm.value} onInput={(event) => (painting.radius_mm.value = Math.max(0.1, event.currentTarget.valueAsNumber || 1))} /> mm</label>}
      {brushes && <label class="check"><input type="checkbox" checked={painting.ball.value} onChange={(event) => (painting.ball.value = event.currentTarget.checked)} /> through slices</label>}
      {painting.how.value === "threshold" && [0, 1].map((end) => (
        <label class="small" key={end}>{end ? "to" : "from"} <input type="number" step="any" value={painting.values.value[end]} onInput={(event) => (painting.values.value = painting.values.value.map((v, i) => (i === end ? event.currentTarget.valueAsNumber || 0 : v)) as [number, number])} />{end ? ` ${unit}` : ""}</label>
      ))}
      <span class="muted small" role="status">{painting.doing.value}</span>
      <label class="small">region <select value={painting.tracking.value} onChange={(event) => painting.choose(event.currentTarget.value)}>
        <option value="">new</option>
        {painting.regions.value.map((one) => <option key={one.finding.tracking} value={one.finding.tracking}>{one.number} {one.finding.where?.label || one.finding.what.meaning}</option>)}
      </select></label>
    </span>
  );
}

/** Which sets of results are drawn: what each analysis said, and what each reader did. Visibility belongs to the set and outlives every layout. */
export function Sets({ desk }: { desk: Desk }) {
  const { marks, session } = desk;
  const drawn = session.outlines.value.filter((one) => one.finding.where && one.finding.verdict !== "struck");
  const sets = [...new Set(drawn.map(setOf))];
  if (!sets.length) return null;
  const toggle = (set: string) => {
    const next = new Set(marks.hiddenSets.value);
    if (!next.delete(set)) next.add(set);
    marks.hiddenSets.value = next;
  };
  return (
    <section aria-label="Drawn on the images">
      <h2>Drawn <span class="muted">hold {keyOf("room", "hide")} hides all · {keyOf("room", "pick")} picks under the cursor</span></h2>
      {sets.map((set) => (
        <label class="check" key={set}>
          <input type="checkbox" checked={!marks.hiddenSets.value.has(set)} onChange={() => toggle(set)} /> {set} <span class="muted">{drawn.filter((one) => setOf(one) === set).length}</span>
        </label>
      ))}
    </section>
  );
}
