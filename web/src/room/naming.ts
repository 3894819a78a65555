import type { Finding } from "../api/shapes";

/** What was only put in words, only outlined or only measured has no better name than those words, or its segment's. */
const IN_WORDS = "121071";
const OUTLINED = ["91723000", "111030"];

/** A finding as a reader calls it: what, which segment, and where. */
export function titleOf(finding: Finding): string {
  const label = finding.where?.label ?? "";
  const named = finding.what.code === IN_WORDS && finding.words ? finding.words : OUTLINED.includes(finding.what.code) && label ? label : finding.what.meaning;
  const place = [finding.laterality?.meaning.toLowerCase(), finding.site?.meaning.toLowerCase()].filter(Boolean).join(" ");
  return [place, label].reduce((title, part) => (part && !title.toLowerCase().includes(part.toLowerCase()) ? `${title}, ${part}` : title), named);
}

/** What is said of it beside its name: words that begin with the name of its segment, as the title does, without it. */
export function wordsOf(finding: Finding): string {
  const label = finding.where?.label;
  const rest = label && finding.words.startsWith(`${label}: `) ? finding.words.slice(label.length + 2) : finding.words;
  return rest === titleOf(finding) ? "" : rest;
}
