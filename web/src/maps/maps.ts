import { computed, effect, signal } from "@preact/signals";
import { askArray } from "../api/door";
import type { Curve, MapInfo } from "../api/shapes";
import { ticksOf } from "../kit/ticks";
import type { Session } from "../room/session";
import { wordsOf } from "../viewer/deadline";
import { INFERNO } from "../viewer/maps";
import { spoken } from "../words";
import { minus, type Point2, type Point3, toPatient, toPixel, type Viewport } from "../viewer/viewport";
import { Grid, type Limits, type Told } from "./halves";
import scales from "./scales.json";

/** A map of a result of this study. */
export interface Listed extends MapInfo {
  result: string;
  analysis: string;
  curves: Curve[];
}

export type MapState = { at: "none" } | { at: "loading" } | { at: "there"; grid: Grid } | { at: "failed"; words: string };

/** Maps that stay in memory when another one is looked at. */
const KEPT = 6;

/** The maps of one study: which one lies over the images, in which colours and limits, and what is under the cursor. */
export class Maps {
  readonly all = computed<Listed[]>(() => this.made.value.filter((one) => !one.withheld));
  /** Those that may not be shown, each with its reason. */
  readonly withheld = computed<Listed[]>(() => this.made.value.filter((one) => one.withheld));
  private readonly made = computed<Listed[]>(() => (this.session.results.value ?? []).flatMap((result) => result.maps.map((map) => ({ ...map, result: result.id, analysis: result.analysis, curves: result.curves }))));
  /** Which of them, by its values and name, so that a correction of its result does not take it away; empty for none. */
  readonly chosen = signal("");
  readonly listed = computed<Listed | null>(() => this.all.value.find((one) => keyOfMap(one) === this.chosen.value) ?? null);
  readonly state = signal<MapState>({ at: "none" });
  readonly grid = computed<Grid | null>(() => (this.state.value.at === "there" ? this.state.value.grid : null));
  readonly limits = signal<Limits>([null, null]);
  readonly opacity = signal(0.6);
  /** Where somebody points, in a viewport that shows the map: as an index of the grid, and in the patient. */
  readonly cursor = signal<{ viewport: Viewport; index: Point3; mm: Point3 | null } | null>(null);

  /** The ends of the colours: fixed for what has customary ones, else round numbers around nearly all of its values. */
  readonly ends = computed<[number, number]>(() => {
    const grid = this.grid.value;
    if (!grid) return [0, 1];
    const { name, unit } = grid.told;
    const fixed = scales.find((one) => one.unit === unit && (!one.name || one.name === name));
    if (fixed) return fixed.ends as [number, number];
    const [low, high] = [grid.quantile(0.01), grid.quantile(0.99)];
    const ticks = ticksOf(low >= 0 && low < high / 2 ? 0 : low, high > low ? high : low + 1);
    return [ticks[0]!, ticks.at(-1)!];
  });
  readonly palette = computed(() => this.grid.value?.palette(INFERNO, this.ends.value, this.limits.value) ?? null);

  private readonly kept = new Map<string, Promise<Grid>>();
  private readonly key = computed(() => (this.listed.value ? keyOfMap(this.listed.value) : ""));
  private readonly forget: () => void;

  constructor(private readonly session: Session) {
    this.forget = effect(() => this.follow(this.key.value));
  }

  end(): void {
    this.forget();
    this.kept.clear();
  }

  choose(key: string): void {
    this.chosen.value = key;
  }

  /** The next map; after the last one none. */
  next(): void {
    const keys = [...this.all.value.map(keyOfMap), ""];
    this.choose(keys[(keys.indexOf(this.chosen.value) + 1) % keys.length]!);
  }

  stepOpacity(by: number): void {
    this.opacity.value = Math.round(Math.min(1, Math.max(0, this.opacity.value + 0.1 * by)) * 100) / 100;
  }

  /** The index of a place of the patient; null for a map that lies in none. */
  indexOf(mm: Point3): Point3 | null {
    const told = this.grid.value?.told;
    return told?.reference === "patient" ? solved(told.affine, minus(mm, originOf(told))) : null;
  }

