/** What the server tells beside the numbers of a map. */
export interface Told {
  shape: [slices: number, rows: number, columns: number];
  /** From (slice, row, column) to the patient (LPS mm), or to the map's own plane. */
  affine: number[][];
  frame: string;
  reference: string;
  scale: number;
  name: string;
  quantity: string;
  unit: string;
  kind: string;
  low: number;
  high: number;
  voxel_ml: number;
  series_uid: string;
  thresholds: Threshold[];
}

/** A range by which the analysis itself judged, with the name of its rule. */
export interface Threshold {
  name: string;
  low: number | null;
  high: number | null;
}

/** Lower and upper limit; null is no limit. */
export type Limits = [low: number | null, high: number | null];

const CODES = 65536;

/** The value of each of the 65536 numbers of half precision (IEEE 754 binary16). */
const VALUES = Float32Array.from({ length: CODES }, (_, code) => {
  const [sign, exponent, fraction] = [code >> 15 ? -1 : 1, (code >> 10) & 31, code & 1023];
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (exponent ? 2 ** (exponent - 15) * (1 + fraction / 1024) : 2 ** -14 * (fraction / 1024));
});

/** A value for each voxel, in half precision as it came: the picture and every volume are made from these very numbers. */
export class Grid {
  readonly codes: Uint16Array;
  /** Values in rising order, and how many voxels lie at or below each: any volume is two look-ups, however large the map is. */
  private readonly rising: Float64Array;
  private readonly upTo: Float64Array;

  constructor(readonly told: Told, body: ArrayBuffer) {
    this.codes = new Uint16Array(body);
    const counts = new Float64Array(CODES);
    for (let i = 0; i < this.codes.length; i++) counts[this.codes[i]!]!++;
    const there = [...counts.keys()].filter((code) => counts[code] && Number.isFinite(VALUES[code]!)).sort((a, b) => VALUES[a]! - VALUES[b]!);
    this.rising = Float64Array.from(there, (code) => VALUES[code]! * told.scale);
    let sum = 0;
    this.upTo = Float64Array.from(there, (code) => (sum += counts[code]!));
  }

  /** Voxels that have a value. */
  get known(): number {
    return this.upTo.at(-1) ?? 0;
  }

  voxels([low, high]: Limits): number {
    return Math.max(0, this.below(high, true) - this.below(low, false));
  }

  volume_ml(limits: Limits): number {
    return this.voxels(limits) * this.told.voxel_ml;
  }

  /** The value below which a share of the voxels lies. */
  quantile(share: number): number {
    const wanted = share * this.known;
    const at = this.upTo.findIndex((count) => count >= wanted);
    return this.rising[Math.max(0, at)] ?? 0;
  }

  /** The value at a place of the grid; null outside, and where none is known. */
  at([slice, row, column]: readonly number[]): number | null {
    const [s, r, c] = [Math.round(slice!), Math.round(row!), Math.round(column!)];
    const { shape, scale } = this.told;
    if (s < 0 || r < 0 || c < 0 || s >= shape[0] || r >= shape[1] || c >= shape[2]) return null;
    const value = VALUES[this.codes[(s * shape[1] + r) * shape[2] + c]!]! * scale;
    return Number.isFinite(value) ? value : null;
  }

  /** Mean and standard deviation of the 3 x 3 voxels of the slice around a place, of as many as have a value. */
  around([slice, row, column]: readonly number[]): { mean: number; deviation: number; count: number } | null {
    const some = [-1, 0, 1].flatMap((dr) => [-1, 0, 1].map((dc) => this.at([slice!, row! + dr, column! + dc]))).filter((value) => value !== null);
    if (some.length < 2) return null;
    const mean = some.reduce((sum, value) => sum + value, 0) / some.length;
    return { mean, deviation: Math.sqrt(some.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (some.length - 1)), count: some.length };
  }

  /** One colour for each code (bytes as a canvas has them), transparent outside the limits and where there is no value. */
  palette(colours: readonly (readonly number[])[], [dark, bright]: readonly [number, number], [low, high]: Limits): Uint32Array {
    const palette = new Uint32Array(CODES);
    const last = colours.length - 1;
    for (let code = 0; code < CODES; code++) {
      const value = VALUES[code]! * this.told.scale;
      if (!Number.isFinite(value) || (low !== null && value < low) || (high !== null && value > high)) continue;
      const part = Math.min(last, Math.max(0, ((value - dark) / (bright - dark || 1)) * last));
      const step = Math.min(last - 1, Math.floor(part));
      const [from, to] = [colours[step]!, colours[step + 1]!];
      const mixed = [0, 1, 2].map((i) => Math.round(from[i]! + (to[i]! - from[i]!) * (part - step)));
      palette[code] = (255 << 24) | (mixed[2]! << 16) | (mixed[1]! << 8) | mixed[0]!; // little-endian, as every browser's machine is
    }
    return palette;
  }

  /** How many voxels lie below a limit, or at it as well. */
  private below(limit: number | null, included: boolean): number {
    if (limit === null) return included ? this.known : 0;
    let [from, until] = [0, this.rising.length];
    while (from < until) {
      const middle = (from + until) >> 1;
      if (this.rising[middle]! < limit || (included && this.rising[middle] === limit)) from = middle + 1;
      else until = middle;
    }
    return from ? this.upTo[from - 1]! : 0;
  }
}
