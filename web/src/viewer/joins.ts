import { dot, type Point3 } from "./vectors";

/** How one frame of reference lies in another, and how well that is known. */
export interface Join {
  moving: string;
  fixed: string;
  /** 4 x 4, row by row, rigid: from the moving frame's millimetres to the fixed frame's. */
  matrix: readonly (readonly number[])[];
  words: string;
  by: string;
  /** Mean distance between going there and back again (mm); null where a registration from elsewhere does not say. */
  residual_mm: number | null;
  /** Under which name the server has it, as long as nobody has accepted it. */
  proposal?: string;
}

/** The join of two frames, in whichever direction it was made: a proposal before what is kept, and the newest first. */
export function joinOf(joins: readonly Join[], one: string, other: string): Join | null {
  if (!one || !other) return null;
  const fits = joins.filter((join) => (join.moving === one && join.fixed === other) || (join.moving === other && join.fixed === one));
  return fits.find((join) => join.proposal) ?? fits.at(-1) ?? null;
}

/** From one frame of reference into another: where a point lies there, and which way a direction goes. */
export interface Way {
  point(at: Point3): Point3;
  along(direction: Point3): Point3;
}

/** The way by a registration from a frame into the other that it joins. */
export function wayBy(join: Join, from: string): Way {
  const turn = [0, 1, 2].map((i) => join.matrix[i]!.slice(0, 3) as Point3);
  const shift = [0, 1, 2].map((i) => join.matrix[i]![3]!) as Point3;
  const back = [0, 1, 2].map((i) => [turn[0]![i]!, turn[1]![i]!, turn[2]![i]!] as Point3); // of a turn the inverse is its transpose
  const forward = from === join.moving;
  const along = (v: Point3): Point3 => (forward ? turn : back).map((row) => dot(row, v)) as Point3;
  const off = forward ? shift : (along(shift).map((v) => -v) as Point3);
  return { along, point: (at) => along(at).map((v, i) => v + off[i]!) as Point3 };
}

/** As it stands, or moved by what somebody pinned. */
export function wayOver(shift: Point3): Way {
  return { along: (direction) => direction, point: (at) => at.map((v, i) => v + shift[i]!) as Point3 };
}

/** How well a registration fits, for whoever compares by it. */
export function fitOf(join: Join): string {
  return join.residual_mm !== null ? `residual ${join.residual_mm.toFixed(2)} mm` : join.words || "residual not stated";
}
