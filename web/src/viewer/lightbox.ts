import { batch, computed, effect, signal, untracked } from "@preact/signals";
import type { ComponentType } from "preact";
import { BodyView } from "./body";
import { Cine } from "./cine";
import { CrossHand } from "./cross";
import { wordsOf } from "./deadline";
import { type Join, joinOf, wayBy } from "./joins";
import { Links } from "./links";
import { hand, Mouse, tool } from "./mouse";
import { type Blend, type Plane, PlaneView } from "./plane";
import { type Preset, presetsOf } from "./presets";
import type { Loaded } from "./series";
import { ServerView } from "./server-plane";
import { Shelf } from "./shelf";
import { nearestPicture, StackView } from "./stack";
import { canDrawVolumes, onLost } from "./start";
import { Tint } from "./tint";
import { type Point3, type Range, toPatient, type Viewport } from "./viewport";

/** What one place of the light box shows. */
export interface Cell {
  kind: "stack" | "plane" | "volume";
  study: string;
  series: string;
  plane?: Plane;
  /** Another series, drawn over the plane in colour. */
  over?: string;
  /** The earlier study that it is of; else it is of this one. */
  overOf?: string;
  /** Of an earlier study. */
  prior?: boolean;
  window?: { centre: number; width: number } | null;
  /** The image to begin with; else the middle one. */
  at?: { sop: string; frame?: number };
}

/** `beside`: three planes, and below them the same planes through an earlier study. */
export type Layout = "1x1" | "1x2" | "2x2" | "planes" | "beside";

/** A drawing over every viewport (see viewport.ts). */
export type Layer = ComponentType<{ viewport: Viewport }>;

export const sizes: Record<Layout, number> = { "1x1": 1, "1x2": 2, "2x2": 4, planes: 4, beside: 6 };
/** So long the first image may keep everything else waiting. */
const IMAGE_FIRST_MS = 1000;
/** So long nothing more of a series may come until its planes go through what has come: each time is a whole new volume. */
const QUIET_MS = 2500;
const PLANES = ["axial", "sagittal", "coronal"] as const;
const BLENDS: (Blend | null)[] = [null, "mip", "mean", "minip"];

type View = StackView | PlaneView | ServerView | BodyView;

/** The light box: which viewports there are, what hangs in each, which one the keys act on, and what goes through them together. */
export class Lightbox {
  readonly layout = signal<Layout>("1x1");
  readonly cells = signal<Cell[]>([]);
  /** One for each cell whose element is there, in the order of the cells. */
  readonly viewports = signal<Viewport[]>([]);
  readonly activeNumber = signal(0);
  readonly active = computed<Viewport | null>(() => this.viewports.value[this.activeNumber.value] ?? this.viewports.value[0] ?? null);
  readonly layers = signal<Layer[]>([]);
  /** The point of the patient that the planes go through (mm), and the frame of reference in which it is told. */
  readonly point = signal<Point3 | null>(null);
  private pointFrame = "";
  /** What joins two frames of reference: kept with the study, or proposed and not yet accepted. */
  readonly joins = signal<readonly Join[]>([]);
  readonly cine = new Cine();
  readonly links = new Links(this.joins);
  readonly tool = tool;
  readonly hand = hand;
  readonly cross = new CrossHand(this);
  /** How thick the planes are, and what becomes of the voxels in them. */
  readonly slab = signal<{ blend: Blend; thickness_mm: number } | null>(null);
  readonly thickness_mm = signal(10);
  /** How what lies over the planes is coloured. */
  readonly tint = new Tint();
  /** Why a cell is empty, or lacks what should lie over it, by its number. */
  readonly trouble = signal<ReadonlyMap<number, string>>(new Map());
  readonly refusals = signal<ReadonlyMap<number, string>>(new Map());

  /** Two series that were to be laid over one another and share no space. */
  readonly apart = signal<{ fixed: Loaded; moving: Loaded } | null>(null);

