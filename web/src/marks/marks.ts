import { computed, type ReadonlySignal, signal } from "@preact/signals";
import type { Found, Session } from "../room/session";
import type { Lightbox } from "../viewer/lightbox";
import { Crossing } from "./crossing";
import { type Kind, Measuring, type Sketch } from "./measuring";
import { type Brush, Painting } from "./painting";
import { Shapes } from "./shapes";
import type { Spot } from "./spot";

/** How a finding was drawn, as the server keeps it beside the result's origin. */
export interface HowDrawn {
  tool: Kind | "brush" | "threshold" | "click";
  calibration?: string;
  normal?: [number, number, number];
}

export function howDrawn(one: Found): HowDrawn | null {
  const { origin } = one.result;
  const drawn = typeof origin === "string" ? undefined : (origin.parameters?.drawn as Record<string, HowDrawn> | undefined);
  return drawn?.[one.finding.tracking] ?? null;
}

/** What a drawing over the images needs to know of the desk at which somebody reads. */
export interface Sheet {
  readonly session: Session;
  readonly lightbox: Lightbox;
  readonly marks: Marks;
  /** Everything that was drawn is hidden for a moment. */
  readonly hidden: ReadonlySignal<boolean>;
  /** The tracking identity of the finding in hand. */
  readonly active: ReadonlySignal<string>;
}

/** Everything that a person draws on the images of one study, and what of all drawing is shown. */
export class Marks {
  readonly measuring: Measuring;
  readonly painting: Painting;
  readonly shapes = new Shapes();
  readonly crossing: Crossing;
  /** Marks on their way to the server: shown until its answer brings them. */
  readonly pending = signal<readonly Sketch[]>([]);
  /** Sets of results that are not shown; it outlives every layout. */
  readonly hiddenSets = signal<ReadonlySet<string>>(new Set());
  readonly own = computed(() => this.session.found.value.filter((one) => one.finding.verdict !== "struck" && one.finding.where?.points && howDrawn(one)));

  constructor(private readonly session: Session, lightbox: Lightbox) {
    const may = () => (session.mine.peek() || session.opening.peek() ? "" : "read-only: this study is not open with you");
    this.measuring = new Measuring(lightbox, (sketch) => this.finish(sketch), (kind) => (kind === "flow" ? this.crossing.why() : may()));
    this.crossing = new Crossing(session);
    this.painting = new Painting(session, lightbox, may);
  }

  /** Escape: what is being drawn, else the tool in hand; false where there is neither. */
  giveUp(): boolean {
    return this.measuring.giveUp() || this.painting.giveUp();
  }

  take(kind: Kind): void {
    this.painting.putBack();
    this.measuring.take(kind);
  }

  paint(how: Brush): void {
    if (this.measuring.kind.peek()) this.measuring.giveUp();
    this.painting.take(how);
  }

  /** Arrow keys, while something is in hand; false where nothing is. */
  nudge(dx: number, dy: number): boolean {
    return this.measuring.nudge(dx, dy) || this.painting.nudge(dx, dy);
  }

  enter(): boolean {
    return this.measuring.enter() || this.painting.enter();
  }

  /** A line across a vessel becomes a plane, which is nobody's finding; all else is kept. */
  private finish(sketch: Sketch): void {
    if (sketch.kind === "flow") this.measuring.note.value = this.crossing.add(sketch);
    else this.keep(sketch);
  }

  /** To the server at once: it measures, and what it says is what is shown from then on. */
  private keep(sketch: Sketch): void {
    const { viewport } = sketch;
    const [image, view, range] = [viewport.image.peek(), viewport.view.peek(), viewport.range.peek()];
    this.pending.value = [...this.pending.peek(), sketch];
    const body = {
      kind: sketch.kind,
      points: sketch.spots as Spot[],
      series_uid: viewport.series.peek()?.uid ?? "",
      instance_uid: image?.picture.sop ?? "",
      frame: image?.picture.frame ?? 0,
      normal: image ? null : view?.normal,
      window: range ? [range.lower, range.upper] : null,
    };
    const gone = () => (this.pending.value = this.pending.peek().filter((one) => one !== sketch));
    this.session.send(`measure ${sketch.kind}`, `/api/readings/${this.session.uid}/measure`, body, gone);
  }
}

/** The set that a result belongs to: what one analysis of one version said, or one reader. */
export function setOf({ result }: Found): string {
  if (typeof result.origin !== "string" && result.origin.kind === "person" && !result.version) return `● ${result.origin.name}`;
  return `◇ ${result.analysis} ${result.version}`.trim();
}
