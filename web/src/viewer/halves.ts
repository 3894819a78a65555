/**
 * Whole numbers as floating point of 16 bits (IEEE 754 binary16): up to 2048 as they are, up to 4096 to the nearest even
 * number. They are for drawing; values that are measured are read from the images.
 */
const MOST = 4096;

/** By the bits of a whole number of 16 bits, signed or not: no larger one is asked for. */
let table: Uint16Array | null = null;

/** Whether numbers between two ends are at most one off. */
export function fitsHalves([low, high]: readonly [number, number]): boolean {
  return low >= -MOST && high <= MOST;
}

/** The bits of whole numbers that fit, from theirs. */
export function asHalves(values: Int16Array | Uint16Array, into: Uint16Array): Uint16Array {
  const halves = (table ??= Uint16Array.from({ length: 2 ** 16 }, (_, bits) => bitsOf(bits > MOST ? bits - 2 ** 16 : bits)));
  const pairs = values.byteOffset % 4 || into.byteOffset % 4 ? 0 : values.length >> 1;
  const [two, intoTwo] = [new Uint32Array(values.buffer, pairs && values.byteOffset, pairs), new Uint32Array(into.buffer, pairs && into.byteOffset, pairs)];
  for (let i = 0; i < pairs; i++) {
    const both = two[i]!; // read and written by twos: a fifth less of the time
    intoTwo[i] = halves[both & 0xffff]! | (halves[both >>> 16]! << 16);
  }
  for (let i = 2 * pairs; i < values.length; i++) into[i] = halves[values[i]! & 0xffff]!;
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