  /** What was fetched of series, and the volumes made of them. */
  readonly shelf = new Shelf((before, series) => this.grow(before, series));

  private readonly drawn: Promise<void>;
  private firstDrawn: () => void = () => undefined;

  private readonly mounted = new Map<number, View>();
  private readonly quiet = new Map<string, number>();
  private readonly hung = new Map<Viewport, Cell>();
  /** How what hung in a lost drawing context lay. */
  private readonly layIn = new WeakMap<Cell, (again: Viewport) => void>();
  private readonly forgets = [this.links.start(() => this.active.value, () => this.viewports.peek()), this.together(), this.carryPoint(), this.alongside(), onLost((another) => void this.anew(another))];

  constructor() {
    this.drawn = new Promise((resolve) => (this.firstDrawn = resolve));
  }

  /** Draw over every viewport; the answer takes the drawing away. */
  addLayer(layer: Layer): () => void {
    this.layers.value = [...this.layers.peek(), layer];
    return () => (this.layers.value = this.layers.peek().filter((one) => one !== layer));
  }

  /** Hang a list of cells. */
  hang(layout: Layout, cells: Cell[]): void {
    batch(() => {
      this.say(this.refusals, 0, "");
      this.layout.value = layout;
      this.cells.value = cells.slice(0, sizes[layout]);
      this.activeNumber.value = Math.max(0, Math.min(this.activeNumber.peek(), this.cells.value.length - 1));
    });
  }

  choose(number: number): void {
    if (this.activeNumber.peek() !== number) this.activeNumber.value = number;
  }

  /** Put another series into one place. */
  put(number: number, cell: Cell): void {
    this.cells.value = this.cells.peek().map((one, i) => (i === number ? cell : one));
  }

  /** In which place a viewport stands. */
  numberOf(view: Viewport): number {
    return [...this.mounted].find(([, one]) => one === view)?.[0] ?? 0;
  }

  /** How what hangs in a place is to lie: at once where it is there, else once it is. */
  layAs(number: number, how: (view: Viewport) => void): void {
    const cell = this.cells.peek()[number];
    const view = this.mounted.get(number);
    if (!cell) return;
    const hung = view && this.hung.get(view);
    const same = hung && hung.series === cell.series && hung.kind === cell.kind && hung.plane === cell.plane;
    if (same && view.state.peek().at === "there") how(view);
    else this.layIn.set(same ? hung : cell, how);
  }

  /** The stack that shows a series, if one does. */
  stackOf(series: string): StackView | null {
    return this.viewports.value.find((one): one is StackView => one instanceof StackView && one.series.value?.uid === series) ?? null;
  }

  /** When the first image is on screen, or it is said why there is none; what can wait waits for it, and no longer than a second. */
  soon(): Promise<void> {
    return Promise.race([this.drawn, new Promise<void>((resolve) => setTimeout(resolve, IMAGE_FIRST_MS))]);
  }

  /** Fetch the first image of what will hang. */
  prepare(cell: Cell): void {
    this.shelf.load(cell.study, cell.series).then((series) => series.prefetch([cell.at ? pictureAt(series, cell.at) : this.beginning(series)]), () => undefined); // whoever hangs it hears why
  }

  /** More of a series is here than what hangs may show. */
  private grow(before: Loaded, series: Loaded): void {
    for (const one of this.viewports.peek()) if (one instanceof StackView && one.series.peek() === before) void one.grow(series);
    clearTimeout(this.quiet.get(series.uid));
    this.quiet.set(series.uid, window.setTimeout(() => this.recut(series), QUIET_MS));
  }

  /** No more has come of a series for a while: its planes go through all of it. */
  private recut(series: Loaded): void {
    this.cells.peek().forEach((cell, number) => {
      const view = this.mounted.get(number);
      const before = view instanceof PlaneView ? view.volume.peek() : null;
      if (!(view instanceof PlaneView) || !before || before.series.uid !== series.uid || before.series === series || cell.over) return;
      void this.shelf.volume(series).then((volume) => view.show(volume, view.range.peek(), this.pointIn(series.frame)), (error: unknown) => this.say(this.trouble, number, wordsOf(error)));
    });
  }

