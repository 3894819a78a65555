import { computed, signal } from "@preact/signals";
import type { Session } from "../room/session";
import type { Lightbox } from "../viewer/lightbox";
import { type Hand, plus, type Point2, type Point3, type Viewport } from "../viewer/viewport";
import { type Spot, spotAt } from "./spot";

export type Brush = "brush" | "threshold" | "click" | "box";

/** Pixels of a drag below which it is no box. */
const LEAST_PX = 4;

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
  /** The region that is painted on; empty for a new one. */
  readonly tracking = signal("");
  readonly note = signal("");
  /** The way of the brush that is on its way to the server, and where the brush is now. */
  readonly stroke = signal<{ viewport: Viewport; spots: Spot[]; add: boolean } | null>(null);
  readonly at = signal<{ viewport: Viewport; at: Point2 } | null>(null);
  readonly regions = computed(() => this.session.found.value.filter((one) => one.finding.where?.has_mask && one.finding.verdict !== "struck"));
  private down_ = false;

  constructor(private readonly session: Session, private readonly lightbox: Lightbox, private readonly may: () => string) {}

  take(how: Brush): void {
    const again = this.how.peek() === how;
    this.putBack();
    this.note.value = this.may();
    if (again || this.note.peek()) return;
    this.how.value = how;
    this.lightbox.hand.value = this;
    const viewport = this.lightbox.active.peek();
    if (viewport) this.at.value = { viewport, at: [viewport.element.clientWidth / 2, viewport.element.clientHeight / 2] };
  }

  putBack(): void {
    this.how.value = null;
    this.stroke.value = null;
    this.box.value = null;
    this.at.value = null;
    if (this.lightbox.hand.peek() === this) this.lightbox.hand.value = null;
  }

  giveUp(): boolean {
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
    const spot = spotAt(at.viewport, at.at);
    if (spot) this.send(at.viewport, [spot], this.add.peek());
    return true;
  }

  down(viewport: Viewport, at: Point2, event: PointerEvent): boolean {
    if (event.ctrlKey) return false;
    const spot = spotAt(viewport, at);
    if (!spot) return false;
    this.down_ = true;
    this.at.value = { viewport, at };
    if (this.how.peek() === "box") {
      this.box.value = { viewport, from: at, to: at };
      return true;
    }
    this.stroke.value = { viewport, spots: [spot], add: event.shiftKey ? !this.add.peek() : this.add.peek() };
    return true;
  }

  move(viewport: Viewport, at: Point2): void {
    this.at.value = { viewport, at };
    const box = this.box.peek();
    if (box?.viewport === viewport) return void (this.box.value = { ...box, to: at });
    const [stroke, spot] = [this.stroke.peek(), spotAt(viewport, at)];
    if (this.down_ && stroke && spot && this.how.peek() !== "click") this.stroke.value = { ...stroke, spots: [...stroke.spots, spot] };
  }

  over(viewport: Viewport, at: Point2): void {
    this.at.value = { viewport, at };
    const box = this.box.peek();
    if (box?.viewport === viewport) this.box.value = { ...box, to: at }; // begun by a key
  }

  up(viewport: Viewport, at: Point2): void {
    const stroke = this.stroke.peek();
    this.down_ = false;
    if (this.box.peek()?.viewport === viewport) return this.boxed(viewport, at);
    if (stroke) this.send(viewport, stroke.spots, stroke.add);
  }

  /** A new region from the next act on. */
  fresh(): void {
    this.tracking.value = "";
  }

  /** The other corner is set: what the box holds is outlined. */
  private boxed(viewport: Viewport, to: Point2): void {
    const { from } = this.box.peek()!;
    const view = viewport.view.peek();
    this.box.value = null;
    if (Math.abs(to[0] - from[0]) < LEAST_PX || Math.abs(to[1] - from[1]) < LEAST_PX) return; // a click is no box
    const corners = [spotAt(viewport, from), spotAt(viewport, to)].filter((spot) => spot !== null);
    if (corners.length < 2) return;
    if (!view) return this.send(viewport, [], true, corners);
    const wide = Math.abs(to[0] - from[0]) * Math.hypot(...view.right);
    const high = Math.abs(to[1] - from[1]) * Math.hypot(...view.down);
    const half = (this.depth_mm.peek() ?? (wide + high) / 2) / 2;
    this.send(viewport, [], true, corners.map((corner, i) => plus(corner as Point3, view.normal, i ? half : -half)));
  }

  private send(viewport: Viewport, spots: Spot[], add: boolean, box: Spot[] | null = null): void {
    const [how, image, view] = [this.how.peek(), viewport.image.peek(), viewport.view.peek()];
    if (!how) return;
    const free = how === "click" || how === "box";
    const placed = [...spots, ...(box ?? [])].every((spot) => spot.length === 3);
    const body = {
      how: box ? "click" : how, add, points: spots, box, series_uid: viewport.series.peek()?.uid ?? "",
      instance_uid: placed ? "" : image?.picture.sop, frame: placed ? 0 : image?.picture.frame,
      radius: free ? 0 : this.radius_mm.peek(),
      normal: free || this.ball.peek() ? null : (view?.normal as Point3 | undefined),
      values: how === "threshold" ? this.values.peek() : null,
    };
    const before = new Set(this.regions.peek().map((one) => one.finding.tracking));
    // A region that was taken back meanwhile is none to go on with.
    const chosen = () => (this.regions.peek().some((one) => one.finding.tracking === this.tracking.peek()) ? this.tracking.peek() : "");
    const known = chosen();
    this.session.send(`${add ? "add to" : "take from"} a region`, `/api/studies/${this.session.uid}/segment`, () => ({ ...body, tracking: known || chosen() }), () => {
      this.stroke.value = null;
      const fresh = this.regions.peek().find((one) => !before.has(one.finding.tracking));
      if (!chosen() && fresh) this.tracking.value = fresh.finding.tracking;
    });
  }
}
