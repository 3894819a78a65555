import * as core from "@cornerstonejs/core";
import { computed, signal } from "@preact/signals";
import { within, wordsOf } from "./deadline";
import type { Loaded } from "./series";
import { canDrawVolumes, engine, start } from "./start";
import { cross, minus, type Point2, type Point3, plus, type Range, type Turn, unit, type View, type Viewport, type ViewState } from "./viewport";
import type { SeriesVolume } from "./volume";

/** What a 3-D picture shows of a volume, by modality: the drawing library's own transfer functions. */
const presets: Record<string, string> = { CT: "CT-Bone", MR: "MR-Default", PT: "MR-MIP" };

/** From where a body is looked at: directions of the patient (LPS), and what is seen. */
interface Stand {
  towards: Point3;
  up: Point3;
  /** The patient's point in the middle, and how many millimetres of the patient the shorter edge is long. */
  middle: Point3;
  wide_mm: number;
}

/** Steps of the rays against the library's own: what a processor without a graphics card can still draw. */
const COARSER = 3;

let serial = 0;

/** The volume as a body to turn about; made only when somebody asks for it, for it takes seconds. */
export class BodyView implements Viewport {
  readonly id = `body-${++serial}`;
  readonly kind = "volume";
  readonly name = signal("3D");
  readonly state = signal<ViewState>({ at: "empty" });
  readonly series = signal<Loaded | null>(null);
  readonly volume = signal<SeriesVolume | null>(null);
  readonly view = signal<View | null>(null);
  readonly image = signal(null);
  readonly range = signal<Range | null>(null);
  readonly stands = signal<Stand | null>(null);
  readonly index = signal(0);
  readonly count = signal(0);
  readonly reduced = computed(() => {
    return this.volume.value?.words() ?? "";
  });

  private enabled = false;
  private turns = 0;
  private came: Stand | null = null;
  private readonly resized = new ResizeObserver(() => this.enabled && engine().resize(true, true));

  constructor(readonly element: HTMLDivElement) {}

  async show(volume: SeriesVolume): Promise<void> {
    const turn = ++this.turns;
    this.series.value = volume.series;
    this.state.value = { at: "loading", words: "the body, some seconds" };
    try {
      await start();
      if (!canDrawVolumes()) throw new Error("this browser has no WebGL");
      await volume.whole();
      if (turn !== this.turns) return;
      if (!this.enabled) {
        this.enabled = true;
        engine().enableElement({ viewportId: this.id, element: this.element, type: core.Enums.ViewportType.VOLUME_3D, defaultOptions: { orientation: core.Enums.OrientationAxis.CORONAL, background: [0, 0, 0] } });
        this.resized.observe(this.element);
      }
      await within(60, "The body", core.setVolumesForViewports(engine(), [{ volumeId: volume.volumeId }], [this.id]));
      if (turn !== this.turns) return;
      this.viewport.setProperties({ preset: presets[volume.series.modality] ?? "MR-Default", sampleDistanceMultiplier: COARSER });
      this.viewport.render();
      this.volume.value = volume;
      this.state.value = { at: "there" };
      this.stood();
      this.came = this.stands.peek();
    } catch (error) {
      if (turn === this.turns) this.state.value = { at: "failed", words: wordsOf(error) };
    }
  }

  /** Turn the body: to the right and down, in pixels of a drag. */
  pan(dx: number, dy: number): void {
    if (this.state.value.at !== "there") return;
    const camera = (this.viewport as unknown as { getVtkActiveCamera(): { azimuth(a: number): void; elevation(a: number): void; orthogonalizeViewUp(): void } }).getVtkActiveCamera(); // protected in the types, and the only way to turn
    camera.azimuth(-dx / 2);
    camera.elevation(dy / 2);
    camera.orthogonalizeViewUp();
    this.viewport.render();
    this.stood();
  }

  zoom(factor: number): void {
    if (this.state.value.at !== "there") return;
    this.viewport.setZoom(this.viewport.getZoom() * factor);
    this.viewport.render();
    this.stood();
  }

  step(by: number): void {
    this.pan(-10 * by, 0);
  }

  /** From where the body is looked at now. What is returned shows another body from there. */
  lies(): ((again: Viewport) => void) | null {
    if (this.state.peek().at !== "there") return null;
    const camera = this.viewport.getCamera();
    return (again) => {
      if (!(again instanceof BodyView) || again.state.peek().at !== "there") return;
      again.viewport.setCamera(camera);
      again.viewport.render();
      again.stood();
    };
  }

  /** As of a turned plane: the point in the middle, how much of it is seen, and two directions. */
  lying(): number[] | null {
    const [now, came] = [this.stands.peek(), this.came];
    if (!now || !came || this.state.peek().at !== "there") return null;
    const numbers = numbersOf(now);
    return numbersOf(came).every((value, i) => Math.abs(value - numbers[i]!) < 0.005) ? null : numbers;
  }

  lie(numbers: readonly number[]): void {
    if (numbers.length !== 10 || this.state.peek().at !== "there") return;
    const [middle, towards, up] = [0, 4, 7].map((from) => numbers.slice(from, from + 3) as Point3) as [Point3, Point3, Point3];
    if (Math.hypot(...towards) < 0.5 || Math.hypot(...cross(towards, up)) < 0.5) return;
    const camera = this.viewport.getCamera();
    const away_mm = Math.hypot(...minus(camera.position as Point3, camera.focalPoint as Point3));
    const { clientWidth, clientHeight } = this.element;
    const high_mm = (numbers[3]! * clientHeight) / Math.min(clientWidth, clientHeight);
    const normal = unit(towards);
    this.viewport.setCamera({ focalPoint: middle, position: plus(middle, normal, away_mm), viewPlaneNormal: normal, viewUp: unit(cross(normal, unit(cross(up, normal)))), parallelScale: high_mm / 2 });
    this.viewport.render();
    this.stood();
  }

  reset(): void {
    if (this.state.value.at !== "there") return;
    this.viewport.resetCamera();
    this.viewport.render();
    this.stood();
  }

  at = () => Promise.resolve();
  go = (_point: Point3) => undefined;
  setRange = (_range: Range) => undefined;
  sent = () => null;
  turn = (_act: Turn) => undefined;
  valueAt = () => null;
  point = (_at: Point2) => undefined;

  destroy(): void {
    this.turns += 1;
    this.resized.disconnect();
    if (this.enabled) engine().disableElement(this.id);
    this.enabled = false;
  }

  private stood(): void {
    const { focalPoint, position, viewUp, parallelScale } = this.viewport.getCamera();
    const { clientWidth, clientHeight } = this.element;
    if (!focalPoint || !position || !viewUp || !parallelScale || !clientHeight) return;
    const towards = unit(minus(position as Point3, focalPoint as Point3));
    this.stands.value = { towards, up: [...viewUp] as Point3, middle: [...focalPoint] as Point3, wide_mm: (2 * parallelScale * Math.min(clientWidth, clientHeight)) / clientHeight };
  }

  private get viewport(): core.VolumeViewport3D {
    return engine().getViewport(this.id) as core.VolumeViewport3D;
  }
}

function numbersOf({ middle, wide_mm, towards, up }: Stand): number[] {
  return [...middle, wide_mm, ...towards, ...up];
}