  /** A cell has its element: a viewport comes to life in it, and follows what the cell says. */
  mount(number: number, kind: Cell["kind"], plane: Plane | undefined, element: HTMLDivElement): () => void {
    const view = kind === "stack" ? new StackView(element) : kind === "plane" ? canDrawVolumes() ? new PlaneView(element, plane ?? "axial") : new ServerView(element, plane ?? "axial") : new BodyView(element);
    if (view instanceof PlaneView || view instanceof ServerView) view.pointed = (point) => this.go(point);
    const mouse = new Mouse(view, () => this.choose(number));
    this.mounted.set(number, view);
    this.publish();
    const forgets = [
      effect(() => {
        const cell = this.cells.value[number];
        if (cell?.kind === kind && cell.plane === plane) untracked(() => void this.fill(number, view, cell));
      }),
      effect(() => {
        const [range, series] = [view.range.value, view.series.peek()?.uid];
        if (range) untracked(() => this.viewports.peek().forEach((one) => one !== view && one.series.peek()?.uid === series && !sameRange(one.range.peek(), range) && one.setRange(range)));
      }),
    ];
    return () => {
      for (const forget of forgets) forget();
      mouse.destroy();
      view.destroy();
      this.hung.delete(view);
      if (this.mounted.get(number) === view) this.mounted.delete(number);
      this.publish();
    };
  }

  /** All planes through this point of the patient, and every stack to its nearest image, where it lies in the same space or a registration joins them. */
  go(point: Point3, frame = this.active.peek()?.series.peek()?.frame ?? ""): void {
    this.place(point, frame);
    for (const one of this.viewports.peek()) {
      const there = this.pointIn(one.series.peek()?.frame ?? "");
      if (there && !(one instanceof PlaneView && one.follows)) one.go(there); // what follows goes to where the other plane came to lie
    }
  }

  /** The point that the planes share, in a frame of reference; null where there is none, or nothing joins it to the frame in which it is told. */
  pointIn(frame: string): Point3 | null {
    const point = this.point.value;
    if (!point || !this.pointFrame || this.pointFrame === frame) return point;
    const join = joinOf(this.joins.value, this.pointFrame, frame);
    return join && wayBy(join, this.pointFrame).point(point);
  }

  /** Planes that come go through this point. */
  through(point: Point3, frame: string): void {
    this.place(point, frame);
  }

  private place(point: Point3, frame: string): void {
    this.pointFrame = frame;
    this.point.value = point;
  }

  /** To a series, wherever it hangs; where it does not, into the active place. */
  async show(cell: Cell): Promise<void> {
    const here = this.stackOf(cell.series);
    if (here) {
      this.choose(this.viewports.peek().indexOf(here));
      return cell.at && here.at(pictureAt(here.series.peek()!, cell.at));
    }
    const number = Math.max(0, this.activeNumber.peek());
    if (this.cells.peek()[number]?.kind === "stack" && this.layout.peek() !== "planes") this.put(number, cell);
    else this.hang("1x1", [cell]);
  }

  /** From one layout to the next; `series` are those that may be hung beside the one in hand. */
  nextLayout(series: Cell[]): void {
    const shown = this.inHand();
    if (!shown) return;
    const others = [shown, ...series.filter((one) => one.series !== shown.series)];
    const fits: Layout[] = (Object.keys(sizes) as Layout[]).filter((layout) => layout !== "beside").filter((layout) => layout === "1x1" || (layout === "planes" ? this.canCut(shown.series) : others.length >= sizes[layout] - (layout === "2x2" ? 1 : 0)));
    const next = fits[(fits.indexOf(this.layout.peek()) + 1) % fits.length]!;
    this.activeNumber.value = 0;
    this.hang(next, next === "planes" ? cut(shown) : others);
  }

