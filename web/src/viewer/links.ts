import { effect, signal, untracked } from "@preact/signals";
import { dot, minus, type Point3, plus, toPatient, type View, type Viewport } from "./viewport";

/** How one viewport goes along with the one in hand. */
export type Linked = "frame" | "pinned" | "no";

/**
 * Viewports that look the same way go along: to the same place of the patient where they share a frame of reference;
 * where they do not, by the shift at which somebody pinned the pair by eye.
 */
export class Links {
  readonly on = signal(true);
  private readonly pins = signal<ReadonlyMap<string, Point3>>(new Map());

  /** Follow the viewport in hand as long as nobody ends it. */
  start(active: () => Viewport | null, all: () => Viewport[]): () => void {
    return effect(() => {
      const lead = active();
      const view = lead?.view.value;
      if (!lead || !view || !this.on.value) return;
      untracked(() => {
        for (const other of all()) {
          const there = other.view.peek();
          if (other === lead || !there || !parallel(view, there)) continue;
          const shift = this.shift(lead, other);
          if (shift) this.bring(other, there, plus(centre(lead, view), shift));
        }
      });
    });
  }

  /** How `other` goes along with `lead`. */
  how(lead: Viewport, other: Viewport): Linked {
    if (!this.on.value) return "no";
    if (this.pins.value.has(pair(lead, other))) return "pinned";
    return sameFrame(lead, other) ? "frame" : "no";
  }

  /** From a place in one viewport to the same place in another: null where nothing joins them. */
  shift(lead: Viewport, other: Viewport): Point3 | null {
    return this.pins.peek().get(pair(lead, other)) ?? (sameFrame(lead, other) ? [0, 0, 0] : null);
  }

  /** The same for a series that hangs nowhere yet. */
  shiftTo(lead: Viewport, series: { uid: string; frame: string }): Point3 | null {
    const own = lead.series.peek();
    return this.pins.peek().get(`${own?.uid} ${series.uid}`) ?? (own?.frame && own.frame === series.frame ? [0, 0, 0] : null);
  }

  /** Pin all pairs as they stand, so that they scroll together; the same again lets them go. */
  pin(lead: Viewport, all: Viewport[]): void {
    const view = lead.view.peek();
    const others = all.filter((one) => one !== lead && one.view.peek());
    if (!view || !others.length) return;
    const apart = others.filter((one) => !sameFrame(lead, one));
    if (!apart.length) {
      this.on.value = !this.on.value;
      return;
    }
    const next = new Map(this.pins.peek());
    const pinned = apart.every((one) => next.has(pair(lead, one)));
    for (const one of apart) {
      const shift = minus(centre(one, one.view.peek()!), centre(lead, view));
      if (pinned) (next.delete(pair(lead, one)), next.delete(pair(one, lead)));
      else (next.set(pair(lead, one), shift), next.set(pair(one, lead), minus([0, 0, 0], shift)));
    }
    this.on.value = true;
    this.pins.value = next;
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

function parallel(a: View, b: View): boolean {
  return Math.abs(dot(a.normal, b.normal)) > 0.9;
}

function sameFrame(a: Viewport, b: Viewport): boolean {
  const [one, two] = [a.series.value?.frame, b.series.value?.frame];
  return !!one && one === two;
}

function pair(a: Viewport, b: Viewport): string {
  return `${a.series.value?.uid} ${b.series.value?.uid}`;
}
