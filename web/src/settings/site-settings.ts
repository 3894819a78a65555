/** A setting that is read when the server starts. */
interface Start {
  name: string;
  variable: string;
  about: string;
  value: string | number | boolean | null;
  shipped: string | number | boolean;
  changed: boolean | null;
}

/** What the site set, and what is shipped. */
export interface SiteSettings {
  version: string;
  by: string;
  when: string | null;
  may_change: boolean;
  rule: string;
  limits_min: Record<string, number>;
  limits_shipped_min: Record<string, number>;
  /** Within how many minutes somebody is told of a critical result. */
  told_within_min: number;
  changed: string[];
  institution: string;
  country: string;
  /** Countries that a link leaves for a reason only; empty: none is asked for. */
  region: string[];
  /** What holds for each purpose where no terms of use are recorded; what the site named itself; what is shipped. */
  unasked: Record<string, "allow" | "deny">;
  unasked_set: Record<string, "allow" | "deny">;
  unasked_shipped: Record<string, "allow" | "deny">;
  prior_side: "left" | "right";
  start: Start[];
}
