import { effect, signal, untracked } from "@preact/signals";
import { setQuery } from "../router";
import { BodyView } from "../viewer/body";
import { cut, type Layout, type Lightbox, sizes } from "../viewer/lightbox";
import type { Colouring } from "../viewer/tint";
import { type Blend, PlaneView } from "../viewer/plane";
import { StackView } from "../viewer/stack";
import type { Point3, Turn, Viewport } from "../viewer/viewport";
import type { Hanging } from "./hanging";
import type { Place } from "./here";
import type { Session } from "./session";

type Arranged = Exclude<Layout, "beside"> | "3d";

/** What an address may name; planes through two studies it leads back to as the two side by side. */
const LAYOUTS = [...Object.keys(sizes).filter((one) => one !== "beside"), "3d"];

const BLENDS: readonly string[] = ["mip", "mean", "minip"] satisfies Blend[];
const TURNS: Record<string, Turn> = { h: "flip-horizontal", v: "flip-vertical", r: "rotate", i: "invert" };
/** So long nothing may move until it is written down: nobody's address turns over while they scroll. */
const STILL_MS = 400;
/** A point that has moved by less is where it was. */
const NEAR_MM = 0.05;

/** How the images hang, as an address has it: each is null or empty where it says nothing. */
interface Asked {
  /** Of the hanging protocol, from 1. */
  stage: number | null;
  layout: Arranged | "";
  /** The series of each place; empty for one that is as it comes. */
  hang: readonly string[];
  over: string;
  /** The earlier study that `over` is of. */
  of: string;
  beside: string;
  /** Where the planes cross (mm, LPS). */
  at: Point3 | null;
  slab: { blend: Blend; thickness_mm: number } | null;
  /** Of what lies over the planes. */
  colours: Colouring | null;
  /** For each place, from 1: what lies in its middle, how much of it is seen, and for a plane that was turned how it stands. */
  lies: ReadonlyMap<number, number[]>;
  /** How each place is turned, flipped and inverted. */
  turned: ReadonlyMap<number, Turn[]>;
}

/**
 * Stage, layout, planes, slab, colours, zoom, place and turns stand in the address: a reload comes back to them, and an address that
 * somebody sends leads there. What comes by itself needs no words in it. What it asks for and cannot be had is told, and
 * the rest is heeded.
 */
export class Arrangement {
  readonly asked: Asked;
  /** What of the address was not heeded, and why. */
  readonly ignored = signal<readonly string[]>([]);
  private began: Point3 | null = null;
  private clock = 0;
  private forget: () => void = () => undefined;

  constructor(private readonly session: Session, private readonly lightbox: Lightbox, private readonly hanging: Hanging, private readonly place: Place) {
    const query = new URL(location.href).searchParams;
    this.asked = this.read(query);
    if (this.asked.colours) lightbox.tint.want(this.asked.colours, this.asked.over);
  }

  /** What hangs first hangs: bring it to what the address asks for, and from then on write down what it has become. */
  async begin(): Promise<void> {
    const { stage, beside } = this.asked;
    const many = this.hanging.stages.peek().length;
    if (stage !== null && stage > many) this.ignore(`stage=${stage}`, many ? `this study hangs in ${many === 1 ? "one stage" : `${many} stages`}` : "this study hangs by no protocol");
    this.must("series", (uid) => this.session.study.value?.series.some((one) => one.uid === uid), "this study has no such series");
    this.must("image", (uid) => this.session.study.value?.series.some((one) => one.instances.some((image) => image.sop_uid === uid)), "this study has no such image");
    if (this.asked.layout && !beside) await this.lay(this.asked.layout);
    this.put();
    if (!beside) this.lie();
    const { of } = this.asked;
    const lie = () => queueMicrotask(() => this.lie());
    const stops = [beside && this.whenTold("beside", beside, lie, lie), of && this.whenTold("of", of, () => this.layOver(of))];
    const stopWriting = this.write();
    this.forget = () => [...stops, stopWriting].forEach((stop) => stop && stop());
  }

  end(): void {
    clearTimeout(this.clock);
    this.forget();
  }

