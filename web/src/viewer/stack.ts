import * as core from "@cornerstonejs/core";
import { batch, computed, signal } from "@preact/signals";
import { within, wordsOf } from "./deadline";
import { greyImages } from "./greys";
import type { Loaded, Picture } from "./series";
import { engine, start } from "./start";
import { type Affine, cross, fromPixel, type Point2, type Point3, plus, type Range, type Shown, toCanvas, toPixel, type Turn, turnsOf, unit, type View, type Viewport, type ViewState } from "./viewport";

let serial = 0;

/** Images of 512 x 512 in two bytes that may wait in memory: a quarter of a gigabyte. */
const PREFETCHED = 480;
/** So many of them are asked for at once: two answers where images have 512 x 512 pixels of two bytes. */
const STRETCH = 96;

/** One viewport on a stack of stored images. It owns its element; what panels need to know it publishes as signals. */
export class StackView implements Viewport {
  readonly id = `stack-${++serial}`;
  readonly kind = "stack";
  readonly state = signal<ViewState>({ at: "empty" });
  readonly index = signal(0);
  readonly picture = signal<Picture | null>(null);
  readonly affine = signal<Affine | null>(null);
  readonly size = signal<[columns: number, rows: number]>([0, 0]);
  readonly range = signal<Range | null>(null);
  readonly inverted = signal(false);
  readonly series = signal<Loaded | null>(null);
  readonly reduced = signal("");
  readonly name = computed(() => this.series.value?.modality ?? "");
  readonly count = computed(() => this.series.value?.pictures.length ?? 0);
  readonly image = computed<Shown | null>(() => {
    const [picture, affine, [columns, rows]] = [this.picture.value, this.affine.value, this.size.value];
    return picture && affine ? { picture, affine, columns, rows, spacing_mm: picture.spacing_mm } : null;
  });
  readonly view = computed<View | null>(() => (this.image.value ? viewOf(this.image.value, this.series.value?.frame ?? "") : null));

  private enabled = false;
  private moved = false;
  private cameInverted = false;
  private readonly resized = new ResizeObserver(() => this.fit());
  private turns = 0;
  private stated: Range | null = null;

  constructor(readonly element: HTMLDivElement) {}

  async show(series: Loaded, index = 0): Promise<void> {
    const turn = ++this.turns;
    batch(() => {
      this.state.value = { at: "loading", words: `image ${index + 1} of ${series.pictures.length}` };
      this.affine.value = null;
      this.picture.value = null;
      this.series.value = series;
      this.index.value = index;
    });
    try {
      const viewport = await this.viewport();
      if (turn !== this.turns) return;
      await within(25, "The image", viewport.setStack(series.pictures.map((one) => one.imageId), index));
      if (turn !== this.turns) return;
      viewport.resetCamera();
      viewport.render();
      this.moved = false;
      this.cameInverted = !!viewport.getProperties().invert;
      this.stated = viewport.getProperties().voiRange ?? null;
      batch(() => {
        this.range.value = this.stated;
        this.inverted.value = !!viewport.getProperties().invert;
        this.state.value = { at: "there" };
      });
      this.fit();
      void this.fetchOn(series, index, turn);
    } catch (error) {
      if (turn === this.turns) this.state.value = { at: "failed", words: wordsOf(error) };
    }
  }

  /** The same series with more pictures: the one on screen stays, as it lies and in its window. */
  async grow(series: Loaded): Promise<void> {
    const [viewport, here, range] = [this.current(), this.picture.peek(), this.range.peek()];
    if (!viewport || !here || this.state.peek().at !== "there") return this.show(series, Math.min(this.index.peek(), series.pictures.length - 1));
    const turn = ++this.turns;
    const index = Math.max(0, series.pictures.findIndex((one) => one.key === here.key));
    const lies = viewport.getViewPresentation();
    try {
      await within(25, "The image", viewport.setStack(series.pictures.map((one) => one.imageId), index));
      if (turn !== this.turns) return;
      viewport.setViewPresentation(lies);
      batch(() => {
        this.series.value = series;
        this.index.value = index;
      });
      viewport.setProperties({ invert: this.inverted.peek(), ...(range && { voiRange: range }) });
      viewport.render();
      this.drawn();
      void this.fetchOn(series, index, turn);
    } catch (error) {
      if (turn === this.turns) this.state.value = { at: "failed", words: wordsOf(error) };
    }
  }

