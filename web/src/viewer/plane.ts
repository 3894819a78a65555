import * as core from "@cornerstonejs/core";
import { batch, computed, effect, signal } from "@preact/signals";
import { within, wordsOf } from "./deadline";
import { greyPlanes } from "./greys";
import type { Join } from "./joins";
import { FUSED, registerMaps } from "./maps";
import type { Loaded } from "./series";
import { canDrawVolumes, engine, start } from "./start";
import { thicken } from "./thick";
import { cross, dot, minus, type Point2, type Point3, plus, type Range, toCanvas, toPatient, type Turn, turnsOf, unit, type View, type Viewport, type ViewState } from "./viewport";
import { atDepth, type SeriesVolume } from "./volume";

export type Plane = "axial" | "sagittal" | "coronal";

/** How each plane looks at the patient: the direction towards the reader, and what is up on the screen (LPS). */
export const looks: Record<Plane, { towards: Point3; up: Point3; name: string }> = {
  axial: { towards: [0, 0, -1], up: [0, -1, 0], name: "AX" },
  sagittal: { towards: [1, 0, 0], up: [0, 0, 1], name: "SAG" },
  coronal: { towards: [0, -1, 0], up: [0, 0, 1], name: "COR" },
};

/** Another volume drawn over the plane, in colour. */
export interface Fused {
  volume: SeriesVolume;
  range: Range;
  /** Of the colours, 0 to 1. */
  opacity: number;
  /** In the unit of the volume; below it nothing is drawn. */
  threshold: number;
  /** The registration by which it lies here; null where both share a frame of reference. */
  join: Join | null;
}

/** How the voxels within a slab become one value. */
export type Blend = "mip" | "mean" | "minip";

const blends: Record<Blend, core.Enums.BlendModes> = {
  mip: core.Enums.BlendModes.MAXIMUM_INTENSITY_BLEND,
  mean: core.Enums.BlendModes.AVERAGE_INTENSITY_BLEND,
  minip: core.Enums.BlendModes.MINIMUM_INTENSITY_BLEND,
};

let serial = 0;

/** One plane through a volume, at any angle. */
export class PlaneView implements Viewport {
  readonly id = `plane-${++serial}`;
  readonly kind = "plane";
  readonly state = signal<ViewState>({ at: "empty" });
  readonly series = signal<Loaded | null>(null);
  readonly volume = signal<SeriesVolume | null>(null);
  readonly view = signal<View | null>(null);
  readonly image = signal(null);
  readonly range = signal<Range | null>(null);
  readonly inverted = signal(false);
  readonly slab = signal<{ blend: Blend; thickness_mm: number } | null>(null);
  readonly fused = signal<Fused | null>(null);
  readonly index = signal(0);
  readonly count = signal(0);
  readonly oblique = signal(false);
  readonly name = computed(() => `${looks[this.plane].name}${this.oblique.value ? " oblique" : ""}`);
  readonly reduced = computed(() => {
    return this.volume.value?.words() ?? "";
  });

  private enabled = false;
  private turns = 0;
  private look: { towards: Point3; up: Point3 };
  /** As it lies unturned, where it follows a plane of another study; it then goes between its slices, too. */
  private led: { towards: Point3; up: Point3 } | null = null;
  private centre: Point3 = [0, 0, 0];
  private readonly resized = new ResizeObserver(() => this.fit());
  private forget = () => {};

  /** What happens when somebody points at a place in it. */
  pointed: (point: Point3) => void = () => {};

  constructor(readonly element: HTMLDivElement, readonly plane: Plane) {
    this.look = looks[plane];
  }

  async show(volume: SeriesVolume, range: Range | null, centre: Point3 | null): Promise<void> {
    const turn = ++this.turns;
    batch(() => {
      this.series.value = volume.series;
      this.state.value = { at: "loading", words: "the volume" };
    });
    try {
      await start();
      if (!canDrawVolumes()) throw new Error("this browser has no WebGL");
      if (!this.enabled) this.enable();
      await within(60, "The plane", this.viewport.setDisplaySets({ displaySetId: volume.set, options: { orientation: this.orientation(), role: "source" } }));
      if (turn !== this.turns) return;
      greyPlanes(this.viewport.getActors());
      if (range) this.viewport.setDisplaySetPresentation(volume.set, { voiRange: range });
      this.forget();
      this.forget = effect(() => {
        if (volume.failed.value) this.state.value = { at: "failed", words: volume.failed.value };
      });
      batch(() => {
        this.volume.value = volume;
        this.range.value = range ?? this.viewport.getDefaultVOIRange(volume.set) ?? null;
        this.state.value = { at: "there" };
      });
      this.fused.value = null;
      if (this.slab.value) this.setSlab(this.slab.value);
      this.go(centre ?? volume.middle());
    } catch (error) {
      if (turn === this.turns) this.state.value = { at: "failed", words: wordsOf(error) };
    }
  }

