/** What the server answers, as the pages read it. Names are those of the JSON; what may be missing is optional. */

export interface Coded {
  code: string;
  scheme: string;
  meaning: string;
}

export interface Me {
  name: string;
  role: string;
  demo: boolean;
  /** Seconds without a question after which the server ends the session. */
  idle_s?: number;
  /** verb -> whether this person may, and the rule in words. */
  rights: Record<string, { may: boolean; rule: string }>;
}

export interface Patient {
  id: string;
  name: string;
  sex?: string;
  birth_date?: string | null;
}

export type Level = "now" | "soon" | "today" | "routine";

export interface Row {
  study: string;
  patient: Patient;
  accession: string;
  date: string | null;
  description: string;
  modalities: string[];
  instances: number;
  state: string;
  level: Level;
  why: string;
  due: string | null;
  waits_s: number;
  moved_up: number;
  ai: AiState | null;
  reader: string;
  assigned: string;
  /** It no longer fits what was asked, but keeps its place while somebody's focus is in the list. */
  gone?: boolean;
}

export interface AiState {
  state: "found" | "struck" | "none" | "declined" | "waiting" | "after" | "off";
  words: string[] | string;
  /** While analyses run: the share of them that have answered. */
  done?: number;
}

export interface Worklist {
  rows: Row[];
  next: string | number | null;
  total: number;
}

export interface Reading {
  state: "waiting" | "open" | "signed" | "amending";
  by: string;
  version: number | string;
  opened?: string | null;
  signed?: string | null;
  signed_by?: string;
  /** Whether one's own opinion comes first here, and when it was locked. */
  opinion?: { asked: boolean; locked: string | null };
}

export type Relation = "agrees" | "adds" | "differs" | "yours";

/** How a machine's word stands to one's own first opinion. */
export interface Compared {
  relation: Relation;
  analysis: string;
  machine: string;
  own: string;
  why: string;
}

export interface Opinion {
  by: string;
  locked: string;
  nothing: boolean;
  line: string;
  findings: { tracking: string; what: Coded; words: string; certainty: number | null }[];
}

export interface Comparison {
  opinion: Opinion;
  lines: Compared[];
}

export interface Instance {
  sop_uid: string;
  frames: number;
}

export interface Series {
  uid: string;
  modality: string;
  number: number | null;
  description: string;
  images: number;
  viewable: boolean;
  frame_of_reference: string | null;
  instances: Instance[];
}

export interface Study {
  uid: string;
  patient: Patient;
  accession: string;
  date: string | null;
  description: string;
  modalities: string[];
  reading: Reading;
  /** Its class and when it should be read, as in the worklist; null once it is signed. */
  due: { level: Level; at: string } | null;
  series: Series[];
}

export interface Measurement {
  what: Coded;
  value: number;
  unit: string;
  low?: number | null;
  high?: number | null;
  definition?: string;
}

export interface Where {
  series_uid: string;
  instance_uid: string;
  shape: string;
  label: string;
  centre_mm: [number, number, number] | null;
  /** First and last index of what it covers on its grid, along slices, rows and columns. */
  bounds?: [number[], number[]] | null;
  volume_ml: number | null;
  instances: string[];
  has_mask: boolean;
  /** Frame of Reference UID; empty where the image has no place in the patient. */
  frame: string;
  /** Of a mark: points of the patient (mm), or columns and rows of its image. */
  points: number[][] | null;
}

export type Verdict = "undecided" | "kept" | "changed" | "struck" | "added";

export interface Finding {
  tracking: string;
  what: Coded;
  certainty: number | null;
  words: string;
  verdict: Verdict;
  reason: string;
  site: Coded | null;
  laterality: Coded | null;
  measurements: Measurement[];
  where: Where | null;
  /** Numbers for research: nobody has to answer them. */
  research?: boolean;
  /** The finding with which it is answered, where several measure one segment; empty or itself where it stands alone or first. */
  under?: string;
  /** Its number for whoever asks, the same after a reload; what measures one segment shares it. Told in the list of a study's results. */
  number?: number | null;
  /** How often findings like this were confirmed in signed reports of this site; null for a person's own. */
  here?: { n: number; of_100: number | null; low: number | null; high: number | null } | null;
}

export interface MapInfo {
  name: string;
  quantity: string;
  unit: string;
  kind: "parametric" | "sensitivity";
  /** Why it may not be shown; empty where it may. */
  withheld: string;
  series_uid: string;
  /** Of its values: the same map in a newer result is the same map. */
  digest: string;
}

/** A curve: one x axis and named y values. */
export interface Curve {
  name: string;
  x: number[];
  x_name: string;
  x_unit: string;
  y: Record<string, number[]>;
  y_unit: string;
}

export interface Origin {
  kind: "machine" | "person";
  name: string;
  version?: string;
  parameters?: Record<string, unknown>;
}

