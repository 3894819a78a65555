import { signal } from "@preact/signals";
import { ask } from "../api/door";
import { asTrouble } from "../api/load";
import type { Point3 } from "../viewer/viewport";
import { cross, plus, unit } from "../viewer/viewport";
import type { Sketch } from "./measuring";
import type { Spot } from "./spot";

/** The server compares two planes, and no more. */
const MOST = 2;
/** A scan is corrected when its first plane is asked about; that may take minutes. */
const DEADLINE_S = 600;

/** Flow of one beat through one plane, as the server says it; the rate is positive along the flow. */
export interface Through {
  rate_ml_s: number[];
  forward_ml: number;
  backward_ml: number;
  net_ml: number;
  regurgitant_percent: number | null;
  peak_m_s: number;
  area_mm2: number;
  /** Whether the vessel was found in the same place throughout the beat. */
  steady: boolean;
}

export interface Flow {
  planes: Through[];
  frame_ms: number;
  lost_percent: number | null;
  remarks: string[];
}

/** A line that a person drew across a vessel, and the plane through it that is upright on the image. */
export interface Plane {
  spots: readonly [Point3, Point3];
  point_mm: Point3;
  normal: Point3;
}

type State = { at: "none" } | { at: "waiting"; since: number } | { at: "told"; flow: Flow } | { at: "refused"; words: string };

/** Planes across vessels of a 4-D flow scan: one, or two that are held against each other. Nothing of it is kept. */
export class Crossing {
  readonly planes = signal<readonly Plane[]>([]);
  readonly state = signal<State>({ at: "none" });
  /** Of every direction, where the header is silent; 0 believes it. */
  readonly venc_cm_s = signal(0);
  private asking: AbortController | null = null;

  constructor(private readonly study: string) {}

  /** A plane more; of a third the first gives way. */
  add({ viewport, spots }: Sketch): void {
    const view = viewport.view.peek();
    const plane = view && planeOf(spots, view.normal);
    if (!plane) this.state.value = { at: "refused", words: "no plane: this image states no place in the patient, or the line has no length" };
    else this.ask([...this.planes.peek(), plane].slice(-MOST));
  }

  drop(number: number): void {
    this.ask(this.planes.peek().filter((_, i) => i !== number));
  }

  /** Ask with another limit of velocity. */
  believe(venc_cm_s: number): void {
    this.venc_cm_s.value = venc_cm_s;
    this.ask(this.planes.peek());
  }

  end(): void {
    this.asking?.abort();
  }

  private ask(planes: readonly Plane[]): void {
    this.asking?.abort();
    this.planes.value = planes;
    this.state.value = planes.length ? { at: "waiting", since: performance.now() } : { at: "none" };
    if (planes.length) void this.told(planes, (this.asking = new AbortController()));
  }

  private async told(planes: readonly Plane[], { signal: abort }: AbortController): Promise<void> {
    const body = { planes: planes.map(({ point_mm, normal }) => ({ point_mm, normal })), venc_cm_s: this.venc_cm_s.peek() };
    try {
      const flow = await ask<Flow>(`/api/studies/${this.study}/flow`, { method: "POST", body, abort, deadline_s: DEADLINE_S });
      if (!abort.aborted) this.state.value = { at: "told", flow };
    } catch (error) {
      if (!abort.aborted) this.state.value = { at: "refused", words: asTrouble(error).message };
    }
  }
}

/** The plane that holds the line and looks along the image: upright on both. */
function planeOf([a, b]: readonly Spot[], look: Point3): Plane | null {
  if (a?.length !== 3 || b?.length !== 3) return null;
  const along = plus(b, a, -1);
  if (Math.hypot(...along) < 1e-3) return null;
  return { spots: [a, b], point_mm: plus(a, along, 0.5), normal: unit(cross(unit(along), look)) };
}