  /** Fetch what may be asked for next, a stretch after the other, for as long as this series hangs here: another one needs the line and the processor. */
  private async fetchOn(series: Loaded, index: number, turn: number): Promise<void> {
    const order = outwards(index, series.pictures.length);
    for (let from = 0; from < order.length && turn === this.turns; from += STRETCH) await series.prefetch(order.slice(from, from + STRETCH));
  }

  /** To a picture of the stack, kept inside its ends. */
  async at(index: number): Promise<void> {
    const series = this.series.value;
    const viewport = this.current();
    if (!series || !viewport || this.state.value.at === "empty") return;
    const wanted = Math.min(series.pictures.length - 1, Math.max(0, index));
    this.index.value = wanted;
    const turn = this.turns;
    try {
      await within(25, `Image ${wanted + 1}`, viewport.setImageIdIndex(wanted));
      if (turn !== this.turns) return;
      if (this.state.value.at === "failed") this.state.value = { at: "there" };
      viewport.render();
    } catch (error) {
      if (turn === this.turns && this.index.value === wanted) this.state.value = { at: "failed", words: wordsOf(error) };
    }
  }

  step(by: number): void {
    void this.at(this.index.value + by);
  }

  go(point: Point3): void {
    const series = this.series.value;
    if (!series) return;
    const nearest = nearestPicture(series, point, this.index.value);
    if (nearest >= 0 && nearest !== this.index.value) void this.at(nearest);
  }

  sent(): Range | null {
    return this.stated;
  }

  setRange(range: Range): void {
    const viewport = this.current();
    if (!viewport || this.state.value.at !== "there") return;
    viewport.setProperties({ voiRange: range });
    viewport.render();
  }

  /** Lie as another viewport does: the same millimetres a pixel, the same place in the middle, as far as both look the same way. */
  match(view: View, middle: Point3): void {
    const mine = this.view.value;
    const viewport = this.current();
    if (!mine || !viewport) return;
    viewport.setZoom((viewport.getZoom() * Math.hypot(...mine.right)) / Math.hypot(...view.right));
    viewport.render();
    this.drawn();
    const [x, y] = toCanvas(this.view.value!, middle);
    this.pan(this.element.clientWidth / 2 - x, this.element.clientHeight / 2 - y);
    this.drawn();
  }

  turned(): Turn[] {
    const viewport = this.current();
    if (!viewport || this.state.peek().at !== "there") return [];
    const { flipHorizontal, flipVertical } = viewport.getCamera();
    return turnsOf(viewport.getRotation(), !!flipHorizontal, !!flipVertical, this.inverted.peek() !== this.cameInverted);
  }

  /** Column and row in the middle, and how many columns the shorter edge is long. */
  lying(): number[] | null {
    const affine = this.affine.peek();
    if (!this.moved || !affine) return null;
    const { clientWidth, clientHeight } = this.element;
    return [...toPixel(affine, clientWidth / 2, clientHeight / 2), Math.min(clientWidth, clientHeight) / Math.hypot(affine[0], affine[1])];
  }

  lie([column, row, wide, more]: readonly number[]): void {
    const affine = this.affine.peek();
    if (column === undefined || row === undefined || wide === undefined || more !== undefined || !affine) return;
    const { clientWidth, clientHeight } = this.element;
    this.zoom(Math.min(clientWidth, clientHeight) / Math.hypot(affine[0], affine[1]) / wide);
    this.drawn();
    const [x, y] = fromPixel(this.affine.peek()!, column, row);
    this.pan(clientWidth / 2 - x, clientHeight / 2 - y);
    this.drawn();
  }

  pan(dx: number, dy: number): void {
    const viewport = this.current();
    if (!viewport) return;
    const [x, y] = viewport.getPan();
    viewport.setPan([x + dx, y + dy]);
    this.moved = true;
    viewport.render();
  }

