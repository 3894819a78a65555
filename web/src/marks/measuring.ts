import { type ReadonlySignal, type Signal, signal } from "@preact/signals";
import type { Hand, Point2, Viewport } from "../viewer/viewport";
import { inscribed, type Spot, spotAt, upright } from "./spot";

export type Kind = "length" | "bidirectional" | "angle" | "ellipse" | "probe" | "freehand" | "flow";

/** How many places a person sets for each kind; a freehand line has as many as one likes, and of flow it is a line across a vessel. */
const PLACES: Record<Kind, number> = { length: 2, bidirectional: 4, angle: 3, ellipse: 2, probe: 1, freehand: Infinity, flow: 2 };
const DRAG_PX = 4;

/** A mark being drawn, or on its way to the server. */
export interface Sketch {
  kind: Kind;
  viewport: Viewport;
  /** Identity of the image or plane on which it was begun. */
  on: string;
  spots: Spot[];
  /** Of an ellipse the corners of its rectangle on the canvas. */
  corners: Point2[];
}

/** Where marks are drawn: which viewport the keys act on, and who has the left button. */
export interface Sheets {
  readonly active: ReadonlySignal<Viewport | null>;
  readonly hand: Signal<Hand | null>;
}

/** Draw a mark by drag, by clicks, or by keys alone: the arrows move a cross, Enter sets a point. */
export class Measuring implements Hand {
  readonly cursor = "crosshair";
  readonly kind = signal<Kind | null>(null);
  readonly sketch = signal<Sketch | null>(null);
  readonly cross = signal<{ viewport: Viewport; at: Point2 } | null>(null);
  /** Why nothing can be measured now; empty where it can. */
  readonly note = signal("");
  private pressed: Point2 | null = null;

  constructor(private readonly lightbox: Sheets, private readonly done: (sketch: Sketch) => void, private readonly may: (kind: Kind) => string) {}

  /** Take a tool in hand, or put it back. */
  take(kind: Kind): void {
    const again = this.kind.peek() === kind;
    this.giveUp();
    if (again) return;
    const viewport = this.lightbox.active.peek();
    this.note.value = this.may(kind);
    if (this.note.peek() || !viewport) return;
    this.kind.value = kind;
    this.lightbox.hand.value = this;
    this.cross.value = { viewport, at: [viewport.element.clientWidth / 2, viewport.element.clientHeight / 2] };
  }

  /** Give up what is being drawn, else the tool; false where there is neither. */
  giveUp(): boolean {
    this.note.value = "";
    if (this.sketch.peek()) {
      this.sketch.value = null;
      return true;
    }
    if (!this.kind.peek()) return false;
    this.kind.value = null;
    this.cross.value = null;
    if (this.lightbox.hand.peek() === this) this.lightbox.hand.value = null;
    return true;
  }

  move(viewport: Viewport, at: Point2): void {
    this.cross.value = { viewport, at };
    const sketch = this.sketch.peek();
    if (this.pressed && sketch?.viewport === viewport && sketch.kind === "freehand") this.add(viewport, at);
  }

  /** Move the cross; false where no tool is in hand. */
  nudge(dx: number, dy: number): boolean {
    const cross = this.cross.peek();
    if (!this.kind.peek() || !cross) return false;
    const { clientWidth, clientHeight } = cross.viewport.element;
    const at: Point2 = [Math.min(clientWidth - 1, Math.max(0, cross.at[0] + dx)), Math.min(clientHeight - 1, Math.max(0, cross.at[1] + dy))];
    this.cross.value = { ...cross, at };
    return true;
  }

  /** Set a point under the cross; false where no tool is in hand. */
  enter(): boolean {
    const cross = this.cross.peek();
    if (!this.kind.peek() || !cross) return false;
    const sketch = this.sketch.peek();
    const last = sketch?.corners.at(-1);
    if (sketch?.kind === "freehand" && last && Math.hypot(last[0] - cross.at[0], last[1] - cross.at[1]) < 1) this.finish(sketch);
    else this.add(cross.viewport, cross.at);
    return true;
  }

  down(viewport: Viewport, at: Point2): boolean {
    this.pressed = at;
    this.cross.value = { viewport, at };
    this.add(viewport, at);
    return true;
  }

  over(viewport: Viewport, at: Point2): void {
    this.cross.value = { viewport, at };
  }

  up(viewport: Viewport, at: Point2): void {
    const [from, sketch] = [this.pressed, this.sketch.peek()];
    this.pressed = null;
    this.cross.value = { viewport, at };
    if (!from || !sketch || sketch.viewport !== viewport) return;
    const dragged = Math.hypot(at[0] - from[0], at[1] - from[1]) >= DRAG_PX;
    if (sketch.kind === "freehand") return dragged ? this.finish(sketch) : void 0;
    if (dragged) this.add(viewport, at);
  }

  private add(viewport: Viewport, at: Point2): void {
    const kind = this.kind.peek();
    this.note.value = viewport.reduced.peek() ? `wait: ${viewport.reduced.peek()} have come; nothing is measured on reduced images` : "";
    const spot = spotAt(viewport, at);
    if (!kind || !spot || this.note.peek()) return;
    const before = this.sketch.peek();
    const on = imageOf(viewport);
    const goes = before && before.viewport === viewport && before.on === on ? before : { kind, viewport, on, spots: [], corners: [] };
    const sketch: Sketch = { ...goes, spots: [...goes.spots, spot], corners: [...goes.corners, at] };
    if (sketch.spots.length >= PLACES[kind]) this.finish(sketch);
    else this.sketch.value = sketch;
  }

  private finish(sketch: Sketch): void {
    this.sketch.value = null;
    this.pressed = null;
    if (sketch.kind === "freehand" && sketch.spots.length < 3) return;
    this.done({ ...sketch, spots: shaped(sketch) });
  }
}

/** The places of a mark as they are kept: of an ellipse the ends of its axes, of two axes the second upright on the first. */
export function shaped({ kind, viewport, spots, corners }: Sketch): Spot[] {
  if (kind === "ellipse" && corners.length >= 2) return inscribed(viewport, corners[0]!, corners[1]!);
  if (kind !== "bidirectional" || spots.length < 4) return spots;
  const [a, b, c, d] = spots as [Spot, Spot, Spot, Spot];
  return [a, b, ...upright(viewport, [a, b], [c, d])];
}

/** What a viewport shows now: an image, or a plane. */
export function imageOf(viewport: Viewport): string {
  const image = viewport.image.peek();
  return image ? `${image.picture.sop}/${image.picture.frame}` : `${viewport.series.peek()?.uid}/${viewport.id}/${viewport.index.peek()}`;
}
