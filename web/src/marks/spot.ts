import { type Affine, dot, fromPixel, inPlane, minus, type Point2, type Point3, toCanvas, toPatient, toPixel, type Viewport } from "../viewer/viewport";

/** A place that a mark is made of: a point of the patient (mm), or column and row of an image without a place in one. */
export type Spot = Point3 | Point2;

/** The place under a point of a canvas; null where nothing is shown. */
export function spotAt(viewport: Viewport, [x, y]: Point2): Spot | null {
  const view = viewport.view.peek();
  if (view) return toPatient(view, x, y);
  const image = viewport.image.peek();
  return image ? toPixel(image.affine, x, y) : null;
}

/** Where places lie on the canvas; null where they are not in what the viewport shows. */
export function onCanvas(viewport: Viewport, spots: readonly Spot[]): Point2[] | null {
  const view = viewport.view.value;
  if (view) {
    if (!spots.every((spot) => spot.length === 3 && inPlane(view, spot))) return null;
    return (spots as readonly Point3[]).map((spot) => toCanvas(view, spot).slice(0, 2) as Point2);
  }
  const affine: Affine | undefined = viewport.image.value?.affine;
  if (!affine || !spots.every((spot) => spot.length === 2)) return null;
  return (spots as readonly Point2[]).map((spot) => fromPixel(affine, ...spot));
}

/** Distance of two places in the unit of the viewport, and that unit. */
export function apart(viewport: Viewport, a: Spot, b: Spot): [number, "mm" | "px"] {
  if (a.length === 3 && b.length === 3) return [Math.hypot(...minus(a, b)), "mm"];
  const spacing = viewport.image.peek()?.spacing_mm;
  const [dx, dy] = [a[0] - b[0], a[1] - b[1]];
  return spacing ? [Math.hypot(dx * spacing[1], dy * spacing[0]), "mm"] : [Math.hypot(dx, dy), "px"];
}

/** Ends of the short axis at right angles to the long one, where two places say how far it reaches to either side. */
export function upright(viewport: Viewport, [a, b]: readonly [Spot, Spot], [p, q]: readonly [Spot, Spot]): [Spot, Spot] {
  const scale = scaleOf(viewport, a);
  const flat = (spot: Spot): Point3 => (spot.length === 3 ? spot : [spot[0] * scale[0], spot[1] * scale[1], 0]);
  const round = (point: Point3): Spot => (a.length === 3 ? point : [point[0] / scale[0], point[1] / scale[1]]);
  const [origin, along] = [flat(a), minus(flat(b), flat(a))];
  const long = dot(along, along) || 1;
  const share = [p, q].map((spot) => dot(minus(flat(spot), origin), along) / long);
  const foot = Math.min(1, Math.max(0, (share[0]! + share[1]!) / 2));
  const at = [0, 1, 2].map((i) => origin[i]! + foot * along[i]!) as Point3;
  const sides = [p, q].map((spot, n) => [0, 1, 2].map((i) => flat(spot)[i]! - origin[i]! - share[n]! * along[i]!) as Point3);
  const opposite = dot(sides[0]!, sides[1]!) < 0;
  const ends = opposite ? sides : dot(sides[0]!, sides[0]!) > dot(sides[1]!, sides[1]!) ? [sides[0]!, [0, 0, 0] as Point3] : [[0, 0, 0] as Point3, sides[1]!];
  return ends.map((side) => round([0, 1, 2].map((i) => at[i]! + side[i]!) as Point3)) as [Spot, Spot];
}

function scaleOf(viewport: Viewport, spot: Spot): Point2 {
  const spacing = spot.length === 2 ? viewport.image.peek()?.spacing_mm : null;
  return spacing ? [spacing[1], spacing[0]] : [1, 1];
}

/** Ends of the two axes of the ellipse that fills a rectangle of the canvas, as left, right, top, bottom. */
export function inscribed(viewport: Viewport, [x0, y0]: Point2, [x1, y1]: Point2): Spot[] {
  const [cx, cy] = [(x0 + x1) / 2, (y0 + y1) / 2];
  const ends: Point2[] = [[x0, cy], [x1, cy], [cx, y0], [cx, y1]];
  return ends.map((end) => spotAt(viewport, end)).filter((spot) => spot !== null);
}

/** 64 points of the ellipse through the ends of its axes, on the canvas. */
export function ellipse([a, b, c, d]: readonly Point2[]): Point2[] {
  const centre: Point2 = [(a![0] + b![0]) / 2, (a![1] + b![1]) / 2];
  const [u, v] = [[(b![0] - a![0]) / 2, (b![1] - a![1]) / 2], [(d![0] - c![0]) / 2, (d![1] - c![1]) / 2]];
  return Array.from({ length: 64 }, (_, i) => {
    const [cos, sin] = [Math.cos((i * Math.PI) / 32), Math.sin((i * Math.PI) / 32)];
    return [centre[0] + cos * u[0]! + sin * v[0]!, centre[1] + cos * u[1]! + sin * v[1]!];
  });
}
