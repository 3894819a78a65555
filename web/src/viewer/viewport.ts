/**
 * What every viewport offers, and how a tool or a drawing attaches to it. Nothing here knows the drawing library.
 *
 * A list of viewports is `desk.lightbox.viewports` (a signal); the one that keys act on is `desk.lightbox.active`.
 *
 * **To draw over images** add a layer: `desk.lightbox.addLayer(MyLayer)` returns the function that takes it away. The
 * component gets `{ viewport }`, is rendered over every viewport and should return an `<svg class="overlay">`. Read
 * `viewport.view.value` (patient mm) or `viewport.image.value` (pixels of the image on screen) in it: both are signals
 * that change with every scroll, zoom, pan, flip and resize, so the layer follows by itself. `toCanvas(view, point)`
 * gives canvas pixels and the distance from the plane; `toPatient(view, x, y)` is its inverse.
 *
 * **To take the left mouse button** set `desk.lightbox.hand.value = myHand` (and null to give it back). While a hand is
 * set, presses with the left button, moves and releases go to it, with canvas coordinates; wheel, middle and right
 * button keep scrolling, panning and windowing. `cursor` names the CSS cursor.
 *
 * **Space.** `view` is null where the image states no place in the patient (radiographs, ultrasound): measure on
 * `image` then, in its pixels, with `image.spacing_mm` where the header gives one. `reduced` says why the pixels on
 * screen are not yet all there; it is empty when they are, and nothing may be measured before.
 *
 * **Values.** `valueAt(point)` reads one value of what is shown at a point of the patient (or at column, row, 0 of the
 * image where `view` is null), in `series.value.unit`; null where there is none.
 */
import { type ReadonlySignal } from "@preact/signals";
import type { Loaded, Picture } from "./series";
import { dot, minus, type Point2, type Point3 } from "./vectors";

export { cross, dot, minus, plus, type Point2, type Point3, unit } from "./vectors";

/** From pixels of the image (whole numbers are centres) to pixels of the viewport: x = a·col + c·row + e, y = b·col + d·row + f. */
export type Affine = [a: number, b: number, c: number, d: number, e: number, f: number];

export type ViewState = { at: "empty" } | { at: "loading"; words: string } | { at: "there" } | { at: "failed"; words: string };

export interface Range {
  lower: number;
  upper: number;
}

/** The plane of the patient that a viewport shows, as its canvas lies in it. Vectors are LPS. */
export interface View {
  /** The patient's point (mm) at the upper left corner of the canvas. */
  origin: Point3;
  /** Millimetres of the patient for one canvas pixel to the right, and one down. */
  right: Point3;
  down: Point3;
  /** Unit vector right × down: into the screen. */
  normal: Point3;
  /** Thickness of what is shown: of the slice, or of the slab. */
  thickness_mm: number;
  /** Frame of Reference UID; points of two viewports may be compared only where it is the same. */
  frame: string;
}

/** The image on screen, where the viewport shows a stored image and not a plane through a volume. */
export interface Shown {
  picture: Picture;
  affine: Affine;
  columns: number;
  rows: number;
  /** Between rows, between columns; null where the header gives none ("px, not calibrated"). */
  spacing_mm: [row: number, column: number] | null;
}

export interface Viewport {
  readonly id: string;
  /** Holds the canvas; its upper left corner is the origin of canvas coordinates (CSS pixels). */
  readonly element: HTMLDivElement;
  /** stack: stored images; plane: a plane through a volume; server: such a plane drawn by the server; volume: 3-D. */
  readonly kind: "stack" | "plane" | "server" | "volume";
  /** Short name of what it shows, e.g. AX. */
  readonly name: ReadonlySignal<string>;
  readonly series: ReadonlySignal<Loaded | null>;
  readonly state: ReadonlySignal<ViewState>;
  readonly view: ReadonlySignal<View | null>;
  readonly image: ReadonlySignal<Shown | null>;
  readonly range: ReadonlySignal<Range | null>;
  readonly reduced: ReadonlySignal<string>;
  /** Slice of how many; for the slice bar and its spoken line. */
  readonly index: ReadonlySignal<number>;
  readonly count: ReadonlySignal<number>;
  at(index: number): Promise<void>;
  step(by: number): void;
  /** Bring a point of the patient (mm) into the plane on screen; what this viewport cannot reach it leaves. */
  go(point: Point3): void;
  setRange(range: Range): void;
  /** The window that the images themselves state. */
  sent(): Range | null;
  pan(dx: number, dy: number): void;
  /** By a factor, about a point of the canvas (its middle where none is given). */
  zoom(factor: number, about?: Point2): void;
  /** Somebody points at what lies under a point of the canvas. */
  point?(at: Point2): void;
  /** What lies in its middle and how much of it is seen, in numbers that hold in a window of any size; null where it lies as it came. */
  lying?(): number[] | null;
  /** To lie so; numbers of another kind of viewport are not heeded. */
  lie?(numbers: readonly number[]): void;
  turn(act: Turn): void;
  /** The acts that turned it so since it came. */
  turned?(): Turn[];
  reset(): void;
  valueAt(point: Point3): number | null;
  destroy(): void;
}

export type Turn = "flip-horizontal" | "flip-vertical" | "rotate" | "invert";

/** The acts that lead to how a picture stands, in whichever order. */
export function turnsOf(degrees: number, horizontal: boolean, vertical: boolean, inverted: boolean): Turn[] {
  const quarters = ((Math.round(degrees / 90) % 4) + 4) % 4;
  return [...(horizontal ? (["flip-horizontal"] as const) : []), ...(vertical ? (["flip-vertical"] as const) : []), ...Array<Turn>(quarters).fill("rotate"), ...(inverted ? (["invert"] as const) : [])];
}

/** Who has the left button. Canvas coordinates, in CSS pixels; `down` answers whether it takes the press. */
export interface Hand {
  cursor: string;
  down(viewport: Viewport, at: Point2, event: PointerEvent): boolean;
  move?(viewport: Viewport, at: Point2, event: PointerEvent): void;
  up?(viewport: Viewport, at: Point2, event: PointerEvent): void;
  /** Without a button pressed. */
  over?(viewport: Viewport, at: Point2, event: PointerEvent): void;
}

/** A point of the patient on the canvas, and how far it lies behind the plane (mm; negative: in front). */
export function toCanvas(view: View, point: Point3): [x: number, y: number, depth_mm: number] {
  const from = minus(point, view.origin);
  return [dot(from, view.right) / dot(view.right, view.right), dot(from, view.down) / dot(view.down, view.down), dot(from, view.normal)];
}

export function toPatient(view: View, x: number, y: number): Point3 {
  return [0, 1, 2].map((i) => view.origin[i]! + x * view.right[i]! + y * view.down[i]!) as Point3;
}

/** Column and row of the image under a canvas point; whole numbers are centres of pixels. */
export function toPixel([a, b, c, d, e, f]: Affine, x: number, y: number): Point2 {
  const [u, v, area] = [x - e, y - f, a * d - b * c];
  return [(d * u - c * v) / area, (a * v - b * u) / area];
}

export function fromPixel([a, b, c, d, e, f]: Affine, column: number, row: number): Point2 {
  return [a * column + c * row + e, b * column + d * row + f];
}

/** Whether a point lies in what is shown: within half the thickness of the slice or slab. */
export function inPlane(view: View, point: Point3): boolean {
  return Math.abs(toCanvas(view, point)[2]) <= Math.max(0.5, view.thickness_mm / 2) + 1e-6;
}
