/**
 * Whole numbers as floating point of 16 bits (IEEE 754 binary16): up to 2048 as they are, up to 4096 to the nearest even
 * number. They are for drawing; values that are measured are read from the images.
 */
const MOST = 4096;

let table: Uint16Array | null = null;

/** Whether numbers between two ends are at most one off. */
export function fitsHalves([low, high]: readonly [number, number]): boolean {
  return low >= -MOST && high <= MOST;
}

/** The bits of whole numbers that fit. */
export function asHalves(values: ArrayLike<number>, into: Uint16Array): Uint16Array {
  table ??= Uint16Array.from({ length: 2 * MOST + 1 }, (_, i) => bitsOf(i - MOST));
  for (let i = 0; i < values.length; i++) into[i] = table[values[i]! + MOST]!;
  return into;
}

function bitsOf(value: number): number {
  const size = Math.abs(value);
  if (!size) return 0;
  const power = Math.floor(Math.log2(size));
  const steps = Math.floor(size * 2 ** (10 - power)); // 1024 to 2047 of them make a number
  const odd = size % 2 ** Math.max(0, power - 10) ? steps % 2 : 0; // half a step goes to the even neighbour
  return (value < 0 ? 0x8000 : 0) + ((power + 15) << 10) + steps + odd - 1024;
}