  zoom(factor: number, about?: Point2): void {
    const viewport = this.current();
    if (!viewport) return;
    const fixed = about ?? [this.element.clientWidth / 2, this.element.clientHeight / 2];
    const held = viewport.canvasToWorld(fixed);
    viewport.setZoom(viewport.getZoom() * factor);
    const [x, y] = viewport.worldToCanvas(held);
    this.pan(fixed[0] - x, fixed[1] - y);
  }

  turn(act: Turn): void {
    const viewport = this.current();
    if (!viewport || this.state.value.at !== "there") return;
    const { flipHorizontal, flipVertical } = viewport.getCamera();
    if (act === "invert") {
      viewport.setProperties({ invert: !viewport.getProperties().invert });
      this.inverted.value = !!viewport.getProperties().invert;
    } else if (act === "rotate") viewport.setViewPresentation({ rotation: (viewport.getRotation() + 90) % 360 });
    else viewport.setCamera(act === "flip-horizontal" ? { flipHorizontal: !flipHorizontal } : { flipVertical: !flipVertical });
    viewport.render();
    this.drawn();
  }

  /** How the image lies now: zoomed, moved, turned, inverted. What is returned makes another stack lie so. */
  lies(): ((again: Viewport) => void) | null {
    const viewport = this.current();
    if (!viewport || this.state.peek().at !== "there") return null;
    const [presentation, inverted, moved] = [viewport.getViewPresentation(), this.inverted.peek(), this.moved];
    return (again) => {
      const other = again instanceof StackView && again.state.peek().at === "there" ? again.current() : undefined;
      if (!(again instanceof StackView) || !other) return;
      if (moved) other.setViewPresentation(presentation);
      else other.setViewPresentation({ rotation: presentation.rotation, flipHorizontal: presentation.flipHorizontal, flipVertical: presentation.flipVertical });
      if (again.inverted.peek() !== inverted) again.turn("invert");
      again.moved = moved;
      other.render();
      again.drawn();
    };
  }

  reset(): void {
    const viewport = this.current();
    this.moved = false;
    viewport?.setViewPresentation({ rotation: 0, flipHorizontal: false, flipVertical: false });
    viewport?.resetProperties();
    viewport?.resetCamera();
    viewport?.render();
    if (this.stated) this.setRange(this.stated);
    this.inverted.value = !!viewport?.getProperties().invert;
    this.drawn();
  }

  valueAt(point: Point3): number | null {
    const [shown, data] = [this.image.value, this.current()?.getImageData()];
    if (!shown || !data) return null;
    const pixel = this.view.value ? pixelOf(shown, point) : ([point[0], point[1]] as const);
    const [column, row] = [Math.round(pixel[0]), Math.round(pixel[1])];
    if (column < 0 || row < 0 || column >= shown.columns || row >= shown.rows) return null;
    const value = data.voxelManager?.getAtIJK(column, row, 0);
    return typeof value === "number" ? value : null;
  }

  /** The pixel of the image under a point of the page. */
  pixelAt(x: number, y: number): [number, number] | null {
    if (!this.affine.value) return null;
    const box = this.element.getBoundingClientRect();
    return toPixel(this.affine.value, x - box.left, y - box.top);
  }

  destroy(): void {
    this.turns += 1;
    this.resized.disconnect();
    if (this.enabled) engine().disableElement(this.id);
    this.enabled = false;
  }

  private async viewport(): Promise<core.StackViewport> {
    if (!this.enabled) {
      await start();
      this.enabled = true;
      engine().enableElement({ viewportId: this.id, element: this.element, type: core.Enums.ViewportType.STACK });
      const { Events } = core.Enums;
      this.element.addEventListener(Events.STACK_NEW_IMAGE, () => {
        if (!core.getShouldUseCPURendering()) greyImages(this.current()!.getActors()); // an image of another shape has an actor of its own
        this.drawn();
      });
      this.element.addEventListener(Events.CAMERA_MODIFIED, () => this.drawn());
      this.element.addEventListener(Events.IMAGE_RENDERED, () => this.drawn());
      this.element.addEventListener(Events.VOI_MODIFIED, (event) => {
        this.range.value = (event as CustomEvent<{ range: Range }>).detail.range;
      });
      this.resized.observe(this.element);
    }
    return this.current()!;
  }

  private current(): core.StackViewport | undefined {
    return this.enabled ? (engine().getViewport(this.id) as core.StackViewport | undefined) : undefined;
  }

