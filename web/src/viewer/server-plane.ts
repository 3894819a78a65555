import { batch, signal } from "@preact/signals";
import { wordsOf } from "./deadline";
import { looks, type Plane } from "./plane";
import type { Loaded } from "./series";
import { cross, dot, minus, type Point2, type Point3, plus, type Range, type Turn, unit, type View, type Viewport, type ViewState } from "./viewport";

const WAIT_MS = 40;
const DEADLINE_MS = 30_000;

let serial = 0;

/** A plane through a volume where the browser has no WebGL: the server cuts, this draws. Slower, and the same place. */
export class ServerView implements Viewport {
  readonly id = `server-${++serial}`;
  readonly kind = "server";
  readonly name = signal("");
  readonly state = signal<ViewState>({ at: "empty" });
  readonly series = signal<Loaded | null>(null);
  readonly view = signal<View | null>(null);
  readonly image = signal(null);
  readonly range = signal<Range | null>(null);
  readonly reduced = signal("");
  readonly index = signal(0);
  readonly count = signal(0);
  pointed: (point: Point3) => void = () => {};

  private readonly canvas = document.createElement("canvas");
  private right: Point3;
  private down: Point3;
  private middle: Point3 = [0, 0, 0];
  private depth = 0;
  private mm = 1;
  private inverted = false;
  private clock = 0;
  private abort = new AbortController();
  private readonly resized = new ResizeObserver(() => this.draw());

  constructor(readonly element: HTMLDivElement, readonly plane: Plane) {
    this.name.value = looks[plane].name;
    [this.right, this.down] = axes(plane);
    this.canvas.className = "cornerstone-canvas";
    element.append(this.canvas);
    this.resized.observe(element);
  }

  show(series: Loaded, range: Range | null, centre: Point3 | null): void {
    batch(() => {
      this.series.value = series;
      this.range.value = range ?? this.sent() ?? { lower: 0, upper: 1 };
      this.state.value = { at: "there" };
    });
    this.fit();
    this.go(centre ?? this.middle);
  }

  go(point: Point3): void {
    if (!this.series.value) return;
    const { low, high, step } = this.reach();
    const index = Math.round((Math.min(high, Math.max(low, dot(point, this.normal()))) - low) / step);
    this.depth = low + index * step;
    batch(() => {
      this.index.value = index;
      this.count.value = Math.round((high - low) / step) + 1;
    });
    this.draw();
  }

  at(index: number): Promise<void> {
    const { low, step } = this.reach();
    this.go(plus([0, 0, 0], this.normal(), low + Math.min(this.count.value - 1, Math.max(0, index)) * step));
    return Promise.resolve();
  }

  step(by: number): void {
    void this.at(this.index.value + by);
  }

  setRange(range: Range): void {
    this.range.value = range;
    this.draw();
  }

  sent(): Range | null {
    return this.series.value?.sent ?? null;
  }

  pan(dx: number, dy: number): void {
    this.middle = plus(plus(this.middle, this.right, -dx * this.mm), this.down, -dy * this.mm);
    this.draw();
  }

  zoom(factor: number, about?: Point2): void {
    const [x, y] = about ? [about[0] - this.element.clientWidth / 2, about[1] - this.element.clientHeight / 2] : [0, 0];
    const moved = this.mm - this.mm / factor;
    this.middle = plus(plus(this.middle, this.right, x * moved), this.down, y * moved);
    this.mm /= factor;
    this.draw();
  }

  turn(act: Turn): void {
    if (act === "invert") this.inverted = !this.inverted;
    else if (act === "flip-horizontal") this.right = minus([0, 0, 0], this.right);
    else if (act === "flip-vertical") this.down = minus([0, 0, 0], this.down);
    else [this.right, this.down] = [minus([0, 0, 0], this.down), this.right];
    this.draw();
  }

  /** The server draws it: no context of this browser can be lost. */
  lies = () => null;

  reset(): void {
    [this.right, this.down] = axes(this.plane);
    this.inverted = false;
    this.fit();
    this.draw();
  }

  point(at: Point2): void {
    const view = this.view.peek();
    if (view) this.pointed(plus(plus(view.origin, view.right, at[0]), view.down, at[1]));
  }

  valueAt = () => null;

  destroy(): void {
    clearTimeout(this.clock);
    this.abort.abort();
    this.resized.disconnect();
    this.canvas.remove();
  }

