import { batch, computed, effect, signal, untracked } from "@preact/signals";
import type { ComponentType } from "preact";
import { Cine } from "./cine";
import { wordsOf } from "./deadline";
import { hand, Mouse, tool } from "./mouse";
import { type Plane, PlaneView } from "./plane";
import { type Preset, presetsOf } from "./presets";
import { type Loaded, loadSeries } from "./series";
import { StackView } from "./stack";
import type { Point3, Range, Viewport } from "./viewport";
import { SeriesVolume } from "./volume";

/** What one place of the light box shows. */
export interface Cell {
  kind: "stack" | "plane";
  study: string;
  series: string;
  plane?: Plane;
  window?: { centre: number; width: number } | null;
  /** The image to begin with; else the middle one. */
  at?: { sop: string; frame: number };
}

export type Layout = "1x1" | "1x2" | "2x2" | "planes";

/** A drawing over every viewport (see viewport.ts). */
export type Layer = ComponentType<{ viewport: Viewport }>;

const sizes: Record<Layout, number> = { "1x1": 1, "1x2": 2, "2x2": 4, planes: 4 };

/** The light box: which viewports there are, what hangs in each, which one the keys act on, and what goes through them together. */
export class Lightbox {
  readonly layout = signal<Layout>("1x1");
  readonly cells = signal<Cell[]>([]);
  /** One for each cell whose element is there, in the order of the cells. */
  readonly viewports = signal<Viewport[]>([]);
  readonly activeNumber = signal(0);
  readonly active = computed<Viewport | null>(() => this.viewports.value[this.activeNumber.value] ?? this.viewports.value[0] ?? null);
  readonly layers = signal<Layer[]>([]);
  /** The point of the patient that the planes go through (mm). */
  readonly point = signal<Point3 | null>(null);
  readonly cine = new Cine();
  readonly tool = tool;
  readonly hand = hand;
  /** Why a cell is empty, by its number. */
  readonly trouble = signal<ReadonlyMap<number, string>>(new Map());

  private readonly mounted = new Map<number, Viewport>();
  private readonly kept = new Map<string, Promise<Loaded>>();
  private readonly volumes = new Map<string, Promise<SeriesVolume>>();
  private readonly hung = new Map<Viewport, Cell>();

  /** Draw over every viewport; the answer takes the drawing away. */
  addLayer(layer: Layer): () => void {
    this.layers.value = [...this.layers.peek(), layer];
    return () => (this.layers.value = this.layers.peek().filter((one) => one !== layer));
  }

  /** Hang a list of cells. */
  hang(layout: Layout, cells: Cell[]): void {
    batch(() => {
      this.layout.value = layout;
      this.cells.value = cells.slice(0, sizes[layout]);
      this.activeNumber.value = Math.min(this.activeNumber.peek(), this.cells.value.length - 1);
    });
  }

  choose(number: number): void {
    if (this.activeNumber.peek() !== number) this.activeNumber.value = number;
  }

  /** Put another series into one place. */
  put(number: number, cell: Cell): void {
    this.cells.value = this.cells.peek().map((one, i) => (i === number ? cell : one));
  }

  /** The stack that shows a series, if one does. */
  stackOf(series: string): StackView | null {
    return this.viewports.value.find((one): one is StackView => one instanceof StackView && one.series.value?.uid === series) ?? null;
  }

  load(study: string, series: string): Promise<Loaded> {
    let loaded = this.kept.get(series);
    if (!loaded) {
      loaded = loadSeries(study, series);
      loaded.catch(() => this.kept.delete(series));
      this.kept.set(series, loaded);
    }
    return loaded;
  }

  volume(series: Loaded): Promise<SeriesVolume> {
    let volume = this.volumes.get(series.uid);
    if (!volume) {
      if (series.noVolume) return Promise.reject(new Error(series.noVolume));
      volume = new SeriesVolume(series).begin();
      volume.catch(() => this.volumes.delete(series.uid));
      this.volumes.set(series.uid, volume);
    }
    return volume;
  }

  /** A cell has its element: a viewport comes to life in it, and follows what the cell says. */
  mount(number: number, kind: Cell["kind"], plane: Plane | undefined, element: HTMLDivElement): () => void {
    const view = kind === "stack" ? new StackView(element) : new PlaneView(element, plane ?? "axial");
    if (view instanceof PlaneView) view.pointed = (point) => this.go(point);
    const mouse = new Mouse(view, () => this.choose(number));
    this.mounted.set(number, view);
    this.publish();
    const forget = effect(() => {
      const cell = this.cells.value[number];
      if (cell?.kind === kind && cell.plane === plane) untracked(() => void this.fill(number, view, cell));
    });
    const share = effect(() => {
      const [range, series] = [view.range.value, view.series.peek()?.uid];
      if (range) untracked(() => this.viewports.peek().forEach((one) => one !== view && one.series.peek()?.uid === series && !sameRange(one.range.peek(), range) && one.setRange(range)));
    });
    return () => {
      forget();
      share();
      mouse.destroy();
      view.destroy();
      this.hung.delete(view);
      if (this.mounted.get(number) === view) this.mounted.delete(number);
      this.publish();
    };
  }

  /** All planes through this point of the patient, and every stack of the same space to its nearest image. */
  go(point: Point3, frame = this.active.peek()?.series.peek()?.frame): void {
    this.point.value = point;
    for (const one of this.viewports.peek()) if (!frame || one.series.peek()?.frame === frame) one.go(point);
  }