  /** Its place has another size: what nobody has zoomed or moved is fitted anew. */
  private fit(): void {
    if (!this.enabled) return;
    engine().resize(true, true);
    if (!this.moved && this.state.value.at === "there") {
      const viewport = this.current()!;
      const turned = viewport.getViewPresentation({ rotation: true, flipHorizontal: true, flipVertical: true });
      viewport.resetCamera({ resetPan: true, resetZoom: true, resetToCenter: true });
      viewport.setViewPresentation({ rotation: turned.rotation, flipHorizontal: turned.flipHorizontal, flipVertical: turned.flipVertical });
      viewport.render();
    }
    this.drawn();
  }

  /** Publish what is on screen now, and how its pixels lie in the viewport. */
  private drawn(): void {
    const viewport = this.current();
    const series = this.series.value;
    const data = viewport?.getImageData();
    if (!viewport || !series || !data) return;
    const shown = series.places.get(viewport.getCurrentImageId()) ?? -1;
    if (shown < 0) return;
    const place = (column: number, row: number) => viewport.worldToCanvas([...data.imageData.indexToWorld!([column, row, 0])] as core.Types.Point3);
    const half = core.getShouldUseCPURendering() ? 0.5 : 0; // the processor's renderer counts pixels from their corner
    const [origin, right, down] = [place(half, half), place(half + 1, half), place(half, half + 1)];
    const affine: Affine = [right[0] - origin[0], right[1] - origin[1], down[0] - origin[0], down[1] - origin[1], origin[0], origin[1]];
    batch(() => {
      const [columns, rows] = data.dimensions;
      if (this.size.value[0] !== columns || this.size.value[1] !== rows) this.size.value = [columns, rows];
      if (this.picture.value?.imageId !== series.pictures[shown]!.imageId) this.picture.value = series.pictures[shown]!;
      this.index.value = shown;
      if (affine.every(Number.isFinite) && affine.some((value, i) => value !== this.affine.value?.[i])) this.affine.value = affine;
    });
  }
}

/** What to fetch while nobody asks: first a stretch ahead of the image on screen, then behind it, and no more than the memory may hold. */
function outwards(index: number, count: number): number[] {
  const [from, to] = [Math.max(0, index - PREFETCHED / 2), Math.min(count, index + PREFETCHED / 2)];
  return [...range(index + 1, to), ...range(from, index)];
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
}

/** The plane of the patient that an image shows, from its own header and from where its pixels lie on the canvas. */
function viewOf({ picture, affine, spacing_mm }: Shown, frame: string): View | null {
  const { place } = picture;
  if (!place || !spacing_mm) return null;
  const [a, b, c, d] = affine;
  const area = a * d - b * c;
  const along = (columns: number, rows: number): Point3 => plus(plus([0, 0, 0], place.row, columns * spacing_mm[1]), place.column, rows * spacing_mm[0]);
  const [right, down] = [along(d / area, -b / area), along(-c / area, a / area)];
  const [column, row] = toPixel(affine, 0, 0);
  return { origin: plus(place.position, along(column, row)), right, down, normal: unit(cross(right, down)), thickness_mm: picture.thickness_mm, frame };
}

function pixelOf({ picture, spacing_mm }: Shown, point: Point3): [number, number] {
  const { position, row, column } = picture.place!;
  const from = plus(point, position, -1);
  const along = (axis: Point3, size: number) => (from[0] * axis[0] + from[1] * axis[1] + from[2] * axis[2]) / size;
  return [along(row, spacing_mm![1]), along(column, spacing_mm![0])];
}

/** The picture whose plane lies nearest to a point of the patient, of the same phase as the one on screen; -1 where pictures have no place. */
export function nearestPicture(series: Loaded, point: Point3, now = 0): number {
  let [best, least] = [-1, Infinity];
  for (let i = now % series.phases; i < series.pictures.length; i += series.phases) {
    const { place } = series.pictures[i]!;
    if (!place) return -1;
    const normal = cross(place.row, place.column);
    const away = Math.abs(plus(point, place.position, -1).reduce((sum, value, axis) => sum + value * normal[axis]!, 0));
    if (away < least) [best, least] = [i, away];
  }
  return best;
}
