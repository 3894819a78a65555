/** How one frame of reference lies in another, and how well that is known. */
export interface Join {
  moving: string;
  fixed: string;
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