  go(point: Point3): void {
    const volume = this.volume.value;
    if (!volume || this.state.value.at !== "there") return;
    const { low, high, step } = volume.reach(this.inward());
    const wanted = Math.min(high, Math.max(low, dot(point, this.inward())));
    const depth = this.oblique.value || this.led ? wanted : low + Math.round((wanted - low) / step) * step; // on the voxels' own slice, where nothing is interpolated
    this.centre = atDepth(point, this.inward(), depth);
    this.viewport.setViewState({ slice: { kind: "volumePoint", sliceWorldPoint: this.centre } });
    this.viewport.render();
    batch(() => {
      this.count.value = Math.round((high - low) / step) + 1;
      this.index.value = Math.round((depth - low) / step);
    });
    this.drawn();
  }

  at(index: number): Promise<void> {
    const volume = this.volume.value;
    if (volume) {
      const { low, high, step } = volume.reach(this.inward());
      this.go(atDepth(this.centre, this.inward(), Math.min(high, low + Math.max(0, index) * step)));
    }
    return Promise.resolve();
  }

  step(by: number): void {
    void this.at(Math.min(this.count.value - 1, this.index.value + by));
  }

  /** How it lies: towards the reader, up, and a point of it. */
  stance(): { towards: Point3; up: Point3; centre: Point3; oblique: boolean } {
    return { ...this.look, centre: this.centre, oblique: this.oblique.peek() };
  }

  /** Whether it goes along with a plane of another study. */
  get follows(): boolean {
    return !!this.led;
  }

  /** Lie as a plane of another study does, told in the space of this one: at its place, or turned in place where none is given. */
  follow({ towards, up, centre, oblique }: { towards: Point3; up: Point3; centre: Point3 | null; oblique: boolean }): void {
    if (this.state.peek().at !== "there") return;
    this.oblique.value = oblique;
    const turned = !this.led || dot(this.led.towards, towards) < 1 - 1e-9 || dot(this.led.up, up) < 1 - 1e-9;
    if (turned) {
      this.look = this.led = { towards, up };
      this.viewport.setViewState({ orientation: this.orientation() });
    }
    const away = centre && dot([centre[0] - this.centre[0], centre[1] - this.centre[1], centre[2] - this.centre[2]], this.inward());
    if (turned || (away !== null && Math.abs(away) > 0.01)) this.go(centre ?? this.centre);
  }

  /** Turn the plane about an axis of the patient through a point of it (degrees); one that follows another is turned by that one. */
  tilt(axis: Point3, degrees: number, about: Point3): void {
    if (this.led) return;
    this.look = { towards: rotated(this.look.towards, axis, degrees), up: rotated(this.look.up, axis, degrees) };
    this.oblique.value = Math.abs(dot(this.look.towards, looks[this.plane].towards)) < 0.9999;
    this.viewport.setViewState({ orientation: this.orientation() });
    this.go(about);
  }

  straighten(): void {
    this.look = this.led ?? looks[this.plane];
    this.oblique.value = false;
    if (this.state.value.at !== "there") return;
    this.viewport.setViewState({ orientation: this.orientation() });
    this.go(this.centre);
  }

  /** Unit vector into the screen. */
  inward(): Point3 {
    return unit(plus([0, 0, 0], this.look.towards, -1));
  }

  setSlab(slab: { blend: Blend; thickness_mm: number } | null): void {
    const volume = this.volume.value;
    this.slab.value = slab;
    if (!volume || this.state.value.at !== "there") return;
    for (const set of [volume.set, this.fused.value?.volume.set ?? ""]) if (set) this.viewport.setDisplaySetPresentation(set, { blendMode: blends[slab?.blend ?? "mip"], slabThickness: slab?.thickness_mm ?? 0 });
    this.viewport.render();
    this.drawn();
  }

