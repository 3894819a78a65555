/** A figure with its 95 % interval. */
export interface Figure {
  value: number;
  /** Not there where no interval was made. */
  low?: number | null;
  high?: number | null;
}

/** What evidence says of one figure: a number with its interval and what else was counted, numbers by name, or one number. */
export type Told = number | (Partial<Figure> & { [name: string]: number | null | undefined });

export interface Subgroup {
  [name: string]: unknown;
  n?: number;
  /** Those with the disease. */
  events?: number;
  positives?: number;
  /** Why its figures are withheld. */
  insufficient?: string;
  /** Why it has some figures and not others. */
  without?: string;
  metrics?: Record<string, Told>;
  calibration?: { ece: number; observed?: number; stated?: number };
  /** Each figure against all others of the division, with the chance of that before and after correction for all comparisons. */
  gaps?: Record<string, { value: number; low: number; high: number; p: number; p_corrected: number }>;
}

export interface Bin {
  n: number;
  stated: number;
  true: number;
}

/** One check of a map of sensitivity: what came out, or why it was not made. */
export interface Check {
  passed: boolean;
  not_made?: string;
  p?: number | Record<string, number>;
  alike?: number | number[];
  two_cases?: number;
  auprc?: number;
  on_another_lesion?: number;
  better_than_moved_by?: Record<string, number>;
  better_in?: Record<string, number>;
}

/** Whether a map may be shown for the weights of this digest. */
export interface Verdict {
  map: string;
  method: string;
  digest: string;
  passed: boolean;
  n: number;
  checks: Record<string, Check>;
  cases?: Record<string, unknown>;
}

export interface Model {
  name: string;
  version: string;
  digest: string;
  parent: string;
  state: string;
  /** The step that led there; null where none was taken here. */
  since: { step: string; by: string; when: string; reason: string } | null;
  examples: string;
  code: string;
  card: Record<string, unknown> & { title?: string; intended_use?: string };
  evidence: {
    n?: number;
    positives?: number;
    declined?: number;
    metrics?: Record<string, Told>;
    subgroups?: Subgroup[];
    calibration?: { bins: Bin[]; brier: number; ece: number; slope?: Figure; intercept?: Figure; line_not_made?: string };
    /** The cases of the validation that lie beside the model: how many, the digest of the data and of the file, errors by kind. */
    cases?: { n: number; data: string; digest?: string; errors?: Record<string, number> };
    out_of_scope?: Record<string, { n: number; declined: number }>;
    explanation?: Verdict | Verdict[];
  };
  /** Each map that a verdict is on -> why it is not shown; empty where it is. */
  withheld: Record<string, string>;
}
