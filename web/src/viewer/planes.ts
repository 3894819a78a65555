import * as core from "@cornerstonejs/core";
import * as tools from "@cornerstonejs/tools";
import { signal } from "@preact/signals";
import { within, wordsOf } from "./deadline";
import type { Loaded } from "./series";
import type { ViewState } from "./stack";
import { canDrawVolumes, engine, start } from "./start";

export type Plane = "axial" | "sagittal" | "coronal";
const orientations: Record<Plane, core.Enums.OrientationAxis> = {
  axial: core.Enums.OrientationAxis.AXIAL,
  sagittal: core.Enums.OrientationAxis.SAGITTAL,
  coronal: core.Enums.OrientationAxis.CORONAL,
};

interface PlanarView {
  setDisplaySets(...entries: { displaySetId: string; options: object }[]): Promise<void>;
  setDisplaySetPresentation(id: string, presentation: object): void;
  setViewState(state: object): void;
  worldToCanvas(point: core.Types.Point3): core.Types.Point2;
  canvasToWorld(point: core.Types.Point2): core.Types.Point3;
  render(): void;
}

let serial = 0;

/** Three planes through one volume, held together by a point of the patient. */
export class PlanesView {
  readonly state = signal<ViewState>({ at: "empty" });
  /** The point that all planes go through, in patient space (mm). */
  readonly point = signal<core.Types.Point3 | null>(null);
  /** Where that point lies in each viewport. */
  readonly crosses = signal<Partial<Record<Plane, core.Types.Point2>>>({});

  private readonly name = `planes-${++serial}`;
  private enabled = false;
  private group: tools.Types.IToolGroup | null = null;
  private turn = 0;
  private readonly resized = new ResizeObserver(() => this.fit());

  constructor(private readonly elements: Record<Plane, HTMLDivElement>) {}

  async show(series: Loaded, range: { lower: number; upper: number } | null, centre: core.Types.Point3 | null): Promise<void> {
    const turn = ++this.turn;
    this.state.value = { at: "loading", words: `${series.pictures.length} images` };
    try {
      await start();
      if (!canDrawVolumes()) throw new Error("this browser has no WebGL; single images work, planes do not");
      if (series.noVolume) throw new Error(series.noVolume);
      const [displaySet, volumeId] = [`set-${this.name}`, `cornerstoneStreamingImageVolume:${series.uid}`];
      const sets = core.utilities.genericViewportDisplaySetMetadataProvider;
      const imageIds = series.pictures.map((one) => one.imageId);
      sets.add(displaySet, { kind: "planar", imageIds, volumeId });
      this.enabled = true;
      for (const plane of this.all()) {
        engine().enableElement({ viewportId: this.id(plane), element: this.elements[plane], type: core.Enums.ViewportType.PLANAR_NEXT, defaultOptions: { orientation: orientations[plane], background: [0, 0, 0] } as never });
      }
      const volume = (await within(30, "The volume", core.volumeLoader.createAndCacheVolume(volumeId, { imageIds }))) as core.Types.IStreamingImageVolume;
      await within(90, "All images of the volume", loaded(volume));
      if (turn !== this.turn) return;
      for (const plane of this.all()) {
        const viewport = this.viewport(plane);
        await viewport.setDisplaySets({ displaySetId: displaySet, options: { orientation: orientations[plane], role: "source" } });
        if (range) viewport.setDisplaySetPresentation(displaySet, { voiRange: range });
        this.elements[plane].addEventListener(core.Enums.Events.CAMERA_MODIFIED, () => this.cross());
        this.elements[plane].addEventListener(core.Enums.Events.IMAGE_RENDERED, () => this.cross());
        this.resized.observe(this.elements[plane]);
      }
      this.tools();
      this.state.value = { at: "there" };
      this.go(centre ?? middle(volume));
    } catch (error) {
      if (turn === this.turn) this.state.value = { at: "failed", words: wordsOf(error) };
    }
  }

