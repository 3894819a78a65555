import type { Finding } from "../api/shapes";

/** A numbered finding with what was measured on it. */
interface Numbered {
  first: { number: number; finding: Finding };
  beneath: { finding: Finding }[];
}

const NUMBERS = /\s*\[\s*(\d{1,3}(?:\s*,\s*\d{1,3})*)\s*\]/g;

/** What a sentence says without its numbers in brackets, and the findings that they name with all that was measured on them. "[0]" unties it; a number that no finding has stays in the words. */
export function tiedTo(text: string, cards: readonly Numbered[]): { text: string; findings?: string[] } {
  const named: number[] = [];
  const said = text.replace(NUMBERS, (whole, list: string) => {
    const numbers = list.split(",").map(Number);
    if (!numbers.every((number) => number === 0 || cards.some(({ first }) => first.number === number))) return whole;
    named.push(...numbers);
    return "";
  });
  if (!named.length || !said.trim()) return { text };
  const tied = cards.filter(({ first }) => named.includes(first.number));
  return { text: said.trim(), findings: tied.flatMap(({ first, beneath }) => [first, ...beneath.filter((one) => !one.finding.research)].map((one) => one.finding.tracking)) };
}