  private async lay(layout: Arranged): Promise<void> {
    const { lightbox } = this;
    const cells = lightbox.cells.peek();
    const shown = cells[Math.max(0, lightbox.activeNumber.peek())];
    if (!shown) return;
    const flat = { ...shown, kind: "stack" as const, plane: undefined, over: undefined, overOf: undefined };
    if (layout === "planes" || layout === "3d") {
      const series = await lightbox.shelf.load(shown.study, shown.series).catch(() => null);
      if (!series) return; // its place says why
      if (series.noVolume) return this.ignore(`layout=${layout}`, series.noVolume);
      if (this.asked.at) lightbox.through(this.asked.at, series.frame);
      lightbox.slab.value = this.asked.slab;
      if (this.asked.slab) lightbox.thickness_mm.value = this.asked.slab.thickness_mm;
      if (layout === "3d") return lightbox.hang("1x1", [{ ...flat, kind: "volume" }]);
      const over = this.asked.of ? "" : this.asked.over;
      const known = !over || this.session.study.value?.series.some((one) => one.uid === over && one.viewable);
      if (!known) this.ignore("over", "this study has no such series");
      return lightbox.hang("planes", cut(flat).map((one) => (one.kind === "plane" && over && known ? { ...one, over } : one)));
    }
    const others = (this.session.study.value?.series ?? []).filter((one) => one.viewable && one.uid !== flat.series);
    if (sizes[layout] > 1 && !others.length) return this.ignore(`layout=${layout}`, "this study has one series");
    lightbox.hang(layout, [flat, ...others.map((one) => ({ kind: "stack" as const, study: flat.study, series: one.uid }))]);
  }

  /** Other series in their places than come by themselves. */
  private put(): void {
    const viewable = new Set((this.session.study.value?.series ?? []).filter((one) => one.viewable).map((one) => one.uid));
    this.lightbox.cells.peek().forEach((cell, place) => {
      const series = this.asked.hang[place];
      if (!series || cell.kind !== "stack" || cell.prior || cell.series === series) return;
      if (!viewable.has(series)) return this.ignore("hang", "this study has no such series");
      const { image, frame, window } = this.place;
      const inHand = series === this.place.series;
      this.lightbox.put(place, { kind: "stack", study: cell.study, series, window: inHand ? window : null, at: inHand && image ? { sop: image, frame } : undefined });
    });
    const inHand = this.asked.hang.indexOf(this.place.series);
    if (this.place.series && inHand >= 0 && inHand < this.lightbox.cells.peek().length) this.lightbox.choose(inHand);
  }

  /** As much of each place is seen as the address says, and so turned, once it is there. */
  private lie(): void {
    const { lies, turned } = this.asked;
    for (const place of new Set([...lies.keys(), ...turned.keys()])) {
      this.lightbox.layAs(place - 1, (view) => {
        for (const act of turned.get(place) ?? []) view.turn(act);
        const numbers = lies.get(place);
        if (numbers) view.lie?.(numbers);
      });
    }
  }

  /** What an earlier study is needed for happens when it is known that there is one. */
  private whenTold(name: "beside" | "of", study: string, then: () => void, otherwise: () => void = () => undefined): () => void {
    let heeded = false;
    return effect(() => {
      const told = this.hanging.priors.value;
      if (!told || heeded) return;
      heeded = true;
      untracked(() => {
        if (told.priors.some((one) => one.study === study)) return then();
        this.ignore(name, "it is no earlier study of this patient that you may see");
        otherwise();
      });
    });
  }

  private layOver(of: string): void {
    const { over } = this.asked;
    const series = this.hanging.priors.peek()?.priors.find((one) => one.study === of)?.series ?? [];
    if (!series.some((one) => one.uid === over && one.viewable)) return this.ignore("over", "that study has no such series");
    if (this.lightbox.layout.peek() === "planes") this.lightbox.lay(over, of);
  }

