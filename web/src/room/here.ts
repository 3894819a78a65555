import { effect } from "@preact/signals";
import type { Lightbox } from "../viewer/lightbox";
import { PlaneView } from "../viewer/plane";
import type { StackView } from "../viewer/stack";
import { toPatient } from "../viewer/viewport";
import { setQuery } from "../router";

export interface Window {
  centre: number;
  width: number;
}

/** An image of the study and the window that it is seen in, as an address has them. */
export interface Place {
  series: string;
  image: string;
  frame: number;
  window: Window | null;
}

/** So long nothing may move until the place is written down: nobody's address turns over while they scroll. */
const STILL_MS = 400;

/** The image in hand and its window stand in the address: a reload comes back to them, and an address that somebody sends leads there. */
export class Here {
  /** What the address asked for when the study was opened. */
  readonly asked = placeIn(new URL(location.href).searchParams);
  /** How each series came on screen by itself; that needs no words in the address. */
  private readonly began = new Map<string, Place>();
  /** The first image of each series, also where somebody scrolls on before it is there. */
  private readonly first = new Map<string, Place>();
  private clock = 0;
  private forget: () => void = () => undefined;

  /** `home` is the series that needs no words in the address. */
  constructor(private readonly study: string, private readonly lightbox: Lightbox, private readonly stack: () => StackView | null, private readonly home: () => string) {}

  /** Begin to write; planes beside the image that was asked for go through it. */
  begin(): void {
    let wanted = new URL(location.href).searchParams.get("at") ? "" : this.asked.image;
    this.forget = effect(() => {
      const view = this.stack();
      const [picture, plane] = [view?.picture.value, view?.view.value];
      void view?.range.value;
      clearTimeout(this.clock);
      if (!view) return this.windowed();
      if (picture) this.opens();
      if (!picture || view.state.value.at !== "there") return;
      setTimeout(() => this.begins()); // once it hangs in the window that it opens with
      if (wanted === picture.sop && plane) {
        wanted = "";
        const middle = toPatient(plane, view.element.clientWidth / 2, view.element.clientHeight / 2);
        queueMicrotask(() => this.lightbox.go(middle));
      }
      this.clock = window.setTimeout(() => this.write(), STILL_MS);
    });
  }

  /** Where planes hang without an image, their window stands in the address all the same. */
  private windowed(): void {
    const plane = this.plane();
    if (plane?.state.value.at !== "there" || !plane.range.value) return;
    setTimeout(() => this.begins());
    this.clock = window.setTimeout(() => this.write(), STILL_MS);
  }

  private plane(): PlaneView | null {
    const planes = this.lightbox.viewports.value.filter((one): one is PlaneView => one instanceof PlaneView && one.series.value?.study === this.study);
    return planes.find((one) => one === this.lightbox.active.value) ?? planes[0] ?? null;
  }

  end(): void {
    clearTimeout(this.clock);
    this.forget();
  }

  /** Where somebody is; null where no image of this study is in hand. */
  now(): Place | null {
    const view = this.stack();
    const [picture, series] = [view?.picture.peek(), view?.series.peek()];
    if (!picture || !series || series.study !== this.study) return null;
    return { series: series.uid, image: picture.sop, frame: picture.frame, window: windowOf(view!) };
  }

  /** The same of a plane, in which no image is in hand. */
  private cut(): Place | null {
    const plane = this.stack() ? null : this.plane();
    const series = plane?.series.peek();
    return series ? { series: series.uid, image: "", frame: 0, window: windowOf(plane!) } : null;
  }

  private opens(): void {
    const now = this.now();
    if (now && !this.first.has(now.series)) this.first.set(now.series, now);
  }

  private begins(): void {
    const now = this.now() ?? this.cut();
    if (!now || this.began.has(now.series)) return;
    // what an address asked for is no beginning
    const begins = !this.began.size;
    const image = begins && !!now.image && this.asked.image === now.image;
    const window = begins && !!this.asked.window && (this.asked.series || this.home()) === now.series;
    const first = image ? { ...now, image: "" } : (this.first.get(now.series) ?? now);
    this.began.set(now.series, { ...first, window: image || window ? null : now.window });
  }

  private write(): void {
    const now = this.now() ?? this.cut();
    if (!now) return;
    const first = this.began.get(now.series) ?? now;
    const moved = now.image !== first.image || now.frame !== first.frame;
    const other = words(now) !== words(first);
    setQuery("window", other ? words(now) : "");
    if (!now.image) return; // a plane: the image that was in hand before stays in the address
    setQuery("series", now.series === this.home() ? "" : now.series);
    setQuery("image", moved ? now.image : "");
    setQuery("frame", moved && now.frame ? String(now.frame) : "");
  }
}

const words = ({ window }: Place) => (window ? `${window.centre},${window.width}` : "");

function windowOf({ series, range }: StackView | PlaneView): Window | null {
  const now = range.peek();
  return now && !series.peek()?.colour ? { centre: short((now.lower + now.upper) / 2), width: short(now.upper - now.lower) } : null;
}

const short = (value: number) => Number(value.toPrecision(6));

/** UIDs and numbers alone: what is neither is not heeded. */
export function placeIn(query: URLSearchParams): Place {
  const uid = (name: string) => (/^[0-9.]{1,64}$/.exec(query.get(name) ?? "") ?? [""])[0];
  const [centre, width] = (query.get("window") ?? "").split(",").filter(Boolean).map(Number);
  const window = centre !== undefined && width !== undefined && Number.isFinite(centre) && width > 0 && Number.isFinite(width) ? { centre, width } : null;
  return { series: uid("series"), image: uid("image"), frame: Math.max(0, Math.trunc(Number(query.get("frame")) || 0)), window };
}

/** A place as it stands behind `?`. */
export function queryOf(at: Place): string {
  const told = new URLSearchParams({ series: at.series, image: at.image });
  if (at.frame) told.set("frame", String(at.frame));
  if (at.window) told.set("window", `${at.window.centre},${at.window.width}`);
  return told.toString().replaceAll("%2C", ",");
}
