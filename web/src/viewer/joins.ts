/** How one frame of reference lies in another: rigid, with the words that say how well. */
export interface Join {
  moving: string;
  fixed: string;
  /** From the moving frame's millimetres to the fixed frame's. */
  matrix: number[][];
  words: string;
  by: string;
  residual_mm: number | null;
  /** Nobody has accepted it yet. */
  proposed?: boolean;
}

/** The join that takes one frame into another, in whichever direction it was made; the newest where there are several. */
export function joinOf(joins: readonly Join[], moving: string, fixed: string): Join | null {
  if (!moving || !fixed) return null;
  for (const one of [...joins].reverse()) {
    if (one.moving === moving && one.fixed === fixed) return one;
    if (one.moving === fixed && one.fixed === moving) return { ...one, moving, fixed, matrix: inverse(one.matrix) };
  }
  return null;
}

/** Of a rigid transform: turned back, and shifted back. */
function inverse(matrix: number[][]): number[][] {
  const rows = [0, 1, 2].map((i) => [0, 1, 2].map((j) => matrix[j]![i]!));
  return [...rows.map((row) => [...row, -row.reduce((sum, value, j) => sum + value * matrix[j]![3]!, 0)]), [0, 0, 0, 1]];
}
