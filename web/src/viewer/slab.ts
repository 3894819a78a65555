import * as core from "@cornerstonejs/core";
import { ask } from "../api/door";
import { slowLine, Timing } from "./line";
import { type Sent, stream } from "./stream";
import { streamApart } from "./stream-apart";

/** Where a series lies and what its images are, as `GET /api/studies/{study}/series/{series}/pictures` says it. */
export interface Described {
  series: string;
  modality: string;
  frame: string;
  unit: string;
  remark: string;
  type: "u1" | "i2" | "u2" | "f4";
  colour: boolean;
  inverse: boolean;
  phases: number;
  no_volume: string;
  tag: string;
  count: number;
  sop: string[];
  frames: number[];
  position: number[][];
  rows: Shared<number>;
  columns: Shared<number>;
  orientation: Shared<number[]>;
  spacing_mm: Shared<number[]>;
  thickness_mm: Shared<number>;
  sides: Shared<string[]>;
  windows: Shared<[number, number][]>;
  duration_ms: Shared<number>;
}

/** A value that all images share, or one for each. */
export type Shared<T> = T | { each: T[] };

export function each<T>(value: Shared<T>, number: number): T {
  return value !== null && typeof value === "object" && !Array.isArray(value) && "each" in (value as object) ? (value as { each: T[] }).each[number]! : (value as T);
}

/** Bytes of one answer: small enough that the first images of it are on screen while the rest still comes. */
const SLAB_BYTES = 24 * 2 ** 20;
const AT_ONCE = 3;
const TYPES = [Uint8Array, Int16Array, Uint16Array, Float32Array] as const;
const DEADLINE_S = 30;

interface Waiting {
  resolve: (image: core.Types.IImage) => void;
  reject: (error: Error) => void;
}

/** Fetches the images of one series in slabs: what somebody waits for first, in stretches, a few answers at a time. */
export class Slabs {
  private readonly waiting = new Map<number, Waiting>();
  private readonly asked = new Set<number>();
  private urgent: number[] = [];
  private running = 0;
  private planned = false;

  constructor(private readonly base: string, readonly about: Described, private readonly imageId: (number: number) => string, private readonly headers: Record<string, string> = {}) {}

  static async open(base: string, headers: Record<string, string> = {}): Promise<Described> {
    return ask<Described>(`${base}/pictures`, { deadline_s: DEADLINE_S, headers });
  }

  load(number: number, urgent: boolean): Promise<core.Types.IImage> {
    return new Promise((resolve, reject) => {
      const before = this.waiting.get(number);
      this.waiting.set(number, { resolve: (image) => (before?.resolve(image), resolve(image)), reject: (error) => (before?.reject(error), reject(error)) });
      if (urgent) this.urgent.push(number);
      if (this.planned) return;
      this.planned = true;
      queueMicrotask(() => this.go());
    });
  }

  private go(): void {
    this.planned = false;
    while (this.running < AT_ONCE || this.urgent.length) {
      const stretch = this.next();
      if (!stretch) return;
      this.running += 1;
      void this.fetch(...stretch).finally(() => {
        this.running -= 1;
        this.go();
      });
    }
  }

  /** The next stretch to ask for: what is urgent, alone and at once; else as many in a row, with one step between them, as one answer may hold. */
  private next(): [first: number, count: number, step: number] | null {
    for (let number = this.urgent.shift(); number !== undefined; number = this.urgent.shift()) {
      if (this.waiting.has(number) && !this.asked.has(number)) return [number, 1, 1];
    }
    const wanted = [...this.waiting.keys()].filter((number) => !this.asked.has(number));
    const first = wanted[0];
    if (first === undefined) return null;
    const step = Math.max(1, (wanted[1] ?? first + 1) - first);
    const bytes = each(this.about.rows, first) * each(this.about.columns, first) * (this.about.colour ? 3 : Number(this.about.type[1]));
    const most = Math.max(1, Math.floor(SLAB_BYTES / bytes));
    let count = 1;
    while (count < most && wanted[count] === first + count * step) count += 1;
    return [first, count, step];
  }