  /** All planes through this point of the patient. */
  go(point: core.Types.Point3): void {
    if (this.state.value.at !== "there") return;
    this.point.value = point;
    for (const plane of this.all()) {
      this.viewport(plane).setViewState({ slice: { kind: "volumePoint", sliceWorldPoint: point } });
      this.viewport(plane).render();
    }
    this.cross();
  }

  /** The point of the patient under a point of one viewport. */
  pointAt(plane: Plane, x: number, y: number): core.Types.Point3 | null {
    if (this.state.value.at !== "there") return null;
    const box = this.elements[plane].getBoundingClientRect();
    return this.viewport(plane).canvasToWorld([x - box.left, y - box.top]);
  }

  window(range: { lower: number; upper: number }): void {
    if (this.state.value.at !== "there") return;
    for (const plane of this.all()) {
      this.viewport(plane).setDisplaySetPresentation(`set-${this.name}`, { voiRange: range });
      this.viewport(plane).render();
    }
  }

  destroy(): void {
    this.turn += 1;
    this.resized.disconnect();
    if (this.group) tools.ToolGroupManager.destroyToolGroup(this.group.id);
    if (this.enabled) for (const plane of this.all()) engine().disableElement(this.id(plane));
    this.enabled = false;
    core.utilities.genericViewportDisplaySetMetadataProvider.remove(`set-${this.name}`);
  }

  private all(): Plane[] {
    return Object.keys(this.elements) as Plane[];
  }

  private id(plane: Plane): string {
    return `${this.name}-${plane}`;
  }

  private viewport(plane: Plane): PlanarView {
    return engine().getViewport(this.id(plane)) as unknown as PlanarView;
  }

  private tools(): void {
    const { MouseBindings } = tools.Enums;
    this.group = tools.ToolGroupManager.createToolGroup(`tools-${this.name}`)!;
    for (const tool of [tools.StackScrollTool, tools.ZoomTool, tools.PanTool]) this.group.addTool(tool.toolName);
    for (const plane of this.all()) this.group.addViewport(this.id(plane), engine().id);
    this.group.setToolActive(tools.StackScrollTool.toolName, { bindings: [{ mouseButton: MouseBindings.Wheel }] });
    this.group.setToolActive(tools.PanTool.toolName, { bindings: [{ mouseButton: MouseBindings.Auxiliary }] });
    this.group.setToolActive(tools.ZoomTool.toolName, { bindings: [{ mouseButton: MouseBindings.Secondary }] });
  }

  private fit(): void {
    if (this.enabled) engine().resize(true, true);
    this.cross();
  }

  private cross(): void {
    const point = this.point.value;
    if (!point || this.state.value.at !== "there" || !this.enabled) return;
    this.crosses.value = Object.fromEntries(this.all().map((plane) => [plane, this.viewport(plane).worldToCanvas(point)]));
  }
}

function loaded(volume: core.Types.IStreamingImageVolume): Promise<void> {
  return new Promise((resolve, reject) => {
    const { Events } = core.Enums;
    const done = (event: Event) => {
      if ((event as CustomEvent<{ volumeId: string }>).detail.volumeId !== volume.volumeId) return;
      core.eventTarget.removeEventListener(Events.IMAGE_VOLUME_LOADING_COMPLETED, done);
      resolve();
    };
    const failed = (event: Event) => reject((event as CustomEvent<{ error: unknown }>).detail.error);
    if (volume.loadStatus?.loaded) return resolve();
    core.eventTarget.addEventListener(Events.IMAGE_VOLUME_LOADING_COMPLETED, done);
    core.eventTarget.addEventListenerOnce(Events.IMAGE_LOAD_FAILED, failed);
    volume.load();
  });
}

function middle(volume: core.Types.IImageVolume): core.Types.Point3 {
  const half = volume.dimensions.map((n) => (n - 1) / 2);
  return volume.imageData!.indexToWorld(half as core.Types.Point3) as core.Types.Point3;
}