  /** Into the screen for the unflipped plane: scrolling keeps its way through every flip. */
  private normal(): Point3 {
    return minus([0, 0, 0], looks[this.plane].towards);
  }

  private corners(): Point3[] {
    const { pictures, columns, rows } = this.series.value!;
    return [pictures[0]!, pictures[pictures.length - 1]!].flatMap(({ place, spacing_mm }) =>
      [0, columns - 1].flatMap((column) => [0, rows - 1].map((row) => plus(plus(place!.position, place!.row, column * spacing_mm![1]), place!.column, row * spacing_mm![0]))),
    );
  }

  private reach(): { low: number; high: number; step: number } {
    const depths = this.corners().map((corner) => dot(corner, this.normal()));
    const { pictures } = this.series.value!;
    const { place, spacing_mm } = pictures[0]!;
    const slice = Math.abs(dot(minus(pictures[1]!.place!.position, place!.position), unit(cross(place!.row, place!.column))));
    const steps: [Point3, number][] = [[place!.row, spacing_mm![1]], [place!.column, spacing_mm![0]], [cross(place!.row, place!.column), slice]];
    return { low: Math.min(...depths), high: Math.max(...depths), step: steps.reduce((best, one) => (Math.abs(dot(one[0], this.normal())) > Math.abs(dot(best[0], this.normal())) ? one : best))[1] };
  }

  private fit(): void {
    const corners = this.corners();
    const middle = (axis: Point3) => corners.reduce((sum, corner) => sum + dot(corner, axis), 0) / corners.length;
    const extent = (axis: Point3) => Math.max(...corners.map((corner) => dot(corner, axis))) - Math.min(...corners.map((corner) => dot(corner, axis)));
    this.middle = plus(plus([0, 0, 0], this.right, middle(this.right)), this.down, middle(this.down));
    this.mm = Math.max(extent(this.right) / Math.max(1, this.element.clientWidth), extent(this.down) / Math.max(1, this.element.clientHeight)) || 1;
  }

  private draw(): void {
    const series = this.series.value;
    const [width, height] = [this.element.clientWidth, this.element.clientHeight];
    if (!series || !width || !height) return;
    const [right, down] = [plus([0, 0, 0], this.right, this.mm), plus([0, 0, 0], this.down, this.mm)];
    const centre = plus(this.middle, this.normal(), this.depth - dot(this.middle, this.normal()));
    const origin = plus(plus(centre, right, -width / 2), down, -height / 2);
    const view: View = { origin, right, down, normal: unit(cross(right, down)), thickness_mm: this.reach().step, frame: series.frame };
    clearTimeout(this.clock);
    this.clock = window.setTimeout(() => void this.fetch(view, width, height), WAIT_MS);
  }

  private async fetch(view: View, width: number, height: number): Promise<void> {
    this.abort.abort();
    this.abort = new AbortController();
    const series = this.series.value!;
    const range = this.range.value!;
    const first = plus(plus(view.origin, view.right, 0.5), view.down, 0.5); // the middle of the first pixel
    const numbers = (vector: Point3) => vector.map((value) => value.toFixed(5)).join(",");
    const query = new URLSearchParams({ origin: numbers(first), right: numbers(view.right), down: numbers(view.down), width: String(width), height: String(height), low: String(range.lower), high: String(range.upper) });
    try {
      const answer = await fetch(`/api/studies/${series.study}/series/${series.uid}/plane.png?${query}`, { credentials: "same-origin", signal: AbortSignal.any([this.abort.signal, AbortSignal.timeout(DEADLINE_MS)]) });
      if (!answer.ok) throw new Error(((await answer.json()) as { error?: { what: string } }).error?.what ?? `the server answered ${answer.status}`);
      const picture = await createImageBitmap(await answer.blob());
      [this.canvas.width, this.canvas.height] = [width, height];
      const pen = this.canvas.getContext("2d")!;
      pen.filter = this.inverted !== series.inverse ? "invert(1)" : "none";
      pen.drawImage(picture, 0, 0);
      this.view.value = view;
      this.state.value = { at: "there" };
    } catch (error) {
      if ((error as Error).name !== "AbortError") this.state.value = { at: "failed", words: wordsOf(error) };
    }
  }
}

function axes(plane: Plane): [right: Point3, down: Point3] {
  const { towards, up } = looks[plane];
  return [unit(cross(up, towards)), minus([0, 0, 0], up)];
}