  /** Three planes through the series in hand beside its images; with an earlier study beside that lies in its space or is registered, the same planes through both. The same again takes them away. */
  togglePlanes(): void {
    const shown = this.inHand();
    if (!shown) return;
    const pair = this.pairBeside();
    if (pair && this.layout.peek() === "beside") return this.hang("1x2", pair);
    if (this.layout.peek() === "planes") return this.hang("1x1", [shown]);
    const refusal = pair && this.refusedBeside(pair);
    if (pair && !refusal) return this.hang("beside", pair.flatMap((one) => cut(one).slice(1)));
    if (!this.canCut(shown.series)) return;
    this.hang("planes", cut(shown));
    this.say(this.refusals, 0, refusal ?? "");
  }

  /** Whether three planes hang, of one study or of two. */
  readonly cutting = computed(() => this.layout.value === "planes" || this.layout.value === "beside");

  /** A series of this study and one of an earlier study that hang beside one another, as stacks of their images. */
  private pairBeside(): Cell[] | null {
    const cells = this.cells.peek();
    const pair = [cells.find((one) => !one.prior), cells.find((one) => one.prior)].flatMap((one) => (one ? [asStack(one)] : []));
    return pair.length === 2 ? pair : null;
  }

  /** Why the planes of one cannot go through the other; null where they can. */
  private refusedBeside(pair: Cell[]): string | null {
    const [own, prior] = pair.map((cell) => this.viewports.peek().find((one) => one.series.peek()?.uid === cell.series)?.series.peek());
    if (!own || !prior) return "the earlier study has no planes here: its images have not come yet";
    if (own.noVolume || prior.noVolume) return `no planes through both: ${own.noVolume || prior.noVolume}`;
    if (!canDrawVolumes()) return "no WebGL in this browser: no planes through the earlier study";
    if (own.frame && own.frame === prior.frame) return null;
    return joinOf(this.joins.peek(), own.frame, prior.frame) ? null : "the earlier study has no planes here: nothing joins its space to this one; register it first, side by side";
  }

  /** The first place turns into a body to turn about, or back into images. */
  toggleBody(): void {
    const shown = this.inHand();
    if (!shown) return;
    const first = this.cells.peek()[0]!;
    if (first.kind === "volume") this.put(0, shown);
    else if (this.canCut(shown.series)) (this.put(0, { ...shown, kind: "volume" }), this.choose(0));
  }

  /** Another series over the planes in colour, of an earlier study where one is named; empty for none. */
  lay(over: string, overOf?: string): void {
    const shown = this.inHand();
    if (shown) this.hang("planes", cut(shown).map((one) => (one.kind === "plane" && over ? { ...one, over, overOf } : one)));
  }

  /** The series that is to lie over the planes, whether it can or not; empty for none. */
  readonly laidOver = computed(() => this.cells.value.find((one) => one.over)?.over ?? "");

  /** Thin planes, then slabs: largest value, mean, smallest value, and thin again. */
  nextSlab(): void {
    if (!this.cutting.peek()) this.togglePlanes();
    const next = BLENDS[(BLENDS.indexOf(this.slab.peek()?.blend ?? null) + 1) % BLENDS.length]!;
    this.slab.value = next && { blend: next, thickness_mm: this.thickness_mm.peek() };
  }

  setThickness(mm: number): void {
    this.thickness_mm.value = mm;
    const slab = this.slab.peek();
    if (slab) this.slab.value = { ...slab, thickness_mm: mm };
  }

  /** A window for the active viewport and all that show the same series. */
  window(preset: Preset): void {
    const active = this.active.peek();
    const range = preset.centre !== null && preset.width !== null ? { lower: preset.centre - preset.width / 2, upper: preset.centre + preset.width / 2 } : active?.sent();
    if (range) active?.setRange(range);
  }

