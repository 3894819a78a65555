import { computed, type Signal, signal, untracked } from "@preact/signals";
import { ask } from "../api/door";
import type { Session } from "../room/session";
import type { Lightbox } from "../viewer/lightbox";
import { type Hand, plus, type Point2, type Point3, type Range, type Viewport } from "../viewer/viewport";
import { count } from "../words";
import { imageOf } from "./measuring";
import { sectionOf } from "./shapes";
import { type Spot, spotAt } from "./spot";

export type Brush = "brush" | "threshold" | "click" | "box";

/** Pixels of a drag below which it is no box. */
const LEAST_PX = 4;

/** The region that strokes go to, by name; empty until the first of them has made it. Strokes that come after one another share it, however late the answers are. */
type Target = Signal<string>;

/** The way of a brush, a click, or a box between two corners of the canvas: in hand, or on its way to the server. */
export interface Stroke {
  viewport: Viewport;
  /** Image or plane on which it was made. */
  on: string;
  how: Brush;
  add: boolean;
  spots: Spot[];
  box: Spot[] | null;
  radius_mm: number;
}

/** Outline a region by painting, by a range of values under the brush, by clicks, or by a box around it. Every stroke is one act, and one step of undo. */
export class Painting implements Hand {
  readonly cursor = "crosshair";
  readonly how = signal<Brush | null>(null);
  readonly add = signal(true);
  readonly radius_mm = signal(6);
  readonly ball = signal(false);
  readonly values = signal<[low: number, high: number]>([0, 100]);
  /** How deep a box reaches through the slices; null for as deep as it is wide and high in the mean. */
  readonly depth_mm = signal<number | null>(null);
  /** A box being drawn: its first corner, and where the other is now. */
  readonly box = signal<{ viewport: Viewport; from: Point2; to: Point2 } | null>(null);
  readonly note = signal("");
  private readonly preparing = signal("");
  /** What is being done before an outline is there; empty where nothing is waited for. */
  readonly doing = computed(() => {
    const [sent, getting] = [this.pending.value.length, this.preparing.value];
    if (sent) return getting ? `your click waits: ${getting}` : `outlining ${sent === 1 ? "what you pointed at" : `${sent} acts, one after the other`}`;
    return getting && `getting ready: ${getting}`;
  });
  /** The stroke in hand, and those on their way to the server: they stay drawn until its answer brings the region. */
  readonly stroke = signal<Stroke | null>(null);
  readonly pending = signal<readonly Stroke[]>([]);
  /** Where the brush is now. */
  readonly at = signal<{ viewport: Viewport; at: Point2 } | null>(null);
  readonly regions = computed(() => this.session.outlines.value.filter((one) => one.finding.where?.has_mask && one.finding.verdict !== "struck"));
  private readonly target = signal<Target>(signal(""));
  /** The region that is painted on, as long as it is there; empty for a new one. */
  readonly tracking = computed(() => this.standing(this.target.value));
  private down_ = false;
  /** The series whose values the range stands for. */
  private ranged = "";

  constructor(private readonly session: Session, private readonly lightbox: Lightbox, private readonly may: () => string) {}

  take(how: Brush): void {
    const again = this.how.peek() === how;
    this.putBack();
    this.note.value = this.may();
    if (again || this.note.peek()) return;
    this.how.value = how;
    this.lightbox.hand.value = this;
    const viewport = this.lightbox.active.peek();
    const series = viewport?.series.peek();
    if (series && (how === "click" || how === "box")) void this.prepare(series.uid, series.pictures.length);
    if (how === "threshold" && viewport && series && series.uid !== this.ranged) this.fromWindow(series.uid, viewport.range.peek());
    if (viewport) this.at.value = { viewport, at: [viewport.element.clientWidth / 2, viewport.element.clientHeight / 2] };
  }

  /** The server reads the series and loads what computes before the first click comes, and it is told which of the two. */
  private async prepare(series: string, images: number): Promise<void> {
    const at = `/api/studies/${this.session.uid}/series/${series}/ready`;
    for (const [step, words] of [["images", `the server reads ${count(images, "image")}`], ["program", "it loads what outlines"]] as const) {
      this.preparing.value = words;
      await ask(`${at}?step=${step}`, { method: "POST", body: {}, deadline_s: 60 }).catch(() => undefined); // the click says what cannot be done
    }
    this.preparing.value = "";
  }

