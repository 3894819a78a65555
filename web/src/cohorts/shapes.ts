/** A column of the table. Counts below ten are withheld, and come as null. */
export interface Column {
  name: string;
  title: string;
  unit: string;
  kind: "number" | "words";
  n: number | null;
  missing: number | null;
  median: number | null;
  bars: number[];
  /** Attributes of the header that it is taken from; empty for what was measured. */
  source: string;
  /** The analysis that measured it, or "person". */
  made_by: string;
  versions: { version: string; n: number | null }[];
}

export interface Group {
  group: string;
  n: number | null;
  p5?: number;
  q1?: number;
  median?: number;
  q3?: number;
  p95?: number;
}

export interface Figures {
  field: string;
  n: number | null;
  few: number;
  bins: { from: number; to: number; n: number | null }[];
  words: { word: string; n: number | null }[];
  withheld?: number;
  groups: Group[];
}

/** Whoever may hear how many there are, and sees no single study, gets people in tens; null of fewer than ten. */
export type Table = Rowed | (Omit<Rowed, "n" | "of" | "people" | "may_see_rows"> & { n: number | null; of: number | null; people: number | null; may_see_rows: false });

export interface Rowed {
  n: number;
  of: number;
  people: number;
  may_see_rows: true;
  few: number;
  q: string;
  ledger: { filter: string; left_out: number | null; missing: number | null; applied?: boolean }[];
  /** How many of them are phantoms of the demonstration. */
  demonstrated: number;
  /** Why studies may not be used, by the terms of use; few are not counted. */
  closed: { reason: string; studies: number | null }[];
  /** How many wait for a signature before whoever asks, and reads, may ask of them. */
  unsigned?: number;
  fields: Column[];
  chart: Figures | null;
  rows: ({ study: string } & Record<string, string | number>)[];
  id?: string;
  name?: string;
  gone?: number;
  /** Of a frozen cohort: the tag by which it is narrowed, 0 for none, and its tags with who gave each last. */
  tag?: number;
  tags?: { tag: number; n: number; studies: string[]; by: string; when: string }[];
  /** Fewer than five people of it are alike: its table leaves with a reason only. */
  few_alike?: boolean;
  frozen?: string | null;
}

export interface Frozen {
  id: string;
  name: string;
  q: string;
  n: number;
  by: string;
  when: string;
}
