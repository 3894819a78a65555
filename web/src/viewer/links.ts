import { effect, type ReadonlySignal, signal, untracked } from "@preact/signals";
import { type Join, joinOf, type Way, wayBy, wayOver } from "./joins";
import { dot, minus, type Point3, plus, toPatient, type View, type Viewport } from "./viewport";

/** Cosine from which on two planes look the same way. */
const PARALLEL = 0.9;

/** How one viewport goes along with the one in hand. */
export type Linked = "frame" | "registered" | "pinned" | "no";

/** A series, as far as it matters where it lies. */
interface Placed {
  uid: string;
  frame: string;
}

/**
 * Viewports that look the same way go along: to the same place of the patient where they share a frame of reference or a
 * registration joins them; by the shift at which somebody pinned the pair by eye, where somebody did.
 */
export class Links {
  readonly on = signal(true);
  private readonly pins = signal<ReadonlyMap<string, Point3>>(new Map());

  constructor(private readonly joins: ReadonlySignal<readonly Join[]>) {}

  /** Follow the viewport in hand as long as nobody ends it. */
  start(active: () => Viewport | null, all: () => Viewport[]): () => void {
    return effect(() => {
      const lead = active();
      const view = lead?.view.value;
      void this.joins.value;
      if (!lead || !view || !this.on.value) return;
      untracked(() => {
        for (const other of all()) {
          const there = other.view.peek();
          if (other === lead || !there) continue;
          const way = this.way(lead, other);
          if (way && Math.abs(dot(way.along(view.normal), there.normal)) > PARALLEL) this.bring(other, there, way.point(centre(lead, view)));
        }
      });
    });
  }

  /** How `other` lies to `lead`: by what a place in one is found in the other. */
  how(lead: Viewport, other: Viewport): Linked {
    const [one, two] = [lead.series.value, other.series.value];
    if (!one || !two) return "no";
    if (this.pins.value.has(`${one.uid} ${two.uid}`)) return "pinned";
    if (one.frame && one.frame === two.frame) return "frame";
    return joinOf(this.joins.value, one.frame, two.frame) ? "registered" : "no";
  }

  /** The registration by which two viewports go together; null where it is something else, or nothing. */
  join(lead: Viewport, other: Viewport): Join | null {
    return this.how(lead, other) === "registered" ? joinOf(this.joins.value, lead.series.value!.frame, other.series.value!.frame) : null;
  }

  /** From a place in one viewport to the same place in another: null where nothing joins them. */
  way(lead: Viewport, other: Viewport): Way | null {
    const series = other.series.peek();
    return series && this.wayTo(lead, series);
  }

  /** The same for a series that hangs nowhere yet. */
  wayTo(lead: Viewport, series: Placed): Way | null {
    const own = lead.series.peek();
    if (!own) return null;
    const pin = this.pins.peek().get(`${own.uid} ${series.uid}`);
    if (pin) return wayOver(pin);
    if (own.frame && own.frame === series.frame) return wayOver([0, 0, 0]);
    const join = joinOf(this.joins.peek(), own.frame, series.frame);
    return join && wayBy(join, own.frame);
  }

  /** Whether somebody pinned a viewport and a series by eye. */
  pinned(lead: Viewport, series: Placed): boolean {
    return this.pins.peek().has(`${lead.series.peek()?.uid} ${series.uid}`);
  }

  /** Pin all pairs as they stand, so that they scroll together; the same again lets them go. What a registration joins is let go first, pinned next, and then joined again. */
  pin(lead: Viewport, all: Viewport[]): void {
    const view = lead.view.peek();
    const others = all.filter((one) => one !== lead && one.view.peek());
    if (!view || !others.length) return;
    const how = others.map((one) => this.how(lead, one));
    const apart = others.filter((_, i) => how[i] !== "frame");
    if (!apart.length || (this.on.peek() && how.every((one) => one === "frame" || one === "registered"))) {
      this.on.value = !this.on.value;
      return;
    }
    const next = new Map(this.pins.peek());
    const pinned = how.every((one) => one === "frame" || one === "pinned");
    for (const one of apart) {
      const shift = minus(centre(one, one.view.peek()!), centre(lead, view));
      if (pinned) (next.delete(pair(lead, one)), next.delete(pair(one, lead)));
      else (next.set(pair(lead, one), shift), next.set(pair(one, lead), minus([0, 0, 0], shift)));
    }
    this.on.value = true;
    this.pins.value = next;
  }

  /** A registration of two series takes the place of what was pinned by eye. */
  unpin(one: string, other: string): void {
    const next = new Map(this.pins.peek());
    if (next.delete(`${one} ${other}`) || next.delete(`${other} ${one}`)) (next.delete(`${other} ${one}`), (this.pins.value = next));
    this.on.value = true;
  }

  /** Only across the plane: what is panned or zoomed in one viewport stays as it is in the other. */
  private bring(other: Viewport, there: View, point: Point3): void {
    const away = dot(minus(point, there.origin), there.normal);
    if (Math.abs(away) > 0.01) other.go(plus(centre(other, there), there.normal, away));
  }
}

/** The patient's point in the middle of a viewport. */
export function centre({ element }: Viewport, view: View): Point3 {
  return toPatient(view, element.clientWidth / 2, element.clientHeight / 2);
}

function pair(a: Viewport, b: Viewport): string {
  return `${a.series.value?.uid} ${b.series.value?.uid}`;
}
