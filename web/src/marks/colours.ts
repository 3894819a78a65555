import type { Found } from "../room/session";

/** Colours of contours (ΔE of at least 11 from one another in every kind of colour vision), white for persons. */
const COLOURS = ["#F0A202", "#63C5F5", "#1FA37A", "#FFF27A", "#4C7DFF", "#D9552B"] as const;
/** Dashes beyond six colours; the first is a machine's plain dash. */
const DASHES = ["7 4", "2 3", "10 3 2 3", "4 2"] as const;

/** Structures that are always drawn in the same colour, whatever else is on the image; any other takes its own by its name. */
const TABLE: Record<string, number> = { lesion: 0, opacity: 0, neoplasm: 0, "increased uptake": 5, lung: 1, heart: 5, brain: 3, liver: 2, kidney: 4, spleen: 1, "ischaemic core": 5, penumbra: 3 };

function placeOf(one: Found): number {
  const name = (one.finding.where?.label || one.finding.site?.meaning || one.finding.what.meaning).toLowerCase();
  const fixed = Object.entries(TABLE).find(([word]) => name.includes(word));
  if (fixed) return fixed[1];
  let hash = 2166136261; // FNV-1a: the same name has the same colour everywhere
  for (const letter of name) hash = Math.imul(hash ^ letter.codePointAt(0)!, 16777619) >>> 0;
  return hash % (COLOURS.length * DASHES.length);
}

export function colourOf(one: Found): string {
  return one.machine ? COLOURS[placeOf(one) % COLOURS.length]! : "#FFFFFF";
}

export function dashOf(one: Found): string {
  return DASHES[Math.floor(placeOf(one) / COLOURS.length)] ?? DASHES[0];
}