  private write(): () => void {
    const { lightbox, hanging } = this;
    return effect(() => {
      void [lightbox.layout.value, lightbox.cells.value, lightbox.tint.set(lightbox.laidOver.value), lightbox.slab.value, lightbox.point.value, hanging.stage.value, hanging.priors.value];
      for (const one of lightbox.viewports.value) void [one.view.value, one.image.value, one.state.value, one instanceof BodyView && one.stands.value, (one instanceof StackView || one instanceof PlaneView) && one.inverted.value];
      this.cross();
      clearTimeout(this.clock);
      this.clock = window.setTimeout(() => this.tell(), STILL_MS);
    });
  }

  /** Remember where planes cross by themselves as soon as they do: whoever goes elsewhere at once has still gone elsewhere. */
  private cross(): void {
    const plane = this.began || this.asked.at ? undefined : this.plane();
    if (plane) this.began = this.lightbox.pointIn(plane.series.peek()?.frame ?? "");
  }

  private plane(): Viewport | undefined {
    return this.lightbox.viewports.peek().find((one) => one.kind === "plane" && one.state.peek().at === "there");
  }

  private tell(): void {
    const { lightbox, hanging } = this;
    const cells = lightbox.cells.peek();
    if (!cells.length || !hanging.priors.peek()) return; // an earlier study that the address names may be about to hang
    const itself = hanging.asHung();
    const planes = lightbox.layout.peek() === "planes";
    const prior = cells.find((one) => one.prior)?.study ?? "";
    const plane = this.plane();
    const slab = planes ? lightbox.slab.peek() : null;
    const stage = hanging.stage.peek();
    setQuery("stage", stage !== hanging.first ? String(stage + 1) : "");
    setQuery("layout", itself || prior ? "" : cells.some((one) => one.kind === "volume") ? "3d" : lightbox.layout.peek());
    setQuery("over", itself || !planes ? "" : lightbox.laidOver.peek());
    setQuery("of", itself || !planes ? "" : (cells.find((one) => one.over)?.overOf ?? ""));
    setQuery("beside", itself ? "" : prior);
    setQuery("at", plane ? this.point(plane.series.peek()?.frame ?? "") : "");
    setQuery("slab", slab ? `${slab.blend},${slab.thickness_mm}` : "");
    const worn = planes && lightbox.laidOver.peek() ? lightbox.tint.set(lightbox.laidOver.value) : null; // of what has not come yet the address says what it said
    if (worn !== undefined) setQuery("colours", worn ? [worn.lower, worn.upper, worn.threshold, worn.opacity].map((value) => Number(value.toPrecision(6))).join(",") : "");
    const other = cells.some((one, place) => one.kind === "stack" && !one.prior && one.series !== hanging.cameIn(place));
    setQuery("hang", other && cells.length > 1 && (itself || !prior) && !planes && lightbox.layout.peek() !== "beside" ? cells.map((one) => (one.kind === "stack" && !one.prior ? one.series : "")).join(",") : "");
    setQuery("view", this.placed((one) => one.lying?.()?.map((value, i) => Number(value.toFixed(i < 4 ? 2 : 4))).join(",")));
    setQuery("turned", this.placed((one) => one.turned?.().map((act) => Object.keys(TURNS).find((letter) => TURNS[letter] === act)).join("")));
  }

  /** What there is to say of each place that is there. */
  private placed(said: (one: Viewport) => string | undefined): string {
    const { lightbox } = this;
    if (lightbox.layout.peek() === "beside") return "";
    return lightbox.viewports.peek().flatMap((one) => {
      const words = one.state.peek().at === "there" && said(one);
      return words ? [`${lightbox.numberOf(one) + 1}:${words}`] : [];
    }).join(";");
  }

  /** Where the planes cross, unless it is where they crossed by themselves. */
  private point(frame: string): string {
    const point = this.lightbox.pointIn(frame);
    if (!point) return "";
    if (this.began?.every((value, i) => Math.abs(value - point[i]!) < NEAR_MM)) return "";
    return point.map((value) => Number(value.toFixed(1))).join(",");
  }

