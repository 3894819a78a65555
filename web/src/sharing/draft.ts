import { signal } from "@preact/signals";

/** What a holder of a link may do beside seeing the images. */
export type May = "view" | "download" | "measure";

/** What is being given: it outlives the way to the preview and back. A recipient's name stands here and in no address. */
export interface Draft {
  to: string;
  until: string;
  word: string;
  purpose: "care" | "sharing";
  may: May[];
  pseudonym: boolean;
  check: boolean;
  /** Why a pseudonym does where few people are alike. */
  reason: string;
  institution: string;
  /** ISO 3166, two letters; empty where nobody said. */
  country: string;
  /** Why it may leave the site's own region. */
  transfer_reason: string;
}

const DAYS = 3;

export function fresh(): Draft {
  return { to: "", until: inDays(DAYS), word: "", purpose: "care", may: ["view"], pseudonym: false, check: false, reason: "", institution: "", country: "", transfer_reason: "" };
}

export const draft = signal<Draft>(fresh());

/** The day so many days from now, as it stands in addresses and fields. */
export function inDays(days: number): string {
  return new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
}

/** Hours from now to the end of a day (UTC); 0 or less for a day that has passed or is none. */
export function hoursTo(day: string): number {
  return (Date.parse(`${day}T23:59:59Z`) - Date.now()) / 3_600_000 || 0;
}