  /** Draw another volume over the plane; whoever calls has made sure that both share a frame of reference. Null takes it away. */
  async fuse(over: Fused | null): Promise<void> {
    const before = this.fused.peek();
    if (this.state.value.at !== "there") return;
    if (before && before.volume !== over?.volume) this.viewport.removeData(before.volume.set);
    const fresh = over && before?.volume !== over.volume;
    this.fused.value = over;
    if (over && fresh) {
      registerMaps();
      await within(60, "The second volume", this.viewport.addDisplaySet(over.volume.set, { orientation: this.orientation(), role: "overlay" }));
      if (this.fused.peek()?.volume !== over.volume) return;
      thicken(this.viewport.getActors());
    }
    if (over) this.viewport.setDisplaySetPresentation(over.volume.set, { voiRange: over.range, colormap: { name: FUSED, opacity: over.opacity, threshold: over.threshold } });
    this.viewport.render();
  }

  setRange(range: Range): void {
    const volume = this.volume.value;
    if (!volume || this.state.value.at !== "there") return;
    this.viewport.setDisplaySetPresentation(volume.set, { voiRange: range });
    this.range.value = range;
    this.viewport.render();
  }

  sent(): Range | null {
    const volume = this.volume.value;
    return volume && this.state.value.at === "there" ? (this.viewport.getDefaultVOIRange(volume.set) ?? null) : null;
  }

  pan(dx: number, dy: number): void {
    if (this.state.value.at !== "there") return;
    const [x, y] = this.viewport.getPan();
    this.viewport.setPan([x + dx, y + dy]);
    this.viewport.render();
    this.drawn();
  }

  zoom(factor: number, about?: Point2): void {
    if (this.state.value.at !== "there") return;
    this.viewport.setZoom(this.viewport.getZoom() * factor, about);
    this.viewport.render();
    this.drawn();
  }

  turn(act: Turn): void {
    const volume = this.volume.value;
    if (!volume || this.state.value.at !== "there") return;
    const state = this.viewport.getViewState();
    if (act === "invert") {
      this.inverted.value = !this.inverted.value;
      this.viewport.setDisplaySetPresentation(volume.set, { invert: this.inverted.value });
    } else if (act === "rotate") this.viewport.setViewState({ rotation: ((state.rotation ?? 0) + 90) % 360 });
    else if (act === "flip-horizontal") this.viewport.setViewState({ flipHorizontal: !state.flipHorizontal });
    else this.viewport.setViewState({ flipVertical: !state.flipVertical });
    this.viewport.render();
    this.drawn();
  }

  turned(): Turn[] {
    if (this.state.peek().at !== "there") return [];
    const { rotation = 0, flipHorizontal, flipVertical } = this.viewport.getViewState();
    return turnsOf(rotation, !!flipHorizontal, !!flipVertical, this.inverted.peek());
  }

  /** The patient's point in the middle, how many millimetres the shorter edge is long, and of a turned plane how it stands. */
  lying(): number[] | null {
    const view = this.view.peek();
    if (!view || this.state.peek().at !== "there") return null;
    const [x, y] = this.viewport.getPan();
    if (!this.oblique.peek() && Math.abs(this.viewport.getZoom() - 1) < 0.001 && Math.hypot(x, y) < 0.5) return null;
    const { clientWidth, clientHeight } = this.element;
    const stands = this.oblique.peek() ? [...this.look.towards, ...this.look.up] : [];
    return [...toPatient(view, clientWidth / 2, clientHeight / 2), Math.min(clientWidth, clientHeight) * Math.hypot(...view.right), ...stands];
  }

  lie(numbers: readonly number[]): void {
    const [x, y, z, wide, ...stands] = numbers;
    if (x === undefined || y === undefined || z === undefined || wide === undefined || this.state.peek().at !== "there") return;
    const [towards, up] = [stands.slice(0, 3) as Point3, stands.slice(3) as Point3];
    if (stands.length === 6 && Math.hypot(...towards) > 0.5 && Math.hypot(...cross(towards, up)) > 0.5) {
      this.look = { towards: unit(towards), up: unit(cross(unit(towards), unit(cross(up, towards)))) };
      this.oblique.value = true;
      this.viewport.setViewState({ orientation: this.orientation() });
    }
    const { clientWidth, clientHeight } = this.element;
    this.go([x, y, z]);
    const view = this.view.peek();
    if (!view) return;
    this.zoom((Math.min(clientWidth, clientHeight) * Math.hypot(...view.right)) / wide);
    const [left, top] = toCanvas(this.view.peek()!, [x, y, z]);
    this.pan(clientWidth / 2 - left, clientHeight / 2 - top);
  }

