import { signal } from "@preact/signals";
import type { Viewport } from "./viewport";

/** Where the header says nothing: ten images a second, and the page says that it is not the true speed. */
export const UNSTATED_MS = 100;

/**
 * Cine in the true time of the images: each stays as long as its header says. Through the phases of one place where
 * there are several, else through the whole stack. Every other viewport with phases goes along at the same phase of the beat.
 */
export class Cine {
  readonly playing = signal(false);
  /** Milliseconds from image to image as they really came on screen; the last ones, for whoever wants to check the clock. */
  readonly steps_ms: number[] = [];
  private clock = 0;

  /** Start with the viewport in hand, or stop. */
  play(all: Viewport[], lead: Viewport | null): void {
    if (this.playing.value) return this.stop();
    const series = lead?.series.value;
    if (!lead || !series || lead.kind !== "stack" || series.pictures.length < 2) return;
    this.playing.value = true;
    this.steps_ms.length = 0;
    const others = all.filter((one) => one !== lead && one.kind === "stack" && (one.series.value?.phases ?? 1) > 1);
    const loop = series.phases > 1 ? series.phases : series.pictures.length;
    let [due, last] = [performance.now(), 0];
    const next = async () => {
      if (!this.playing.value || lead.series.value !== series) return this.stop();
      const first = Math.floor(lead.index.value / loop) * loop;
      const phase = (lead.index.value - first + 1) % loop;
      await Promise.all([lead.at(first + phase), ...others.map((one) => one.at(sameMoment(one, phase / loop)))]);
      const now = performance.now();
      if (last) this.steps_ms.push(now - last);
      if (this.steps_ms.length > 200) this.steps_ms.shift();
      last = now;
      due = Math.max(now - 200, due + (series.durations_ms?.[first + phase] ?? UNSTATED_MS)); // a machine that is too slow does not catch up in a rush
      if (this.playing.value) this.clock = window.setTimeout(() => void next(), Math.max(0, due - now));
    };
    void next();
  }

  stop(): void {
    clearTimeout(this.clock);
    this.playing.value = false;
  }
}

/** The image of another viewport, at the place where it is, at the same part of the beat. */
function sameMoment(one: Viewport, part: number): number {
  const { phases } = one.series.value!;
  return Math.floor(one.index.value / phases) * phases + (Math.round(part * phases) % phases);
}