  /** Pin the pair as it stands, or let it go. */
  pin(): void {
    const active = this.active.peek();
    if (active) this.links.pin(active, this.viewports.peek());
  }

  toggleCross(): void {
    this.hand.value = this.hand.peek() === this.cross ? null : this.cross;
    if (this.hand.peek() && !this.cutting.peek() && !this.cells.peek().some((one) => one.prior)) this.togglePlanes(); // with an earlier study beside, the point goes through both
  }

  again(number: number): void {
    const [view, cell] = [this.mounted.get(number), this.cells.peek()[number]];
    if (cell && view) {
      this.hung.delete(view);
      void this.fill(number, view, cell);
    }
  }

  /** Other registrations than before: what lies over the planes is laid anew. */
  join(joins: readonly Join[]): void {
    this.joins.value = joins;
    this.shelf.forgetKept();
    this.cells.peek().forEach((cell, number) => {
      const view = this.mounted.get(number);
      const series = view?.series.peek();
      if (!cell.over || !series || !(view instanceof PlaneView) || view.state.peek().at !== "there") return; // one that is still loading takes them when it is there
      this.fuse(number, view, cell, series).catch((error: unknown) => this.say(this.refusals, number, wordsOf(error)));
    });
  }

  end(): void {
    this.cine.stop();
    for (const forget of this.forgets) forget();
    for (const clock of this.quiet.values()) clearTimeout(clock);
    this.shelf.dropVolumes();
    hand.value = null;
  }

  /** The drawing context was lost: every viewport lets go, and hangs again at its image and in its window when another one serves. */
  private async anew(another: Promise<void>): Promise<void> {
    this.cine.stop();
    const [layout, number, views] = [this.layout.peek(), this.activeNumber.peek(), this.mounted];
    const cells = this.cells.peek().map((cell, i) => asItHangs(cell, views.get(i)));
    cells.forEach((cell, i) => {
      const lies = this.hung.get(views.get(i)!) && views.get(i)!.lies();
      if (lies) this.layIn.set(cell, lies);
    });
    this.cells.value = [];
    this.shelf.dropVolumes();
    await another;
    batch(() => {
      this.hang(layout, cells);
      this.activeNumber.value = number;
    });
  }

  /** The series in hand as a stack of its images. */
  private inHand(): Cell | null {
    const cell = this.cells.peek()[Math.max(0, this.activeNumber.peek())];
    return cell ? asStack(cell) : null;
  }

  canCut(series: string): boolean {
    const loaded = this.viewports.value.find((one) => one.series.value?.uid === series)?.series.value;
    return !!loaded && !loaded.noVolume;
  }

  private publish(): void {
    this.viewports.value = [...this.mounted.entries()].sort((a, b) => a[0] - b[0]).map(([, view]) => view);
  }

  /** Slab and colours are the same in all planes. */
  private together(): () => void {
    return effect(() => {
      const [slab, tint] = [this.slab.value, this.tint];
      const [opacity, threshold] = [tint.opacity.value, tint.threshold.value];
      void tint.range.value;
      for (const one of this.viewports.value) {
        if (!(one instanceof PlaneView) || one.state.value.at !== "there") continue;
        untracked(() => {
          const { blend, thickness_mm } = one.slab.peek() ?? {};
          if (blend !== slab?.blend || thickness_mm !== slab?.thickness_mm) one.setSlab(slab);
          const fused = one.fused.peek();
          const range = fused && tint.rangeOf(fused.volume.series.uid.split("/")[0]!, fused.range);
          if (fused && range && (fused.opacity !== opacity || fused.threshold !== threshold || !sameRange(fused.range, range))) void one.fuse({ ...fused, opacity, threshold, range });
        });
      }
    });
  }

