import { batch, signal } from "@preact/signals";
import type { Range } from "./viewport";

/** The ends of the colours and the value from which they are drawn, in the unit of what is coloured, and how strong they are, 0 to 1. */
export interface Colouring extends Range {
  threshold: number;
  opacity: number;
}

/** Modalities whose values say how much was taken up. */
const UPTAKE = new Set(["PT", "NM"]);
/** So strong colours are by themselves. */
const OPACITY = 0.6;

/** How what lies over the planes is coloured: by what it is, until somebody sets it otherwise. */
export class Tint {
  readonly opacity = signal(OPACITY);
  readonly threshold = signal(0);
  /** What the darkest and the brightest colour stand for; null before anything lay over the planes. */
  readonly range = signal<Range | null>(null);
  /** Whose values the colours stand for now. */
  private over = "";
  /** How it was coloured before anybody set anything. */
  private plain: Colouring | null = null;
  /** As what comes is to be coloured instead; for one series, or without one for whichever comes first. */
  private wanted: { over: string; colouring: Colouring } | null = null;

  /** Colours for what comes to lie over the planes: uptake from where it stands out, anatomy from the foot of its window on. */
  wear(over: string, modality: string, range: Range): void {
    if (this.over === over) return;
    const threshold = UPTAKE.has(modality) ? range.lower + 0.3 * (range.upper - range.lower) : range.lower;
    const { colouring } = this.wanted && ["", over].includes(this.wanted.over) ? this.wanted : { colouring: { ...range, threshold, opacity: this.opacity.peek() } };
    batch(() => {
      this.plain = { ...range, threshold, opacity: OPACITY };
      if (this.wanted?.colouring === colouring) this.wanted = null;
      this.over = over;
      this.range.value = { lower: colouring.lower, upper: colouring.upper };
      this.threshold.value = colouring.threshold;
      this.opacity.value = colouring.opacity;
    });
  }

  /** What comes over the planes is coloured so, and not as it would be by itself. */
  want(colouring: Colouring, over: string): void {
    this.wanted = { over, colouring };
  }

  /** What is worn now; something lies over the planes. */
  worn(): { range: Range; threshold: number; opacity: number } {
    return { range: this.range.peek()!, threshold: this.threshold.peek(), opacity: this.opacity.peek() };
  }

  /** The ends of the colours of a series: as they are set where it is the one that wears them, else as they were. */
  rangeOf(over: string, before: Range): Range {
    const range = this.range.peek();
    return range && over === this.over ? range : before;
  }

  /** How a series is coloured; null where it is as it came by itself, undefined while it has not come. */
  set(over: string): Colouring | null | undefined {
    const [range, plain] = [this.range.value, this.plain];
    const now = range && { ...range, threshold: this.threshold.value, opacity: this.opacity.value };
    if (!now || !plain || this.over !== over) return undefined;
    return (Object.keys(plain) as (keyof Colouring)[]).every((name) => plain[name] === now[name]) ? null : now;
  }
}
