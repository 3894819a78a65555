import * as core from "@cornerstonejs/core";
import { effect, signal } from "@preact/signals";
import { pause, within } from "./deadline";
import { idOf, type Loaded } from "./series";
import { canDrawVolumes, drawer, holdFrames, start } from "./start";
import { type Texture, Uploads, type Values } from "./uploads";
import { dot, type Point3, plus } from "./viewport";

const COARSE = 8;
/** So often at most are planes of a volume that still fills drawn again: every drawing takes the processor from what comes. */
const AGAIN_MS = 400;
/** So long the first frame waits for them, and as long again where the volume is soon whole: it may stall. */
const FIRST_MS = 600;
const SOON_MS = 500;
/** Drawing may take one part in so many of the time until the volume is whole. */
const SHARE = 5;

/** What the drawing library keeps of a volume that fills, beyond its published types. */
interface Filling {
  load: () => void;
  vtkOpenGLTexture: Texture;
}

/** A series as one volume, shared by all viewports that cut through it. It fills while it is shown. */
export class SeriesVolume {
  /** How many images the series has by now, where more have arrived since it was begun. */
  readonly later = signal(0);
  /** How many of its images have come. */
  readonly come = signal(0);
  readonly failed = signal("");
  readonly set: string;
  private readonly id: string;
  private volume: core.Types.IStreamingImageVolume | null = null;
  private uploads: Uploads | null = null;
  private readonly ended = new AbortController();

  constructor(readonly series: Loaded) {
    this.id = `cornerstoneStreamingImageVolume:${idOf(series)}`; // a series of which more has come is another volume
    this.set = `set-${idOf(series)}`;
  }

  /** Make room for it and begin to fill it; answers before it is full. */
  async begin(): Promise<this> {
    await start();
    const imageIds = this.series.pictures.map((one) => one.imageId);
    core.utilities.genericViewportDisplaySetMetadataProvider.add(this.set, { kind: "planar", imageIds, volumeId: this.id });
    const volume = (this.volume = (await within(30, "The volume", core.volumeLoader.createAndCacheVolume(this.id, { imageIds }))) as core.Types.IStreamingImageVolume);
    const lost = (event: Event) => {
      const { imageId } = (event as CustomEvent<{ imageId: string }>).detail;
      if (this.series.places.has(imageId)) this.failed.value = `image ${this.series.places.get(imageId)! + 1} of ${imageIds.length} did not come`;
    };
    core.eventTarget.addEventListener(core.Enums.Events.IMAGE_LOAD_FAILED, lost);
    this.ended.signal.addEventListener("abort", () => core.eventTarget.removeEventListener(core.Enums.Events.IMAGE_LOAD_FAILED, lost));
    const filling = volume as unknown as Filling;
    // The library would draw every plane with every image that comes. It never hears that all have come: with each new plane it would upload them all again.
    filling.load = () => undefined;
    this.uploads = new Uploads(filling.vtkOpenGLTexture, (frame) => valuesOf(core.cache.getImage(volume.imageIds[frame]!)), this.ended.signal);
    filling.vtkOpenGLTexture = this.uploads.texture;
    const [width, height, depth] = volume.dimensions;
    if (!this.series.colour && canDrawVolumes()) this.uploads.ahead(drawer(), { width, height, depth, numComps: 1, dataType: volume.dataType!, data: null });
    void this.fill();
    return this;
  }

  /**
   * Every eighth image first, so that all planes show the whole body early; then the rest, but for what comes already. Planes are drawn for the first time
   * when those have come, then a few times on the way, and when the last has come. What is soon whole is drawn once, whole.
   */
  private async fill(): Promise<void> {
    const uploads = this.uploads!;
    const numbers = this.series.pictures.map((_, number) => number);
    const isCoarse = (number: number) => number % COARSE === 0;
    const began = performance.now();
    let [come, all, next] = [0, 0, began + FIRST_MS];
    const soonWhole = () => ((performance.now() - began) / all) * (numbers.length - all) < SOON_MS;
    const take = (number: number) => {
      if (this.ended.signal.aborted) return;
      uploads.take(this.volume!.getImageIdIndex(this.series.pictures[number]!.imageId)!);
      [come, all] = [come + 1, all + 1];
    };
    // In the same steps, so that many come in one answer: between images that are here already lie few.
    const others = numbers.filter((number) => !isCoarse(number)).sort((a, b) => (a % COARSE) - (b % COARSE) || a - b);
    // What is on its way already, because a stack asked for it, comes anyway and is not asked for again.
    const comes = (number: number) => !!core.cache.getImageLoadObject(this.series.pictures[number]!.imageId);
    const coming = this.series.prefetch(others.filter(comes), take);
    const lacking = others.filter((number) => !comes(number));
    const early = this.series.prefetch(numbers.filter(isCoarse), take);
    const whole = early.then(() => Promise.all([coming, this.ended.signal.aborted ? undefined : this.series.prefetch(lacking, take)]));
    const unlessSoon = () => (soonWhole() ? whole : undefined);
    // A frame before would wait for the graphics to make room for the volume, and all that comes for the frame.
    const dropped = new Promise((resolve) => this.ended.signal.addEventListener("abort", resolve));
    holdFrames(Promise.race([Promise.all([uploads.ready(), early]).then(unlessSoon), pause(FIRST_MS).then(unlessSoon), pause(2 * FIRST_MS), dropped]));
    const draw = () => {
      const drew = performance.now();
      this.draw(come);
      [come, next] = [0, Infinity];
      // Frames are drawn after what is due now: only then it is known how long they took.
      requestAnimationFrame(() => setTimeout(() => (next = performance.now() + Math.max(AGAIN_MS, SHARE * (performance.now() - drew)))));
    };
    const onTheWay = setInterval(() => come && performance.now() > next && !soonWhole() && draw(), AGAIN_MS / 4);
    await whole;
    clearInterval(onTheWay);
    if (come) draw();
  }