  /** The planes through an earlier study lie as those of this one do, at the same place of the patient and at the same angle. */
  private alongside(): () => void {
    return effect(() => {
      if (this.layout.value !== "beside") return;
      const [planes, active] = [this.viewports.value.filter((one): one is PlaneView => one instanceof PlaneView), this.active.value];
      void this.joins.value;
      for (const follower of planes.filter((one) => this.ofPrior(one))) {
        const lead = planes.find((one) => one.plane === follower.plane && !this.ofPrior(one));
        if (!lead?.view.value || lead.state.value.at !== "there" || follower.state.value.at !== "there") continue;
        untracked(() => {
          const way = this.links.on.peek() ? this.links.way(lead, follower) : null;
          if (!way) return;
          const { towards, up, centre, oblique } = lead.stance();
          follower.follow({ towards: way.along(towards), up: way.along(up), oblique, centre: follower === active ? null : way.point(centre) }); // what is scrolled leads
        });
      }
    });
  }

  private ofPrior(view: View): boolean {
    const number = [...this.mounted].find(([, one]) => one === view)?.[0] ?? -1;
    return !!this.cells.value[number]?.prior;
  }

  /** The point that the planes share stays in the plane that is scrolled. */
  private carryPoint(): () => void {
    return effect(() => {
      const active = this.active.value;
      const view = active instanceof PlaneView ? active.view.value : null;
      const point = view && untracked(() => this.pointIn(view.frame));
      if (!view || !point) return;
      const away = (view.origin[0] - point[0]) * view.normal[0] + (view.origin[1] - point[1]) * view.normal[1] + (view.origin[2] - point[2]) * view.normal[2];
      if (Math.abs(away) > 0.01) this.place([point[0] + away * view.normal[0], point[1] + away * view.normal[1], point[2] + away * view.normal[2]], view.frame);
    });
  }

  private async fill(number: number, view: View, cell: Cell): Promise<void> {
    const before = this.hung.get(view);
    if (before?.series === cell.series && before.at === cell.at && before.over === cell.over) return; // it hangs there already
    this.hung.set(view, cell);
    const current = () => this.hung.get(view) === cell;
    this.say(this.trouble, number, "");
    try {
      const series = await this.shelf.load(cell.study, cell.series);
      if (!current()) return;
      const range = this.rangeOf(series.uid) ?? opening(cell, series);
      if (view instanceof StackView) {
        await view.show(series, cell.at ? pictureAt(series, cell.at) : this.beginning(series));
        if (range && current()) view.setRange(range);
        if (current()) this.lieAgain(view, cell);
        requestAnimationFrame(() => this.firstDrawn());
        return;
      }
      if (view instanceof ServerView) {
        if (series.noVolume) throw new Error(series.noVolume);
        if (cell.over) this.say(this.refusals, number, "no WebGL in this browser: nothing can be laid over");
        return view.show(series, range, this.pointIn(series.frame));
      }
      const volume = await this.shelf.volume(series);
      if (!current()) return;
      if (view instanceof BodyView) {
        await view.show(volume);
        return current() ? this.lieAgain(view, cell) : undefined;
      }
      if (!this.pointIn(series.frame)) this.place(volume.middle(), series.frame);
      if (before?.series !== cell.series) await view.show(volume, range, this.pointIn(series.frame));
      if (current()) this.lieAgain(view, cell);
      if (current()) await this.fuse(number, view, cell, series);
    } catch (error) {
      this.firstDrawn();
      if (!current()) return;
      this.hung.delete(view);
      this.say(this.trouble, number, wordsOf(error));
    }
  }

  /** Once, as what hung here lay in a drawing context that was lost: zoomed, moved, turned, tilted. */
  private lieAgain(view: View, cell: Cell): void {
    this.layIn.get(cell)?.(view);
    this.layIn.delete(cell);
  }

