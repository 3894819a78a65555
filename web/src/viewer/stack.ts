import * as core from "@cornerstonejs/core";
import * as tools from "@cornerstonejs/tools";
import { batch, signal } from "@preact/signals";
import { within, wordsOf } from "./deadline";
import type { Preset } from "./presets";
import type { Loaded, Picture } from "./series";
import { engine, start } from "./start";

/** From pixels of the image (whole numbers are centres) to pixels of the viewport: x = a·col + c·row + e, y = b·col + d·row + f. */
export type Affine = [a: number, b: number, c: number, d: number, e: number, f: number];

export type ViewState = { at: "empty" } | { at: "loading"; words: string } | { at: "there" } | { at: "failed"; words: string };

export type Tool = "window" | "zoom" | "pan";

const toolNames: Record<Tool, string> = { window: tools.WindowLevelTool.toolName, zoom: tools.ZoomTool.toolName, pan: tools.PanTool.toolName };

let serial = 0;

/** One viewport on a stack of pictures. It owns its element; what panels need to know it publishes as signals. */
export class StackView {
  readonly state = signal<ViewState>({ at: "empty" });
  readonly index = signal(0);
  readonly picture = signal<Picture | null>(null);
  readonly affine = signal<Affine | null>(null);
  readonly size = signal<[columns: number, rows: number]>([0, 0]);
  readonly range = signal<{ lower: number; upper: number } | null>(null);
  readonly playing = signal(false);
  readonly tool = signal<Tool>("window");
  readonly series = signal<Loaded | null>(null);

  private readonly id = `stack-${++serial}`;
  private enabled = false;
  private group: tools.Types.IToolGroup | null = null;
  private readonly resized = new ResizeObserver(() => this.fit());
  private turn = 0;
  private clock = 0;
  private sent: { lower: number; upper: number } | null = null;

  constructor(readonly element: HTMLDivElement) {}

  async show(series: Loaded, index = 0): Promise<void> {
    const turn = ++this.turn;
    this.stop();
    batch(() => {
      this.state.value = { at: "loading", words: `image ${index + 1} of ${series.pictures.length}` };
      this.affine.value = null;
      this.picture.value = null;
      this.series.value = series;
      this.index.value = index;
    });
    try {
      const viewport = await this.viewport();
      if (turn !== this.turn) return;
      await within(25, "The image", viewport.setStack(series.pictures.map((one) => one.imageId), index));
      if (turn !== this.turn) return;
      viewport.resetCamera();
      viewport.render();
      this.sent = viewport.getProperties().voiRange ?? null;
      batch(() => {
        this.range.value = this.sent;
        this.state.value = { at: "there" };
      });
      this.drawn();
    } catch (error) {
      if (turn === this.turn) this.state.value = { at: "failed", words: wordsOf(error) };
    }
  }

  /** To a picture of the stack, kept inside its ends. */
  async at(index: number): Promise<void> {
    const series = this.series.value;
    const viewport = this.current();
    if (!series || !viewport || this.state.value.at === "empty") return;
    const wanted = Math.min(series.pictures.length - 1, Math.max(0, index));
    this.index.value = wanted;
    const turn = this.turn;
    try {
      await within(25, `Image ${wanted + 1}`, viewport.setImageIdIndex(wanted));
      if (turn !== this.turn) return;
      if (this.state.value.at === "failed") this.state.value = { at: "there" };
      viewport.render();
    } catch (error) {
      if (turn === this.turn && this.index.value === wanted) this.state.value = { at: "failed", words: wordsOf(error) };
    }
  }

  step(by: number): void {
    void this.at(this.index.value + by);
  }

  window(preset: Preset): void {
    if (preset.centre === null || preset.width === null) return this.setRange(this.sent);
    this.setRange({ lower: preset.centre - preset.width / 2, upper: preset.centre + preset.width / 2 });
  }

  invert(): void {
    const viewport = this.current();
    viewport?.setProperties({ invert: !viewport.getProperties().invert });
    viewport?.render();
  }

  reset(): void {
    const viewport = this.current();
    viewport?.resetProperties();
    viewport?.resetCamera();
    viewport?.render();
    if (this.sent) this.setRange(this.sent);
  }

  take(tool: Tool): void {
    this.tool.value = tool;
    for (const name of Object.values(toolNames)) this.group?.setToolPassive(name, { removeAllBindings: true });
    const { MouseBindings } = tools.Enums;
    this.group?.setToolActive(toolNames[tool], { bindings: [{ mouseButton: MouseBindings.Primary }] });
    if (tool !== "pan") this.group?.setToolActive(toolNames.pan, { bindings: [{ mouseButton: MouseBindings.Auxiliary }] });
    if (tool !== "window") this.group?.setToolActive(toolNames.window, { bindings: [{ mouseButton: MouseBindings.Secondary }] });
  }

