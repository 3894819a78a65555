/** Below this many megabits a second compressing is worth its time. */
const SLOW_MBIT = 5;
/** An answer with less says more of the processors than of the line. */
const TELLING_BYTES = 256 * 2 ** 10;
/** Of the values in a compressed answer so many bytes travel, roughly. */
const COMPRESSED = 0.5;

let running = 0;
let mbit: number | null = null;

/** One answer on its way: told of its parts, it says how fast the line is. */
export class Timing {
  private bytes = 0;
  private began = 0;
  private last = 0;

  constructor(private readonly compressed: boolean) {
    running += 1;
  }

  /** So many bytes of values have come. The first part only starts the clock: what came before it was the server's time. */
  came(bytes: number, now: number): void {
    if (this.began) this.bytes += bytes;
    else this.began = now;
    this.last = now;
  }

  end(): void {
    const seconds = (this.last - this.began) / 1000;
    if (this.bytes >= TELLING_BYTES && seconds > 0) mbit = (this.bytes * (this.compressed ? COMPRESSED : 1) * running * 8e-6) / seconds; // others share the line
    running -= 1;
  }
}

/** Whether the line is slow, from what came over it last; one of which nothing is known is not. The browser's own guess rests on small answers, and calls loopback slow. */
export function slowLine(): boolean {
  return mbit !== null && mbit < SLOW_MBIT;
}
