import type { AnalysisCard } from "../api/shapes";
import { unit } from "../words";

/** How it is used here, or that it is stopped. */
export function StateOf({ card }: { card: AnalysisCard }) {
  if (card.stopped) return <span class="tag now"><span aria-hidden="true">⬢</span> stopped</span>;
  return <span class="tag used">list: {card.modes.worklist} · reading: {card.modes.reading}</span>;
}

export function needsOf(card: AnalysisCard): [string, string][] {
  return Object.entries(card.needs);
}

/** What it may say, each once; a unit only where it tells something (a long list of units is "many kinds"). */
export function yieldsOf(card: AnalysisCard): string[] {
  const words = card.yields.map((one) => {
    const named = [...(one.units.length <= 3 ? one.units.map(unit).filter(Boolean) : []), ...one.maps.map((map) => `map ${map}`)].join(", ");
    return [one.what?.meaning, named && `(${named})`].filter(Boolean).join(" ");
  });
  return [...new Set(words.filter(Boolean))];
}
