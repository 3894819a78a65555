import { computed, signal } from "@preact/signals";
import { ask, type Trouble } from "../api/door";
import { asTrouble } from "../api/load";
import { may, ruleOf } from "../me";
import type { Session } from "../room/session";
import { cross, minus, plus, type Point3, unit, type View } from "../viewer/viewport";
import type { Sketch } from "./measuring";

/** Flow of a beat through one plane, as the server reckons it: volumes along the flow, the rate positive along it. */
export interface Through {
  rate_ml_s: number[];
  forward_ml: number;
  backward_ml: number;
  net_ml: number;
  regurgitant_percent: number;
  p99_m_s: number;
  area_mm2: number;
  /** The rate hardly changes over the beat, as in a vein, or hardly is there, as in tissue. */
  steady: boolean;
}

interface Told {
  planes: Through[];
  frame_ms: number;
  lost_percent: number | null;
  remarks: string[];
}

/** A plane that a person set: the line it was drawn by, where it lies, and what the server said of it. */
export interface Plane {
  line: readonly [Point3, Point3];
  frame: string;
  point_mm: Point3;
  normal: Point3;
  through: Through | null;
  trouble: Trouble | null;
}

/** The server ends a correction after 300 s, and one may wait for another's. */
const DEADLINE_S = 600;
const MOST = 2;
const ANALYSIS = "flow4d";

/** Planes that a reader sets across the vessels of a 4-D flow scan: the last two, the earlier one for inflow. Nothing of them is kept. */
export class Crossing {
  readonly planes = signal<readonly Plane[]>([]);
  /** When the server was asked what it has not answered yet (ms); null when nothing is asked. */
  readonly since = signal<number | null>(null);
  /** What was told of the scan itself. */
  readonly scan = signal<{ frame_ms: number; remarks: string[] } | null>(null);
  /** VENC of every direction where the header is silent; 0 believes it. */
  readonly venc_cm_s = signal(0);
  /** 100 (inflow − outflow) / inflow of the two planes; null where nothing flows in. */
  readonly lost_percent = signal<number | null>(null);
  readonly answered = computed(() => this.planes.value.filter((one) => one.through));

  /** Whether the study holds a scan through which planes can be set; null where the plan does not say. */
  readonly fits = computed<boolean | null>(() => (this.planned.value ? !this.planned.value.checks : null));
  /** Whether its panel stands there unasked: not where the analysis declined the scan, which a VENC from the reader may mend. */
  readonly stands = computed(() => this.fits.value === true && this.planned.value?.answer !== "declined");
  /** Whether the tool is offered. Where the plan says nothing of it, the server tells of an MR study what is wrong. */
  readonly offered = computed(() => may("correct") && !!this.session.plan.value && this.hasMr.value && this.fits.value !== false);

  private readonly planned = computed(() => this.session.plan.value?.find((one) => one.analysis === ANALYSIS) ?? null);
  private readonly hasMr = computed(() => !!this.session.study.value?.modalities.includes("MR"));
  private readonly over = new AbortController();

  constructor(private readonly session: Session) {}

  end(): void {
    this.over.abort();
  }

  /** Why no plane can be set here; empty where one can. */
  why(): string {
    if (!may("correct")) return ruleOf("correct");
    if (!this.hasMr.peek()) return "no plane: flow is measured on MR, and this study has none";
    return this.fits.peek() === false ? `no plane: ${this.planned.peek()!.reasons.join("; ")}` : "";
  }

  /** A line that was drawn stands for the plane through it that leads into the screen. Tells why it stands for none; empty where it does. */
  add({ viewport, spots }: Sketch): string {
    const view = viewport.view.peek();
    if (!view) return "no plane: this image states no place in the patient";
    if (viewport.series.peek()?.study !== this.session.uid) return "no plane: this image belongs to another study";
    const plane = planeOf(view, spots as [Point3, Point3]);
    this.planes.value = [...this.planes.peek().filter((one) => !one.trouble).slice(1 - MOST), plane];
    void this.work();
    return "";
  }

  /** What was inflow is outflow. */
  exchange(): void {
    const [first, second] = this.planes.peek();
    if (!first || !second) return;
    this.planes.value = [second, { ...first, through: null, trouble: null }];
    void this.work();
  }

  /** Ask again for every plane, as after another VENC. */
  again(venc_cm_s = this.venc_cm_s.peek()): void {
    this.venc_cm_s.value = venc_cm_s;
    this.scan.value = null;
    this.planes.value = this.planes.peek().map((one) => ({ ...one, through: null, trouble: null }));
    void this.work();
  }

  drop(plane: Plane): void {
    this.planes.value = this.planes.peek().filter((one) => one !== plane);
  }

  /** One plane after the other: what is refused is then known to be refused of that one. */
  private async work(): Promise<void> {
    if (this.since.peek() !== null) return;
    this.since.value = Date.now();
    for (let next = this.waiting(); next; next = this.waiting()) await this.answer(next);
    this.since.value = null;
  }

  private waiting(): Plane | null {
    return this.over.signal.aborted ? null : (this.planes.peek().find((one) => !one.through && !one.trouble) ?? null);
  }

  private async answer(plane: Plane): Promise<void> {
    const all = this.planes.peek();
    const asked = all.slice(0, all.indexOf(plane) + 1).filter((one) => !one.trouble);
    const body = { planes: asked.map(({ point_mm, normal }) => ({ point_mm, normal })), venc_cm_s: this.venc_cm_s.peek() };
    try {
      const told = await ask<Told>(`/api/studies/${this.session.uid}/flow`, { method: "POST", body, deadline_s: DEADLINE_S, abort: this.over.signal });
      if (body.venc_cm_s !== this.venc_cm_s.peek()) return; // it still waits, and is asked with the other one
      this.scan.value = { frame_ms: told.frame_ms, remarks: told.remarks };
      this.lost_percent.value = told.lost_percent;
      this.put(plane, { through: told.planes.at(-1)! });
    } catch (error) {
      this.put(plane, { trouble: asTrouble(error) });
    }
  }

  private put(plane: Plane, said: Partial<Plane>): void {
    this.planes.value = this.planes.peek().map((one) => (one === plane ? { ...one, ...said } : one));
  }
}

/** What a plane is called beside another: the first is inflow, and alone it is just the plane. */
export function nameOf(number: number, of: number): string {
  return of < MOST ? "plane" : ["inflow", "outflow"][number]!;
}

/** The plane that holds a line and the direction into the screen: its normal is at right angles to both. */
function planeOf(view: View, [a, b]: readonly [Point3, Point3]): Plane {
  const along = minus(b, a); // of two ends in one place the server says that such a plane lies nowhere
  return { line: [a, b], frame: view.frame, point_mm: plus(a, along, 0.5), normal: unit(cross(along, view.normal)), through: null, trouble: null };
}
