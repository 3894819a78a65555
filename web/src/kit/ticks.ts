/** About five round numbers that hold a range. */
export function ticksOf(low: number, high: number): number[] {
  const rough = (high - low) / 5 || 1;
  const size = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 3, 5, 6, 10].map((n) => n * size).find((n) => n >= rough * 0.999) ?? rough;
  const [first, last] = [Math.floor(low / step + 1e-9), Math.ceil(high / step - 1e-9)];
  return Array.from({ length: last - first + 1 }, (_, i) => Number(((first + i) * step).toPrecision(9)));
}