  /** How the plane lies now: tilted, zoomed, moved, turned, inverted. What is returned makes another plane lie so. */
  lies(): ((again: Viewport) => void) | null {
    if (this.state.peek().at !== "there") return null;
    const [look, oblique, centre, state, inverted] = [this.look, this.oblique.peek(), this.centre, this.viewport.getViewState(), this.inverted.peek()];
    return (again) => {
      if (!(again instanceof PlaneView) || again.state.peek().at !== "there") return;
      [again.look, again.oblique.value] = [look, oblique];
      again.viewport.setViewState(state);
      if (again.inverted.peek() !== inverted) again.turn("invert");
      again.go(centre);
    };
  }

  reset(): void {
    if (this.state.value.at !== "there") return;
    this.straighten();
    this.viewport.resetViewState({ resetOrientation: false });
    this.viewport.setViewState({ orientation: this.orientation(), rotation: 0 });
    this.setSlab(null);
    if (this.inverted.value) this.turn("invert");
    this.go(this.centre);
  }

  point(at: Point2): void {
    if (this.state.value.at === "there") this.pointed([...this.viewport.canvasToWorld(at)] as Point3);
  }

  valueAt(point: Point3): number | null {
    return this.volume.value?.valueAt(point) ?? null;
  }

  destroy(): void {
    this.turns += 1;
    this.forget();
    this.resized.disconnect();
    if (this.enabled) engine().disableElement(this.id);
    this.enabled = false;
  }

  private get viewport(): core.PlanarViewport {
    return engine().getViewport(this.id) as unknown as core.PlanarViewport;
  }

  private orientation(): { viewPlaneNormal: Point3; viewUp: Point3 } {
    return { viewPlaneNormal: this.look.towards, viewUp: this.look.up };
  }

  private enable(): void {
    this.enabled = true;
    engine().enableElement({ viewportId: this.id, element: this.element, type: core.Enums.ViewportType.PLANAR_NEXT, defaultOptions: { orientation: this.orientation(), background: [0, 0, 0] } as never });
    this.element.addEventListener(core.Enums.Events.IMAGE_RENDERED, () => this.drawn());
    this.resized.observe(this.element);
  }

  private fit(): void {
    if (!this.enabled) return;
    engine().resize(true, true);
    this.drawn();
  }

  /** Publish the plane on screen. */
  private drawn(): void {
    const volume = this.volume.value;
    if (!volume || !this.enabled || this.state.value.at !== "there") return;
    const at = (x: number, y: number) => [...this.viewport.canvasToWorld([x, y])] as Point3;
    const [corner, far, low] = [at(0, 0), at(512, 0), at(0, 512)];
    const [right, down] = [plus([0, 0, 0], minus(far, corner), 1 / 512), plus([0, 0, 0], minus(low, corner), 1 / 512)];
    if (![...corner, ...right, ...down].every(Number.isFinite)) return;
    const thickness_mm = this.slab.value?.thickness_mm ?? volume.reach(this.inward()).step;
    const next: View = { origin: corner, right, down, normal: unit(cross(right, down)), thickness_mm, frame: volume.series.frame };
    if (!same(next, this.view.value)) this.view.value = next;
  }
}

function same(a: View, b: View | null): boolean {
  if (!b || a.thickness_mm !== b.thickness_mm || a.frame !== b.frame) return false;
  return (["origin", "right", "down"] as const).every((part) => a[part].every((value, i) => Math.abs(value - b[part][i]!) < 1e-6));
}

/** Rodrigues' rotation of a vector about a unit axis. */
export function rotated(vector: Point3, axis: Point3, degrees: number): Point3 {
  const angle = (degrees * Math.PI) / 180;
  const [c, s, along] = [Math.cos(angle), Math.sin(angle), dot(vector, axis) * (1 - Math.cos(angle))];
  const turned = cross(axis, vector);
  return [0, 1, 2].map((i) => vector[i]! * c + turned[i]! * s + axis[i]! * along) as Point3;
}