  /** Cine in the header's own time; through the phases of this place where it has several, else through the whole stack. */
  play(): void {
    if (this.playing.value) return this.stop();
    const series = this.series.value;
    if (!series || series.pictures.length < 2) return;
    this.playing.value = true;
    const wait = Math.min(1000, Math.max(15, series.frame_ms ?? 100));
    const next = async () => {
      if (!this.playing.value) return;
      const began = performance.now();
      const phases = series.phases > 1 ? series.phases : series.pictures.length;
      const first = Math.floor(this.index.value / phases) * phases;
      await this.at(first + ((this.index.value - first + 1) % phases));
      if (this.playing.value) this.clock = window.setTimeout(() => void next(), Math.max(0, wait - (performance.now() - began)));
    };
    void next();
  }

  stop(): void {
    clearTimeout(this.clock);
    this.playing.value = false;
  }

  /** The pixel of the image under a point of the page. */
  pixelAt(x: number, y: number): [number, number] | null {
    const affine = this.affine.value;
    if (!affine) return null;
    const box = this.element.getBoundingClientRect();
    const [a, b, c, d, e, f] = affine;
    const [u, v] = [x - box.left - e, y - box.top - f];
    const area = a * d - b * c;
    return [(d * u - c * v) / area, (a * v - b * u) / area];
  }

  destroy(): void {
    this.turn += 1;
    this.stop();
    this.resized.disconnect();
    if (this.group) tools.ToolGroupManager.destroyToolGroup(this.group.id);
    if (this.enabled) engine().disableElement(this.id);
    this.enabled = false;
  }

  private setRange(range: { lower: number; upper: number } | null): void {
    const viewport = this.current();
    if (!viewport || !range) return;
    viewport.setProperties({ voiRange: range });
    viewport.render();
  }

  private async viewport(): Promise<core.StackViewport> {
    if (!this.enabled) {
      await start();
      this.enabled = true;
      engine().enableElement({ viewportId: this.id, element: this.element, type: core.Enums.ViewportType.STACK });
      const { Events } = core.Enums;
      this.element.addEventListener(Events.STACK_NEW_IMAGE, () => this.drawn());
      this.element.addEventListener(Events.CAMERA_MODIFIED, () => this.drawn());
      this.element.addEventListener(Events.IMAGE_RENDERED, () => this.drawn());
      this.element.addEventListener(Events.VOI_MODIFIED, (event) => {
        this.range.value = (event as CustomEvent<{ range: { lower: number; upper: number } }>).detail.range;
      });
      this.resized.observe(this.element);
      this.group = tools.ToolGroupManager.createToolGroup(`tools-${this.id}`)!;
      for (const name of Object.values(toolNames)) this.group.addTool(name);
      this.group.addTool(tools.StackScrollTool.toolName);
      this.group.addViewport(this.id, engine().id);
      this.group.setToolActive(tools.StackScrollTool.toolName, { bindings: [{ mouseButton: tools.Enums.MouseBindings.Wheel }] });
      this.take(this.tool.value);
    }
    return this.current()!;
  }

  private current(): core.StackViewport | undefined {
    return this.enabled ? (engine().getViewport(this.id) as core.StackViewport | undefined) : undefined;
  }

  private fit(): void {
    if (this.enabled) engine().resize(true, true);
    this.drawn();
  }

  /** Publish what is on screen now, and how its pixels lie in the viewport. */
  private drawn(): void {
    const viewport = this.current();
    const series = this.series.value;
    const data = viewport?.getImageData();
    if (!viewport || !series || !data) return;
    const shown = series.pictures.findIndex((one) => one.imageId === viewport.getCurrentImageId());
    if (shown < 0) return;
    const place = (column: number, row: number) => viewport.worldToCanvas([...data.imageData.indexToWorld!([column, row, 0])] as core.Types.Point3);
    const half = core.getShouldUseCPURendering() ? 0.5 : 0; // the processor's renderer counts pixels from their corner
    const [origin, right, down] = [place(half, half), place(half + 1, half), place(half, half + 1)];
    const affine: Affine = [right[0] - origin[0], right[1] - origin[1], down[0] - origin[0], down[1] - origin[1], origin[0], origin[1]];
    batch(() => {
      this.size.value = [data.dimensions[0], data.dimensions[1]];
      if (this.picture.value?.imageId !== series.pictures[shown]!.imageId) this.picture.value = series.pictures[shown]!;
      if (!this.playing.value) this.index.value = shown;
      if (affine.every(Number.isFinite) && affine.some((value, i) => value !== this.affine.value?.[i])) this.affine.value = affine;
    });
  }
}