  private draw(come: number): void {
    const volume = this.volume!;
    if (this.ended.signal.aborted) return;
    this.come.value += come;
    const detail = { volumeId: this.id, FrameOfReferenceUID: volume.metadata.FrameOfReferenceUID, numberOfFrames: this.series.pictures.length, framesProcessed: this.come.value };
    core.triggerEvent(core.eventTarget, core.Enums.Events.IMAGE_VOLUME_MODIFIED, detail);
    if (this.full) core.triggerEvent(core.eventTarget, core.Enums.Events.IMAGE_VOLUME_LOADING_COMPLETED, detail);
  }

  /** When all of it is there; refuses after a deadline. */
  whole(): Promise<void> {
    if (this.full) return Promise.resolve();
    return within(120, "The whole volume", new Promise((resolve) => {
      const forget = effect(() => {
        if (this.full) queueMicrotask(() => (forget(), resolve()));
      });
    }));
  }

  /** What of it is not here, in words; empty where all of it is. */
  words(): string {
    const of = Math.max(this.later.value, this.series.pictures.length);
    return this.come.value < of ? `${this.come.value} of ${of} images` : "";
  }

  get full(): boolean {
    return this.come.value >= this.series.pictures.length;
  }

  /** The voxel in its middle, in the patient (mm). */
  middle(): Point3 {
    const half = this.volume!.dimensions.map((n) => Math.floor((n - 1) / 2));
    return [...this.volume!.imageData!.indexToWorld(half as core.Types.Point3)] as Point3;
  }

  /** How far it reaches along a direction of the patient (mm, between outermost voxel centres), and the step from slice to slice there. */
  reach(normal: Point3): { low: number; high: number; step: number } {
    const { dimensions, direction, spacing, origin } = this.volume!;
    let [low, high] = [dot(origin as Point3, normal), dot(origin as Point3, normal)];
    let step = Math.min(...spacing);
    for (let axis = 0; axis < 3; axis++) {
      const along = dot(Array.from(direction).slice(3 * axis, 3 * axis + 3) as Point3, normal);
      const length = along * spacing[axis]! * (dimensions[axis]! - 1);
      if (length > 0) high += length;
      else low += length;
      if (Math.abs(along) > 0.999) step = spacing[axis]!;
    }
    return { low, high, step };
  }

  /** The value of the voxel at a point of the patient; null outside. */
  valueAt(point: Point3): number | null {
    const { dimensions, voxelManager, imageData } = this.volume!;
    const index = [...imageData!.worldToIndex(point as core.Types.Point3)].map(Math.round) as Point3;
    if (index.some((n, axis) => n < 0 || n >= dimensions[axis]!)) return null;
    const value = voxelManager?.getAtIJK(...index);
    return typeof value === "number" ? value : null;
  }

  /** Corner to corner, in the patient (mm). */
  diagonal(): [Point3, Point3] {
    const { dimensions, imageData } = this.volume!;
    const at = (index: Point3) => [...imageData!.indexToWorld(index as core.Types.Point3)] as Point3;
    return [at([0, 0, 0]), at(dimensions.map((n) => n - 1) as Point3)];
  }

  get volumeId(): string {
    return this.id;
  }

  /** The drawing library's own volume, for layers that live on its grid. */
  get grid(): core.Types.IImageVolume {
    return this.volume!;
  }

  drop(): void {
    this.ended.abort();
    core.utilities.genericViewportDisplaySetMetadataProvider.remove(this.set);
    if (core.cache.getVolume(this.id)) core.cache.removeVolumeLoadObject(this.id);
  }
}


function valuesOf(image: core.Types.IImage | undefined): Values | null {
  return image ? { values: image.getPixelData(), ends: [image.minPixelValue, image.maxPixelValue] } : null;
}

/** A point moved along a direction so that it lies at a given depth. */
export function atDepth(point: Point3, normal: Point3, depth: number): Point3 {
  return plus(point, normal, depth - dot(point, normal));
}