  private read(query: URLSearchParams): Asked {
    const take = <T>(name: string, told: (text: string) => T | null, wanted: string): T | null => {
      const text = query.get(name);
      if (!text) return null;
      const found = told(text);
      if (found === null) this.ignore(`${name}=${text.slice(0, 40)}`, wanted);
      return found;
    };
    const uid = (text: string) => (/^[0-9.]{1,64}$/.test(text) ? text : null);
    for (const name of ["series", "image"]) take(name, uid, "a UID has digits and dots alone");
    take("window", (text) => (numbersIn(text, [2]) && Number(text.split(",")[1]) > 0 ? text : null), "a window is its centre and its width");
    return {
      stage: take("stage", (text) => (/^[1-9][0-9]?$/.test(text) ? Number(text) : null), "stages count from 1"),
      layout: take("layout", (text) => (LAYOUTS.includes(text) ? (text as Arranged) : null), `known are ${LAYOUTS.slice(0, -1).join(", ")} and 3d`) ?? "",
      hang: take("hang", (text) => (/^[0-9.]{0,64}(,[0-9.]{0,64}){0,3}$/.test(text) ? text.split(",") : null), "a series for each place, between commas") ?? [],
      over: take("over", uid, "a UID has digits and dots alone") ?? "",
      of: take("of", uid, "a UID has digits and dots alone") ?? "",
      beside: take("beside", uid, "a UID has digits and dots alone") ?? "",
      at: take("at", (text) => numbersIn(text, [3]) as Point3 | null, "a point is x,y,z in mm"),
      slab: take("slab", slabIn, "a slab is mip, mean or minip and 1 to 500 mm"),
      colours: take("colours", coloursIn, "colours are their darkest and their brightest value, the value from which they are drawn, and their opacity from 0 to 1"),
      lies: take("view", liesIn, "a view is its place, its middle and its width in numbers") ?? new Map(),
      turned: take("turned", turnsIn, "turns are a place and letters of h, v, r, i") ?? new Map(),
    };
  }

  private must(name: "series" | "image", there: (uid: string) => boolean | undefined, why: string): void {
    const uid = new URL(location.href).searchParams.get(name);
    if (uid && /^[0-9.]{1,64}$/.test(uid) && !there(uid)) this.ignore(name, why);
  }

  private ignore(what: string, why: string): void {
    this.ignored.value = [...this.ignored.peek(), `${what}: ${why}`];
  }
}

/** Finite numbers in their order; null where one is none, or there are not as many as there may be. */
function numbersIn(text: string, many: readonly number[], below = 1e5): number[] | null {
  const parts = text.split(",");
  const told = parts.map(Number);
  return many.includes(told.length) && parts.every((part) => part.trim() !== "") && told.every((value) => Number.isFinite(value) && Math.abs(value) < below) ? told : null;
}

function slabIn(text: string): Asked["slab"] {
  const [blend = "", mm = ""] = text.split(",");
  const thickness_mm = Number(mm);
  return BLENDS.includes(blend) && thickness_mm >= 1 && thickness_mm <= 500 ? { blend: blend as Blend, thickness_mm } : null;
}

/** Activity is told in Bq/mL, too: a billion of them is none that a scanner shows. */
function coloursIn(text: string): Colouring | null {
  const [lower, upper, threshold, opacity] = numbersIn(text, [4], 1e9) ?? [];
  if (lower === undefined || upper === undefined || threshold === undefined || opacity === undefined) return null;
  return upper > lower && opacity >= 0 && opacity <= 1 ? { lower, upper, threshold, opacity } : null;
}

/** Of an image column, row and width; of a plane x, y, z, width, and where it was turned two directions more. */
function liesIn(text: string): Map<number, number[]> | null {
  const told = new Map<number, number[]>();
  for (const part of text.split(";")) {
    const [, place, numbers] = /^([1-4]):(.+)$/.exec(part) ?? [];
    const found = numbers && numbersIn(numbers, [3, 4, 10]);
    if (!place || !found || !(found[found.length === 3 ? 2 : 3]! > 0)) return null;
    told.set(Number(place), found);
  }
  return told;
}

function turnsIn(text: string): Map<number, Turn[]> | null {
  const told = new Map<number, Turn[]>();
  for (const part of text.split(";")) {
    const [, place, letters] = /^([1-4]):([hvri]{1,6})$/.exec(part) ?? [];
    if (!place || !letters) return null;
    told.set(Number(place), [...letters].map((letter) => TURNS[letter]!));
  }
  return told;
}