  /** Colours over a plane, where both series share a frame of reference or a registration joins them; else the refusal in words. */
  private async fuse(number: number, view: PlaneView, cell: Cell, series: Loaded): Promise<void> {
    this.say(this.refusals, number, "");
    if (!cell.over) return (this.apart.value = null), view.fuse(null);
    const uid = cell.over;
    const own = await this.shelf.load(cell.overOf ?? cell.study, uid);
    const join = own.frame === series.frame ? null : joinOf(this.joins.peek(), own.frame, series.frame);
    this.apart.value = !join && (!series.frame || own.frame !== series.frame) ? { fixed: series, moving: own } : null;
    if (this.apart.peek()) {
      await view.fuse(null);
      return this.say(this.refusals, number, `${cell.overOf ? "the earlier " : ""}${own.modality} and ${series.modality} do not share a frame of reference: register them, or read them side by side`);
    }
    if (own.noVolume) return this.say(this.refusals, number, `${own.modality} cannot be laid over: ${own.noVolume}`);
    const by = join?.proposal ?? "kept";
    const over = join ? await this.shelf.laid(cell.study, uid, series.uid, by) : own;
    const volume = await this.shelf.volume(over);
    if (this.cells.peek()[number] !== cell || (join && !this.joins.peek().includes(join))) return; // something else hangs here by now, or another registration holds
    this.tint.wear(uid, over.modality, opening({ ...cell, window: null }, over) ?? over.sent ?? { lower: 0, upper: 5 });
    await view.fuse({ volume, ...this.tint.worn(), join });
  }

  /** Where a stack begins: at the place that is looked at already, else in its middle. */
  private beginning(series: Loaded): number {
    const active = this.active.peek();
    const view = active?.view.peek();
    if (active && view && series.frame && active.series.peek()?.frame === series.frame && active.series.peek()?.uid !== series.uid) {
      const at = nearestPicture(series, toPatient(view, active.element.clientWidth / 2, active.element.clientHeight / 2));
      if (at >= 0) return at;
    }
    const { pictures, phases } = series;
    return phases > 1 ? Math.floor(pictures.length / phases / 2) * phases : Math.floor((pictures.length - 1) / 2);
  }

  private rangeOf(series: string): Range | null {
    return this.viewports.peek().find((one) => one.series.peek()?.uid === series && one.range.peek())?.range.peek() ?? null;
  }

  private say(where: typeof this.trouble, number: number, words: string): void {
    if ((where.peek().get(number) ?? "") === words) return;
    const next = new Map(where.peek());
    if (words) next.set(number, words);
    else next.delete(number);
    where.value = next;
  }
}

/** A cell with the image and the window that are on screen in it now. */
function asItHangs(cell: Cell, view: View | undefined): Cell {
  const [range, picture] = [view?.range.peek(), view instanceof StackView ? view.picture.peek() : null];
  const window = range ? { centre: (range.lower + range.upper) / 2, width: range.upper - range.lower } : cell.window;
  return { ...cell, window, at: picture ? { sop: picture.sop, frame: picture.frame } : cell.at };
}

/** The same series as a stack of its images. */
function asStack(cell: Cell): Cell {
  return { ...cell, kind: "stack", plane: undefined, over: undefined, overOf: undefined, at: undefined };
}

export function cut(shown: Cell): Cell[] {
  return [shown, ...PLANES.map((plane): Cell => ({ ...shown, kind: "plane", plane }))];
}

/** The window to open with: what the hanging says, else the first preset, else what the image says itself. */
function opening(cell: Cell, series: Loaded): Range | null {
  const window = cell.window ?? presetsOf(series.modality, series.unit)[0];
  if (!window || window.centre === null || window.width === null) return null;
  return { lower: window.centre - window.width / 2, upper: window.centre + window.width / 2 };
}

function sameRange(a: Range | null, b: Range): boolean {
  return !!a && Math.abs(a.lower - b.lower) < 1e-6 && Math.abs(a.upper - b.upper) < 1e-6;
}

function pictureAt(series: Loaded, at: { sop: string; frame?: number }): number {
  return Math.max(0, series.pictures.findIndex((one) => one.sop === at.sop && one.frame === (at.frame ?? 0)));
}
