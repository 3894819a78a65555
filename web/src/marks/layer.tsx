import { dot, minus, plus, type Point2, type Viewport } from "../viewer/viewport";
import { nameOf } from "./crossing";
import { howDrawn, type Sheet, setOf } from "./marks";
import { imageOf, type Kind, shaped, type Sketch } from "./measuring";
import type { Stroke } from "./painting";
import { Sections } from "./sections";
import { apart, ellipse, onCanvas, type Spot, spotAt } from "./spot";

/** What people draw and what results outline, over every viewport alike. */
export function drawingOf(desk: Sheet) {
  return function Drawing({ viewport }: { viewport: Viewport }) {
    if (viewport.series.value?.study !== desk.session.uid) return null;
    return (
      <>
        {!desk.hidden.value && <Sections desk={desk} viewport={viewport} />}
        {!desk.hidden.value && <Own desk={desk} viewport={viewport} />}
        {!desk.hidden.value && <Planes desk={desk} viewport={viewport} />}
        <InHand desk={desk} viewport={viewport} />
      </>
    );
  };
}

/** The lines by which planes were set across vessels, on every image and plane in which they lie, under the names of the panel. */
function Planes({ desk, viewport }: { desk: Sheet; viewport: Viewport }) {
  const planes = desk.marks.crossing.planes.value;
  const frame = viewport.view.value?.frame;
  const drawn = planes.map((one) => (one.frame === frame ? onCanvas(viewport, one.line) : null));
  if (!drawn.some(Boolean)) return null;
  return <svg class="overlay marks" aria-hidden="true">{drawn.map((points, i) => points && <g key={i} data-mark="flow"><Figure kind="flow" points={points} /><Label at={labelAt(points)} words={nameOf(i, planes.length)} /></g>)}</svg>;
}

/** Marks that are kept: lines of a person, solid and white, each with its number. */
function Own({ desk, viewport }: { desk: Sheet; viewport: Viewport }) {
  const { marks } = desk;
  const image = viewport.image.value;
  const frame = viewport.view.value?.frame ?? "";
  const here = marks.own.value.flatMap((one) => {
    const where = one.finding.where!;
    if (marks.hiddenSets.value.has(setOf(one))) return [];
    if (where.instance_uid && image && where.instance_uid !== image.picture.sop) return [];
    if (where.frame ? where.frame !== frame : where.instance_uid !== image?.picture.sop) return [];
    const points = onCanvas(viewport, where.points as Spot[]);
    return points ? [{ one, points, kind: howDrawn(one)!.tool as Kind }] : [];
  });
  const waiting = marks.pending.value.filter((sketch) => sketch.viewport === viewport && sketch.on === imageOf(viewport));
  if (!here.length && !waiting.length) return null;
  return (
    <svg class="overlay marks" aria-hidden="true">
      {here.map(({ one, points, kind }) => (
        <g key={one.finding.tracking} data-mark={kind} data-tracking={one.finding.tracking} class={desk.active.value === one.finding.tracking ? "active" : undefined}>
          <Figure kind={kind} points={points} />
          <Label at={labelAt(points)} words={`${one.number}  ${shortly(one.finding.words)}`} />
        </g>
      ))}
      {waiting.map((sketch, i) => {
        const points = onCanvas(viewport, sketch.spots);
        return points && <g key={i} data-mark="pending"><Figure kind={sketch.kind} points={points} /></g>;
      })}
    </svg>
  );
}

/** What is being drawn now: the sketch, the cross, the brush, and why nothing can be drawn. */
function InHand({ desk, viewport }: { desk: Sheet; viewport: Viewport }) {
  const { measuring, painting } = desk.marks;
  const [sketch, cross, stroke, brush, box] = [measuring.sketch.value, measuring.cross.value, painting.stroke.value, painting.at.value, painting.box.value];
  const pointed = painting.how.value === "click" || painting.how.value === "box";
  const sent = painting.pending.value.filter((one) => one.viewport === viewport && one.on === imageOf(viewport));
  const note = measuring.note.value || painting.note.value;
  const [u, v] = scale(viewport);
  return (
    <>
      <svg class="overlay marks" aria-hidden="true">
        {sketch?.viewport === viewport && <Drawing sketch={sketch} viewport={viewport} at={cross?.viewport === viewport ? cross.at : null} />}
        {cross?.viewport === viewport && measuring.kind.value && <path class="cross" data-cross d={`M${cross.at[0] - 10} ${cross.at[1]}h7M${cross.at[0] + 3} ${cross.at[1]}h7M${cross.at[0]} ${cross.at[1] - 10}v7M${cross.at[0]} ${cross.at[1] + 3}v7`} />}
        {[...sent, ...(stroke?.viewport === viewport ? [stroke] : [])].map((one, i) => <Drawn key={i} stroke={one} viewport={viewport} scale={u} />)}
        {box?.viewport === viewport && <rect class="box" x={Math.min(box.from[0], box.to[0])} y={Math.min(box.from[1], box.to[1])} width={Math.abs(box.to[0] - box.from[0])} height={Math.abs(box.to[1] - box.from[1])} />}
        {brush?.viewport === viewport && painting.how.value && (
          pointed
            ? <path class="cross" data-brush d={`M${brush.at[0] - 7} ${brush.at[1]}h14${painting.add.value ? `M${brush.at[0]} ${brush.at[1] - 7}v14` : ""}`} />
            : <ellipse class="brush" cx={brush.at[0]} cy={brush.at[1]} rx={painting.radius_mm.value * u} ry={painting.radius_mm.value * v} />
        )}
      </svg>
      {note && desk.lightbox.active.value === viewport && <p class="note marks-note" role="status"><span class="soon" aria-hidden="true">▲</span> {note}</p>}
    </>
  );
}

