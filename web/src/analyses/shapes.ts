import type { AnalysisCard, Planned, Stop } from "../api/shapes";
import type { Model } from "../models/shapes";

/** A share with its 95 % interval; all null where there are too few cases to say it. */
export interface Share {
  n: number | null;
  share: number | null;
  low: number | null;
  high: number | null;
}

/** What became of an analysis, or of the analyses of a model, on studies whose report is signed. */
export interface Fate {
  runs: { studies: number; answers: Record<string, number>; versions: Record<string, number>; months: (Share & { month: string })[] };
  confirmed: Share & { needed: number; months: (Share & { month: string })[]; bands: (Share & { from: number; to: number })[] };
  changes: Change[];
}

export interface Change {
  number: string;
  kind: string;
  analysis: string;
  by: string;
  when: string;
  reason: string;
  use: string;
  mode: string;
}

/** In how many of the studies of a scanner or a week a reason stood. */
type Part<Name extends string> = Record<Name, string> & { studies: number; of: number };

/** An analysis on its own page. */
export interface AnalysisPage extends AnalysisCard, Fate {
  declined: { reason: string; studies: number; of: number; scanners: Part<"scanner">[]; weeks: Part<"week">[] }[];
  evidence: Model["evidence"];
}

export interface ModelPage extends Model, Fate {
  analyses: string[];
  stopped: Stop[];
  alarms: { number: string; when: string; chart: string; of: string; case: number; share_lately: number; usual: number; stop_rule: string }[];
}

const OTHER = new Set(["modality", "body part"]);

/** Whether an analysis wants another modality or part of the body than this study has: no surprise to a reader, where what came near may be one. */
export function forOtherImages(one: Planned): boolean {
  return one.answer === "declined" && !!one.checks?.some((check) => OTHER.has(check.predicate) && !check.met && !check.optional);
}