  /** Set one limit; the other gives way. */
  limit(end: 0 | 1, value: number | null): void {
    const next: Limits = [...this.limits.value];
    next[end] = value;
    if (next[0] !== null && next[1] !== null && next[0] > next[1]) next[1 - end] = value;
    this.limits.value = next;
  }

  /** Somebody points at a place of a viewport. */
  pointAt(viewport: Viewport, at: Point2 | null): void {
    const [grid, placing] = [this.grid.peek(), this.grid.peek() && placingOf(viewport, this.grid.peek()!)];
    if (!grid || !placing || !at) return void (this.cursor.value = null);
    const view = viewport.view.peek();
    this.cursor.value = { viewport, index: indexAt(placing, ...at), mm: view && toPatient(view, ...at) };
  }

  private follow(key: string): void {
    const listed = this.listed.peek();
    this.limits.value = [null, null];
    this.cursor.value = null;
    if (!listed) return void (this.state.value = { at: "none" });
    this.state.value = { at: "loading" };
    this.load(listed, key).then(
      (grid) => this.key.peek() === key && (this.state.value = { at: "there", grid }),
      (error: unknown) => this.key.peek() === key && (this.state.value = { at: "failed", words: wordsOf(error) }),
    );
  }

  private load(listed: Listed, key: string): Promise<Grid> {
    let grid = this.kept.get(key);
    if (!grid) {
      grid = askArray<Told>(`/api/results/${listed.result}/map?name=${encodeURIComponent(listed.name)}`).then(({ told, body }) => new Grid(told, body));
      grid.catch(() => this.kept.delete(key));
      this.kept.set(key, grid);
      if (this.kept.size > KEPT) this.kept.delete(this.kept.keys().next().value!);
    }
    return grid;
  }
}

/** What a map is called on screen: a quantity by its own name, a map of sensitivity in words and never by the name of a disease alone. */
export function titleOfMap({ name, kind }: { name: string; kind: string }): string {
  return kind === "sensitivity" ? spoken(name) : name;
}

export function keyOfMap({ digest, name }: MapInfo): string {
  return `${digest} ${name}`;
}

/** The index of the grid under the canvas' corner, and how it changes for one canvas pixel to the right and one down. */
export interface Placing {
  origin: Point3;
  right: Point3;
  down: Point3;
}

/** How a map lies on a viewport; null where the two share no space. */
export function placingOf(viewport: Viewport, { told }: Grid): Placing | null {
  const [view, image, series] = [viewport.view.value, viewport.image.value, viewport.series.value];
  const own = !!told.series_uid && told.series_uid === series?.uid;
  if (told.reference === "patient") {
    if (!view || (told.frame && view.frame ? told.frame !== view.frame : !own)) return null;
    const from = originOf(told);
    const turned = (vector: Point3) => solved(told.affine, vector);
    return { origin: turned(minus(view.origin, from)), right: turned(view.right), down: turned(view.down) };
  }
  if (!own || !image || image.columns !== told.shape[2] || image.rows !== told.shape[1]) return null;
  const at = (x: number, y: number): Point3 => [told.shape[0] === 1 ? 0 : image.picture.frame, ...(toPixel(image.affine, x, y).reverse() as Point2)];
  const origin = at(0, 0);
  return { origin, right: minus(at(1, 0), origin), down: minus(at(0, 1), origin) };
}

export function indexAt({ origin, right, down }: Placing, x: number, y: number): Point3 {
  return [0, 1, 2].map((i) => origin[i]! + x * right[i]! + y * down[i]!) as Point3;
}

function originOf({ affine }: Told): Point3 {
  return affine.slice(0, 3).map((row) => row[3]!) as Point3;
}

/** Cramer's rule for the three columns of an affine. */
function solved(affine: number[][], vector: Point3): Point3 {
  const columns = [0, 1, 2].map((c) => [0, 1, 2].map((r) => affine[r]![c]!));
  const whole = determinant(columns);
  return [0, 1, 2].map((i) => determinant(columns.map((column, c) => (c === i ? [...vector] : column))) / whole) as Point3;
}

function determinant([a, b, c]: number[][]): number {
  return a![0]! * (b![1]! * c![2]! - b![2]! * c![1]!) - a![1]! * (b![0]! * c![2]! - b![2]! * c![0]!) + a![2]! * (b![0]! * c![1]! - b![1]! * c![0]!);
}