  private async fetch(first: number, count: number, step: number): Promise<void> {
    const numbers = Array.from({ length: count }, (_, i) => first + i * step);
    for (const number of numbers) this.asked.add(number);
    const slow = slowLine();
    let timing: Timing | null = null;
    try {
      const url = `${this.base}/slab?tag=${this.about.tag}&first=${first}&count=${count}&step=${step}${slow ? "&small=true" : ""}`;
      // Somebody waits for one image: it takes no way round. Many come without taking the page from whoever looks at it.
      await (count > 1 ? streamApart : stream)(url, this.headers, (one) => this.came(one), (bytes) => (timing ??= new Timing(slow)).came(bytes, performance.now()));
      this.fail(numbers, new Error("the answer ended before all images had come"));
    } catch (error) {
      this.fail(numbers, error as Error);
    } finally {
      (timing as Timing | null)?.end();
      for (const number of numbers) this.asked.delete(number);
    }
  }

  private came({ head, body }: Sent): void {
    const view = new DataView(head);
    const [bytes, number] = [view.getUint32(0, true), view.getUint32(4, true)];
    const waiting = this.waiting.get(number);
    this.waiting.delete(number);
    if (!bytes) waiting?.reject(new Error(`image ${number + 1} cannot be read: ${new TextDecoder().decode(body)}`));
    else waiting?.resolve(this.image(number, body, view));
  }

  private fail(numbers: number[], error: Error): void {
    for (const number of numbers) {
      this.waiting.get(number)?.reject(error);
      this.waiting.delete(number);
    }
  }

  /** One image as the drawing library wants it, from its values and their head. */
  image(number: number, buffer: ArrayBuffer, head: DataView): core.Types.IImage {
    const [rows, columns, type, samples] = [head.getUint16(8, true), head.getUint16(10, true), head.getUint8(12), head.getUint8(13)];
    const values = new TYPES[type]!(buffer);
    const window = each(this.about.windows, number)[0];
    const [low, high] = [head.getFloat64(16, true), head.getFloat64(24, true)];
    const [centre, width] = samples === 3 ? [128, 256] : (window ?? [(low + high) / 2, Math.max(high - low, 1e-6)]);
    const spacing = each(this.about.spacing_mm, number);
    const voxelManager = core.utilities.VoxelManager.createImageVoxelManager({ scalarData: values, width: columns, height: rows, numberOfComponents: samples });
    return {
      imageId: this.imageId(number),
      rows, columns, height: rows, width: columns,
      color: samples === 3, rgba: false, numberOfComponents: samples,
      minPixelValue: low, maxPixelValue: high,
      slope: 1, intercept: 0, windowCenter: centre, windowWidth: width, invert: this.about.inverse,
      rowPixelSpacing: spacing[0] ?? 1, columnPixelSpacing: spacing[1] ?? 1,
      preScale: { enabled: true, scaled: true, scalingParameters: { rescaleSlope: 1, rescaleIntercept: 0, modality: this.about.modality } },
      sizeInBytes: values.byteLength, dataType: values.constructor.name,
      voiLUTFunction: core.Enums.VOILUTFunctionType.LINEAR_EXACT,
      photometricInterpretation: samples === 3 ? "RGB" : this.about.inverse ? "MONOCHROME1" : "MONOCHROME2",
      imageFrame: undefined, voxelManager, getPixelData: () => values,
      getCanvas: () => canvasOf(values, rows, columns),
    } as unknown as core.Types.IImage; // prettier-ignore
  }
}

/** A picture in colour for the processor's renderer. */
function canvasOf(values: ArrayLike<number>, rows: number, columns: number): HTMLCanvasElement {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [columns, rows];
  const pen = canvas.getContext("2d")!;
  const data = pen.createImageData(columns, rows);
  for (let from = 0, to = 0; from < values.length; to += 4) {
    data.data[to] = values[from++]!;
    data.data[to + 1] = values[from++]!;
    data.data[to + 2] = values[from++]!;
    data.data[to + 3] = 255;
  }
  pen.putImageData(data, 0, 0);
  return canvas;
}