  /** A range that means something in the unit of a series: the brighter half of what is shown as grey. */
  private fromWindow(series: string, range: Range | null): void {
    if (!range) return;
    const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.max(range.upper - range.lower, 1e-6))));
    this.values.value = [(range.lower + range.upper) / 2, range.upper].map((value) => Number(value.toFixed(digits))) as [number, number];
    this.ranged = series;
  }

  putBack(): void {
    this.down_ = false;
    this.how.value = null;
    this.stroke.value = null;
    this.box.value = null;
    this.at.value = null;
    if (this.lightbox.hand.peek() === this) this.lightbox.hand.value = null;
  }

  /** Give up what is being drawn, else the tool; false where there is neither. What was drawn already goes on to the server. */
  giveUp(): boolean {
    this.note.value = "";
    if (!this.how.peek()) return false;
    if (this.box.peek()) return (this.box.value = null), true;
    this.putBack();
    return true;
  }

  nudge(dx: number, dy: number): boolean {
    const at = this.at.peek();
    if (!this.how.peek() || !at) return false;
    const moved: Point2 = [at.at[0] + dx, at.at[1] + dy];
    this.at.value = { ...at, at: moved };
    const box = this.box.peek();
    if (box?.viewport === at.viewport) this.box.value = { ...box, to: moved };
    return true;
  }

  enter(): boolean {
    const at = this.at.peek();
    if (!this.how.peek() || !at) return false;
    if (this.how.peek() === "box") {
      if (this.box.peek()?.viewport === at.viewport) this.boxed(at.viewport, at.at);
      else this.box.value = { viewport: at.viewport, from: at.at, to: at.at };
      return true;
    }
    const spot = this.spot(at.viewport, at.at);
    if (spot) this.send(this.begun(at.viewport, spot, this.add.peek()));
    return true;
  }

  down(viewport: Viewport, at: Point2, event: PointerEvent): boolean {
    if (event.ctrlKey) return false;
    const spot = this.spot(viewport, at);
    if (!spot) return false;
    this.down_ = true;
    this.at.value = { viewport, at };
    if (this.how.peek() === "box") {
      this.box.value = { viewport, from: at, to: at };
      return true;
    }
    this.stroke.value = this.begun(viewport, spot, event.shiftKey ? !this.add.peek() : this.add.peek());
    return true;
  }

  move(viewport: Viewport, at: Point2): void {
    this.at.value = { viewport, at };
    const box = this.box.peek();
    if (box?.viewport === viewport) return void (this.box.value = { ...box, to: at });
    const [stroke, spot] = [this.stroke.peek(), spotAt(viewport, at)];
    if (this.down_ && stroke?.viewport === viewport && spot && stroke.how !== "click") this.stroke.value = { ...stroke, spots: [...stroke.spots, spot] };
  }

  over(viewport: Viewport, at: Point2): void {
    this.at.value = { viewport, at };
    const box = this.box.peek();
    if (box?.viewport === viewport) this.box.value = { ...box, to: at }; // begun by a key
  }

  up(viewport: Viewport, at: Point2): void {
    const stroke = this.stroke.peek();
    this.down_ = false;
    this.stroke.value = null;
    if (this.box.peek()?.viewport === viewport) return this.boxed(viewport, at);
    if (stroke) this.send(stroke);
  }

  /** The region that the next strokes go to; empty for a new one. */
  choose(tracking: string): void {
    this.target.value = signal(tracking);
  }

  /** The place under the hand; where there is none yet, it is said why the stroke waits. */
  private spot(viewport: Viewport, at: Point2): Spot | null {
    const spot = spotAt(viewport, at);
    this.note.value = spot ? "" : "wait: the image is not there yet, nothing was drawn";
    return spot;
  }

  private begun(viewport: Viewport, spot: Spot, add: boolean): Stroke {
    return { viewport, on: imageOf(viewport), how: this.how.peek()!, add, spots: [spot], box: null, radius_mm: this.radius_mm.peek() };
  }

  /** The other corner is set: what the box holds is outlined. */
  private boxed(viewport: Viewport, to: Point2): void {
    const { from } = this.box.peek()!;
    const view = viewport.view.peek();
    this.box.value = null;
    if (Math.abs(to[0] - from[0]) < LEAST_PX || Math.abs(to[1] - from[1]) < LEAST_PX) return; // a click is no box
    const corners = [this.spot(viewport, from), this.spot(viewport, to)].filter((spot) => spot !== null);
    if (corners.length < 2) return;
    const wide = view ? Math.abs(to[0] - from[0]) * Math.hypot(...view.right) : 0;
    const high = view ? Math.abs(to[1] - from[1]) * Math.hypot(...view.down) : 0;
    const half = (this.depth_mm.peek() ?? (wide + high) / 2) / 2;
    const box = view ? corners.map((corner, i) => plus(corner as Point3, view.normal, i ? half : -half)) : corners;
    this.send({ ...this.begun(viewport, corners[0]!, true), spots: [], box });
  }

  /** A region that was taken back meanwhile is none to go on with. */
  private standing(target: Target): string {
    const tracking = target.value;
    return this.regions.value.some((one) => one.finding.tracking === tracking) ? tracking : "";
  }

  private send(stroke: Stroke): void {
    const { viewport, how, add, spots, box } = stroke;
    const [image, view, target] = [viewport.image.peek(), viewport.view.peek(), this.target.peek()];
    const free = how === "click" || how === "box";
    const placed = [...spots, ...(box ?? [])].every((spot) => spot.length === 3);
    const body = {
      how: box ? "click" : how, add, points: spots, box, series_uid: viewport.series.peek()?.uid ?? "",
      instance_uid: placed ? "" : image?.picture.sop, frame: placed ? 0 : image?.picture.frame,
      radius: free ? 0 : stroke.radius_mm,
      normal: free || this.ball.peek() ? null : (view?.normal as Point3 | undefined),
      values: how === "threshold" ? this.values.peek() : null,
    };
    let before = new Set<string>();
    // Its turn may come after answers that it waited for: only then is known which regions there are.
    const inTurn = () => {
      before = new Set(this.regions.peek().map((one) => one.finding.tracking));
      return { ...body, tracking: untracked(() => this.standing(target)) };
    };
    this.pending.value = [...this.pending.peek(), stroke];
    this.session.send(`${add ? "add to" : "take from"} a region`, `/api/studies/${this.session.uid}/segment`, inTurn, () => {
      const fresh = this.regions.peek().find((one) => !before.has(one.finding.tracking));
      if (fresh && !untracked(() => this.standing(target))) target.value = fresh.finding.tracking;
      // What was drawn stays to be seen until the outline that it made is there, or is said not to come.
      const [region, seen] = [this.regions.peek().find((one) => one.finding.tracking === target.peek()), viewport.view.peek()];
      const gone = () => void (this.pending.value = this.pending.peek().filter((one) => one !== stroke));
      if (region && seen) void sectionOf(region.result.id, seen).then(gone, gone);
      else gone();
    });
  }
}
