import type { ReadonlySignal } from "@preact/signals";
import { PlaneView } from "./plane";
import { cross as product, dot, type Hand, minus, type Point2, type Point3, plus, toCanvas, toPatient, unit, type Viewport } from "./viewport";

/** Pixels from a line within which a press takes the line, and from the middle within which it takes the point instead. */
const NEAR_PX = 9;
const MIDDLE_PX = 40;
/** Degrees of one key press. */
export const TILT = 5;

/** A line in which another plane cuts this viewport, through the point that all planes share. */
export interface CutLine {
  other: PlaneView;
  through: Point2;
  along: Point2;
}

/** What planes share: the point that they all go through, and how to move it. */
export interface Sharing {
  readonly viewports: ReadonlySignal<Viewport[]>;
  /** That point in a frame of reference; null where there is none, or nothing joins the frames. */
  pointIn(frame: string): Point3 | null;
  go(point: Point3, frame?: string): void;
}

export function cutLines(lightbox: Sharing, viewport: Viewport): CutLine[] {
  const view = viewport.view.value;
  const point = view && lightbox.pointIn(view.frame);
  if (!view || !point) return [];
  const lines: CutLine[] = [];
  for (const other of lightbox.viewports.value) {
    const there = other.view.value;
    if (other === viewport || !(other instanceof PlaneView) || !there || !there.frame || there.frame !== view.frame) continue;
    const along = product(view.normal, there.normal);
    if (Math.hypot(...along) < 0.1) continue; // parallel planes do not cut
    const on = plus(point, there.normal, dot(minus(there.origin, point), there.normal)); // the other plane as it stands now
    const [from, to] = [toCanvas(view, on), toCanvas(view, plus(on, unit(along)))];
    const length = Math.hypot(to[0] - from[0], to[1] - from[1]) || 1;
    lines.push({ other, through: [from[0], from[1]], along: [(to[0] - from[0]) / length, (to[1] - from[1]) / length] });
  }
  return lines;
}

/** The crosshair in hand: a press moves the point, a press on a line away from the point turns that plane. */
export class CrossHand implements Hand {
  readonly cursor = "crosshair";
  private turning: PlaneView | null = null;
  private last = 0;

  constructor(private readonly lightbox: Sharing) {}

  down(viewport: Viewport, at: Point2): boolean {
    const view = viewport.view.peek();
    if (!view) return false;
    const line = viewport instanceof PlaneView ? cutLines(this.lightbox, viewport).find((one) => near(one, at)) : undefined;
    this.turning = line?.other ?? null;
    if (this.turning) this.last = this.angle(viewport, at);
    else this.lightbox.go(toPatient(view, ...at), view.frame);
    return true;
  }

  move(viewport: Viewport, at: Point2): void {
    const view = viewport.view.peek();
    const point = view && this.lightbox.pointIn(view.frame);
    if (!view || !point) return;
    if (!this.turning) return this.lightbox.go(toPatient(view, ...at), view.frame);
    const now = this.angle(viewport, at);
    this.turning.tilt(view.normal, now - this.last, point);
    this.last = now;
  }

  up(): void {
    this.turning = null;
  }

  /** Turn all planes that cut the viewport in hand, by keys. */
  tilt(viewport: Viewport | null, degrees: number): void {
    const view = viewport?.view.peek();
    const point = view && this.lightbox.pointIn(view.frame);
    if (!viewport || !view || !point) return;
    for (const { other } of cutLines(this.lightbox, viewport)) other.tilt(view.normal, degrees, point);
  }

  private angle(viewport: Viewport, at: Point2): number {
    const view = viewport.view.peek()!;
    const [x, y] = toCanvas(view, this.lightbox.pointIn(view.frame)!);
    return (Math.atan2(at[1] - y, at[0] - x) * 180) / Math.PI;
  }
}

function near({ through, along }: CutLine, at: Point2): boolean {
  const [x, y] = [at[0] - through[0], at[1] - through[1]];
  return Math.abs(x * along[1] - y * along[0]) < NEAR_PX && Math.hypot(x, y) > MIDDLE_PX;
}
