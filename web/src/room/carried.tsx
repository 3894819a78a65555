import { inPlane, type Point2, toCanvas, toPatient, type Viewport } from "../viewer/viewport";
import { number, unit } from "../words";
import type { Desk } from "./desk";

/** The place under the pointer, or under the cross of a measurement, as it lies in a study that hangs beside: where, and its value there. */
export function Carried({ desk, view }: { desk: Desk; view: Viewport }) {
  const { lightbox, marks, pointed } = desk;
  if (!lightbox.cells.value.some((one) => one.prior)) return null;
  const from: { viewport: Viewport; at: Point2 } | null = marks.measuring.cross.value ?? pointed.value;
  const [there, here] = [from?.viewport.view.value, view.view.value];
  if (!from || !there || !here || from.viewport === view || !lightbox.viewports.value.includes(from.viewport)) return null;
  const way = lightbox.links.way(from.viewport, view);
  if (!way) return null;
  const point = way.point(toPatient(there, ...from.at));
  if (!inPlane(here, point)) return null; // it lies in another slice
  const [x, y] = toCanvas(here, point);
  const [value, series] = [view.valueAt(point), view.series.value];
  return (
    <svg class="overlay" aria-hidden="true">
      <path class="cross" data-carried d={`M${x - 12} ${y}h9M${x + 3} ${y}h9M${x} ${y - 12}v9M${x} ${y + 3}v9`} />
      {value !== null && !series?.colour && <text class="carried" x={x + 8} y={y - 8}>{number(value)}{series?.unit && !series.unit.startsWith("{") ? ` ${unit(series.unit)}` : ""}</text>}
    </svg>
  );
}