export interface Result {
  id: string;
  analysis: string;
  version: string;
  answer: "found" | "none" | "declined";
  reasons: string[];
  urgency?: Level;
  findings: Finding[];
  measurements: Measurement[];
  maps: MapInfo[];
  curves: Curve[];
  model: string | { name?: string; version?: string } | null;
  origin: Origin | string;
  seconds: number;
  /** Its analysis is stopped since. */
  stopped?: Stop | null;
  /** Of the weights that it ran on: released here, or not; null where it has none. */
  model_state?: string | null;
  /** What its analysis says of its own limits; empty where that version is not installed any more. */
  limits?: string[];
}

export interface Check {
  /** The need of the analysis, by name; without it the analysis runs where it is optional. */
  need: string;
  optional: boolean;
  predicate: string;
  wanted: string;
  found: string;
  met: boolean;
}

/** That an analysis is stopped everywhere: by whom, when, why. */
export interface Stop {
  analysis: string;
  by: string;
  when: string;
  reason: string;
}

export interface Planned {
  analysis: string;
  about: string;
  answer: "found" | "struck" | "none" | "declined" | "waiting" | "failed" | "after";
  reasons: string[];
  /** That answered; where nothing is told yet, the one that is installed. */
  version: string;
  /** The series that it is planned on, as people name them. */
  on?: string[];
  /** How many findings stand, and numbers of the study as a whole; where it has answered. */
  findings?: number;
  numbers?: number;
  /** It declined, and a series comes near enough that it could be run for research. */
  near?: boolean;
  /** Each predicate of the nearest series with the value that was met. */
  checks?: Check[];
}

/** An analysis that somebody had run on a study that it declined: words beside the analysis, and no result. */
export interface Research {
  analysis: string;
  version: string;
  /** Refused: the run did not come about, and nothing was computed. */
  answer: "found" | "none" | "declined" | "refused";
  findings: number;
  said: string[];
  /** What the series did not meet. */
  unmet: string[];
  on: string[];
  by: string;
  when: string;
}

export interface Sentence {
  id: string;
  section: string;
  /** Inside the section, as the template names it; empty for none. */
  heading: string;
  text: string;
  machine: boolean;
  findings: string[];
}

/** How the reports of one kind of study are built: sections in their order, with headings and phrases that a reader may take. */
export interface Template {
  name: string;
  title: string;
  version: string;
  sections: { name: string; phrases: string[]; headings: { name: string; phrases: string[] }[] }[];
}

/** Where a finding is seen: series, slice and segment, and its number as sentences give it. */
export interface Seen {
  number: number;
  finding: string;
  name: string;
  where: string;
}

/** Where a sentence and the findings differ; which characters, where they are still found in the text. */
export interface Doubt {
  sentence: string;
  what: string;
  start?: number;
  end?: number;
}

export interface Report {
  state: string;
  version: number | string;
  /** 1 for the first report of a study; each amendment is one more. */
  number: number;
  template?: Template;
  sentences: Sentence[];
  evidence?: Seen[];
  /** Digest of the signed report that this one amends; empty where it amends none. */
  replaces: string;
  signed: Signed | null;
  disagreements?: Doubt[];
  /** How it came about: the first opinion, what changed after AI, who was told of what is critical. */
  how?: string[];
}

export interface Signed {
  by: string;
  at?: string;
  time?: string;
  digest: string;
}

export interface Hang {
  name: string;
  series: string[];
  window: { name: string; centre: number; width: number } | null;
  /** What the protocol asks for, and whether this study has it. */
  rules: { words: string; met: boolean }[];
  stages: HangStage[];
}

export interface HangStage {
  name: string;
  layout: "1x1" | "1x2" | "2x2" | "planes";
  places: { study: string; series: string; plane: "" | "axial" | "sagittal" | "coronal"; over: string; sop: string; prior: boolean }[];
}

/** An earlier study of the patient; `withheld` counts those that may not be seen. */
export interface Priors {
  priors: Prior[];
  withheld: number;
}

export interface Prior {
  study: string;
  date: string | null;
  description: string;
  modalities: string[];
  region: string;
  days: number;
  same_region: boolean;
  shared: string[];
  series: Series[];
}

export interface Parameter {
  name: string;
  type: string;
  default: unknown;
  choices: unknown[];
}

export interface AnalysisCard {
  name: string;
  version: string;
  about: string;
  needs: Record<string, string>;
  yields: { what: Coded | null; maps: string[]; units: string[] }[];
  parameters: Parameter[];
  weights: string | null;
  limits: { seconds: number; memory_mib: number };
  modes: Record<string, string>;
  stopped: Stop | null;
  /** On how many of the studies that were planned lately; in the list only. */
  planned?: { studies: number; of: number };
  /** Intended use, not for, sources, level of evidence: whatever its author states. */
  card: Record<string, string | string[]>;
  /** Why it could not be loaded; then nothing else of it is known. */
  broken?: string;
}

/** When a report was signed. */
export function signedAt(signed: Signed): string {
  return signed.at ?? signed.time ?? "";
}