/** A stroke in hand or on its way: what was drawn stays to be seen until the region is there. */
function Drawn({ stroke: { how, spots, box, add, radius_mm }, viewport, scale }: { stroke: Stroke; viewport: Viewport; scale: number }) {
  const points = onCanvas(viewport, box ? box.map((corner) => flat(viewport, corner)) : spots);
  if (!points?.length) return null;
  if (box) {
    const [[ax, ay], [bx, by]] = points as [Point2, Point2];
    return <rect class="box" data-sent={how} x={Math.min(ax, bx)} y={Math.min(ay, by)} width={Math.abs(bx - ax)} height={Math.abs(by - ay)} />;
  }
  if (how === "click") return <g data-sent={how}>{points.map(([x, y], i) => <path key={i} class="cross" d={`M${x - 7} ${y}h14${add ? `M${x} ${y - 7}v14` : ""}`} />)}</g>;
  return <Way points={points} width={2 * radius_mm * scale} add={add} />;
}

/** A corner of a box that reaches through slices, where it stands in the plane on screen. */
function flat(viewport: Viewport, corner: Spot): Spot {
  const view = viewport.view.peek();
  return view && corner.length === 3 ? plus(corner, view.normal, dot(minus(view.origin, corner), view.normal)) : corner;
}

/** Canvas pixels for one millimetre, across and down; of an image without spacing, for one of its pixels. */
function scale(viewport: Viewport): [number, number] {
  const view = viewport.view.value;
  if (view) return [1 / Math.hypot(...view.right), 1 / Math.hypot(...view.down)];
  const image = viewport.image.value;
  if (!image) return [1, 1];
  const [a, b, c, d] = image.affine;
  const [down, across] = image.spacing_mm ?? [1, 1];
  return [Math.hypot(a, b) / across, Math.hypot(c, d) / down];
}

export function Drawing({ sketch, viewport, at }: { sketch: Sketch; viewport: Viewport; at: Point2 | null }) {
  const spot = at && spotAt(viewport, at);
  const live: Sketch = spot && at ? { ...sketch, spots: [...sketch.spots, spot], corners: [...sketch.corners, at] } : sketch;
  const spots = shaped(live);
  const points = onCanvas(viewport, spots);
  if (!points) return null;
  return (
    <g data-mark="sketch">
      <Figure kind={sketch.kind} points={points} />
      {sketch.kind === "length" && spots.length === 2 && <Label at={labelAt(points)} words={preview(viewport, spots)} />}
    </g>
  );
}

/** What the browser reckons while the hand still moves; the number that counts is the server's. */
function preview(viewport: Viewport, [a, b]: readonly Spot[]): string {
  const [far, unit] = apart(viewport, a!, b!);
  return `${far.toFixed(1)} ${unit}`;
}

export function Figure({ kind, points }: { kind: Kind; points: readonly Point2[] }) {
  const d = path(kind, points);
  const dots = kind === "probe" ? points : [];
  return (
    <>
      {d && <path class="halo" d={d} />}
      {d && <path class="line" d={d} />}
      {dots.map(([x, y], i) => <g key={i}><circle class="halo" cx={x} cy={y} r={5} /><circle class="line" cx={x} cy={y} r={5} /></g>)}
    </>
  );
}

function path(kind: Kind, points: readonly Point2[]): string {
  const line = (some: readonly Point2[], closed = false) => some.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(2)} ${y.toFixed(2)}`).join("") + (closed ? "Z" : "");
  if (kind === "probe") return "";
  if (kind === "ellipse") return points.length === 4 ? line(ellipse(points), true) : "";
  if (kind === "bidirectional") return points.length > 2 ? line(points.slice(0, 2)) + line(points.slice(2)) : line(points);
  return points.length > 1 ? line(points, kind === "freehand" && points.length > 2) + (kind === "length" || kind === "flow" ? ticks(points) : "") : "";
}

/** Short strokes across the ends of a length, so that one sees where it ends. */
function ticks([a, b]: readonly Point2[]): string {
  if (!a || !b) return "";
  const [dx, dy] = [b[0] - a[0], b[1] - a[1]];
  const far = Math.hypot(dx, dy) || 1;
  const [u, v] = [(-dy / far) * 5, (dx / far) * 5];
  return [a, b].map(([x, y]) => `M${(x - u).toFixed(2)} ${(y - v).toFixed(2)}L${(x + u).toFixed(2)} ${(y + v).toFixed(2)}`).join("");
}

function Way({ points, width, add }: { points: readonly Point2[]; width: number; add: boolean }) {
  const d = points.map(([x, y], i) => `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`).join("") + (points.length === 1 ? "h0.01" : "");
  return <path class={add ? "way" : "way take"} d={d} stroke-width={width} />;
}

export function Label({ at: [x, y], words }: { at: Point2; words: string }) {
  return <text x={x + 8} y={y - 6} fill="#FFFFFF">{words}</text>;
}

export function labelAt(points: readonly Point2[]): Point2 {
  return points.reduce((best, point) => (point[0] - point[1] > best[0] - best[1] ? point : best), points[0]!);
}

export function shortly(words: string): string {
  return words.replace(/^(Length|Ellipse|Area|Angle|Probe) /, "").replace(/, (mean .*)$/, " · $1");
}
