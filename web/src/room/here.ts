import { effect } from "@preact/signals";
import type { Lightbox } from "../viewer/lightbox";
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
      if (picture) this.opens();
      if (!view || !picture || view.state.value.at !== "there") return;
      setTimeout(() => this.begins()); // once it hangs in the window that it opens with
      if (wanted === picture.sop && plane) {
        wanted = "";
        const middle = toPatient(plane, view.element.clientWidth / 2, view.element.clientHeight / 2);
        queueMicrotask(() => this.lightbox.go(middle));
      }
      this.clock = window.setTimeout(() => this.write(), STILL_MS);
    });
  }

  end(): void {
    clearTimeout(this.clock);
    this.forget();
  }

  /** Where somebody is; null where no image of this study is in hand. */
  now(): Place | null {
    const view = this.stack();
    const [picture, series, range] = [view?.picture.peek(), view?.series.peek(), view?.range.peek()];
    if (!picture || !series || series.study !== this.study) return null;
    const window = range && !series.colour ? { centre: short((range.lower + range.upper) / 2), width: short(range.upper - range.lower) } : null;
    return { series: series.uid, image: picture.sop, frame: picture.frame, window };
  }

  private opens(): void {
    const now = this.now();
    if (now && !this.first.has(now.series)) this.first.set(now.series, now);
  }

  private begins(): void {
    const now = this.now();
    if (!now || this.began.has(now.series)) return;
    const sent = !this.began.size && this.asked.image === now.image; // what an address asked for is no beginning
    this.began.set(now.series, sent ? { ...now, image: "", window: null } : { ...(this.first.get(now.series) ?? now), window: now.window });
  }

  private write(): void {
    const now = this.now();
    if (!now) return;
    const first = this.began.get(now.series) ?? now;
    const moved = now.image !== first.image || now.frame !== first.frame;
    const other = words(now) !== words(first);
    setQuery("series", now.series === this.home() ? "" : now.series);
    setQuery("image", moved ? now.image : "");
    setQuery("frame", moved && now.frame ? String(now.frame) : "");
    setQuery("window", other ? words(now) : "");
  }
}

const words = ({ window }: Place) => (window ? `${window.centre},${window.width}` : "");

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