  /** To a series, wherever it hangs; where it does not, into the active place. */
  async show(cell: Cell): Promise<void> {
    const here = this.stackOf(cell.series);
    const number = here ? this.viewports.peek().indexOf(here) : Math.max(0, this.activeNumber.peek());
    if (here) {
      this.choose(number);
      return cell.at && here.at(pictureAt(here.series.peek()!, cell.at));
    }
    if (this.cells.peek()[number]?.kind === "stack" && this.layout.peek() !== "planes") this.put(number, cell);
    else this.hang("1x1", [cell]);
  }

  /** From one layout to the next; `series` are those that may be hung beside the one in hand. */
  nextLayout(series: Cell[]): void {
    const first = this.cells.peek()[Math.max(0, this.activeNumber.peek())];
    if (!first) return;
    const shown: Cell = { ...first, kind: "stack", plane: undefined, at: undefined };
    const others = [shown, ...series.filter((one) => one.series !== shown.series)];
    const fits = (Object.keys(sizes) as Layout[]).filter((layout) => layout === "1x1" || (layout === "planes" ? this.canCut(shown.series) : others.length >= sizes[layout] - (layout === "2x2" ? 1 : 0)));
    const next = fits[(fits.indexOf(this.layout.peek()) + 1) % fits.length]!;
    this.hang(next, next === "planes" ? cut(shown) : others);
    this.activeNumber.value = 0;
  }

  /** Three planes through the series in hand beside its images; the same again takes them away. */
  togglePlanes(): void {
    const first = this.cells.peek()[Math.max(0, this.activeNumber.peek())];
    if (!first) return;
    const shown: Cell = { ...first, kind: "stack", plane: undefined, at: undefined };
    if (this.layout.peek() === "planes") this.hang("1x1", [shown]);
    else if (this.canCut(shown.series)) this.hang("planes", cut(shown));
  }

  private canCut(series: string): boolean {
    const loaded = this.viewports.peek().find((one) => one.series.peek()?.uid === series)?.series.peek();
    return !!loaded && !loaded.noVolume;
  }

  /** A window for the active viewport and all that show the same series. */
  window(preset: Preset): void {
    const active = this.active.peek();
    const range = preset.centre !== null && preset.width !== null ? { lower: preset.centre - preset.width / 2, upper: preset.centre + preset.width / 2 } : active?.sent?.();
    if (range) active?.setRange(range);
  }

  end(): void {
    this.cine.stop();
    for (const volume of this.volumes.values()) void volume.then((one) => one.drop(), () => undefined); // one that never came has nothing to drop
    this.volumes.clear();
    hand.value = null;
  }

  private publish(): void {
    this.viewports.value = [...this.mounted.entries()].sort((a, b) => a[0] - b[0]).map(([, view]) => view);
  }

  private async fill(number: number, view: StackView | PlaneView, cell: Cell): Promise<void> {
    const before = this.hung.get(view);
    if (before?.series === cell.series && before.at === cell.at) return; // it hangs there already
    this.hung.set(view, cell);
    const current = () => this.hung.get(view) === cell;
    this.say(number, "");
    try {
      const series = await this.load(cell.study, cell.series);
      if (!current()) return;
      const range = opening(cell, series);
      if (view instanceof StackView) {
        await view.show(series, cell.at ? pictureAt(series, cell.at) : middle(series));
        if (range && current()) view.setRange(range);
      } else {
        const volume = await this.volume(series);
        this.point.value ??= volume.middle();
        if (current()) await view.show(volume, this.rangeOf(series.uid) ?? range, this.point.peek());
      }
    } catch (error) {
      if (!current()) return;
      this.hung.delete(view);
      this.say(number, wordsOf(error));
    }
  }

  again(number: number): void {
    const [view, cell] = [this.mounted.get(number), this.cells.peek()[number]];
    if (cell && (view instanceof StackView || view instanceof PlaneView)) {
      this.hung.delete(view);
      void this.fill(number, view, cell);
    }
  }

  private rangeOf(series: string): Range | null {
    return this.viewports.peek().find((one) => one.series.peek()?.uid === series && one.range.peek())?.range.peek() ?? null;
  }

  private say(number: number, words: string): void {
    const next = new Map(this.trouble.peek());
    if (words) next.set(number, words);
    else next.delete(number);
    this.trouble.value = next;
  }
}

function cut(shown: Cell): Cell[] {
  return [shown, ...(["axial", "sagittal", "coronal"] as const).map((plane): Cell => ({ ...shown, kind: "plane", plane }))];
}

/** The window to open with: what the hanging says, else the first preset, else what the image says itself. */
function opening(cell: Cell, series: Loaded): Range | null {
  const window = cell.window ?? presetsOf(series.modality)[0];
  if (!window || window.centre === null || window.width === null) return null;
  return { lower: window.centre - window.width / 2, upper: window.centre + window.width / 2 };
}

function sameRange(a: Range | null, b: Range): boolean {
  return !!a && Math.abs(a.lower - b.lower) < 1e-6 && Math.abs(a.upper - b.upper) < 1e-6;
}

function pictureAt(series: Loaded, at: { sop: string; frame: number }): number {
  return Math.max(0, series.pictures.findIndex((one) => one.sop === at.sop && one.frame === at.frame));
}

function middle(series: Loaded): number {
  const { pictures, phases } = series;
  return phases > 1 ? Math.floor(pictures.length / phases / 2) * phases : Math.floor((pictures.length - 1) / 2);
}
