import type { Level } from "../api/shapes";
import { sure } from "../words";

/** Urgency and origin, each by shape, word and colour: no one has to tell colours apart. */

const levels: Record<Level, { shape: string; word: string; css: string }> = {
  now: { shape: "⬢", word: "Now", css: "tag now" },
  soon: { shape: "▲", word: "Soon", css: "tag soon" },
  today: { shape: "●", word: "Today", css: "level" },
  routine: { shape: "○", word: "Routine", css: "level faint" },
};

export function LevelMark({ level, due }: { level: Level; due?: string }) {
  const { shape, word, css } = levels[level] ?? levels.routine;
  return (
    <span class={css}>
      <span aria-hidden="true">{shape}</span> {word}
      {due && <> · {due}</>}
    </span>
  );
}

export function MachineMark({ words = "AI" }: { words?: string }) {
  return <span class="tag machine"><span aria-hidden="true">◇</span> {words}</span>;
}

export function PersonMark({ words = "You" }: { words?: string }) {
  return <span class="tag person"><span aria-hidden="true">●</span> {words}</span>;
}

export function Key({ of }: { of: string }) {
  return of ? <kbd aria-hidden="true">{of}</kbd> : null;
}

/** A calibrated certainty as word and number, with what is not yet known about it here. */
export function Certainty({ value }: { value: number | null }) {
  if (value === null || value === undefined) return <span class="muted">certainty not stated</span>;
  return <span title="From the analysis' own calibration; how often it is confirmed at this site is not yet known">{sure(value)} {value.toFixed(2)}</span>;
}
