import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Found } from "../room/session";
import { useAnswer } from "../kit/answer";
import type { View, Viewport } from "../viewer/viewport";
import { colourOf, dashOf } from "./colours";
import { type Sheet, setOf } from "./marks";
import { type Placing, placing, planeOf, type Section, sectionOf } from "./shapes";

/** Counts up when a person asks again for outlines that did not come. */
const tries = signal(0);

/** The outline of a finding as it was last drawn, and in which plane. */
type Before = Map<string, { plane: string; answer: Section }>;

/** The outlines of regions in the plane of a viewport, of whichever series of their space it shows. */
export function Sections({ desk, viewport }: { desk: Sheet; viewport: Viewport }) {
  const view = viewport.view.value;
  const series = viewport.series.value?.uid;
  const before = useRef<Before>(new Map()).current;
  if (!view || !series) return null;
  const here = desk.session.outlines.value.filter(({ finding: { where, verdict } }) => where?.has_mask && verdict !== "struck" && (where.frame ? where.frame === view.frame : where.series_uid === series));
  const shown = here.filter((one) => !desk.marks.hiddenSets.value.has(setOf(one)));
  const results = [...new Set(shown.map((one) => one.result.id))];
  return (
    <svg class="overlay sections" aria-hidden="true">
      {results.map((id) => <OfResult key={id} id={id} desk={desk} viewport={viewport} view={view} before={before} found={shown.filter((one) => one.result.id === id)} />)}
    </svg>
  );
}

function OfResult({ id, desk, viewport, view, before, found }: { id: string; desk: Sheet; viewport: Viewport; view: View; before: Before; found: Found[] }) {
  const plane = planeOf(view);
  const absent = desk.session.absent;
  const answer = useAnswer(() => absent.tried(`outlines ${id}`, "outlines of findings", () => sectionOf(id, view), () => void (tries.value += 1)), `${id} ${plane} ${tries.value}`);
  useEffect(() => {
    if (answer) desk.marks.shapes.set(viewport, id, answer, found);
    if (answer) for (const one of found) before.set(one.finding.tracking, { plane, answer });
    return () => desk.marks.shapes.drop(viewport, id);
  }, [answer, found.length]);
  return (
    <>
      {found.map((one) => {
        const { tracking } = one.finding;
        // A stroke makes another result of the same region: until its outline has come, the one before stands, and does not flicker.
        const last = answer ? null : before.get(tracking);
        const told = answer ?? (last?.plane === plane ? last.answer : null);
        const outline = told?.outlines[tracking];
        if (!told || !outline) return null;
        const place = placing(told, view);
        const colour = colourOf(one);
        const [d, sure] = [path(outline.lines, place), outline.sure && path(outline.sure, place)];
        const dashed = sure ? "7 4" : one.machine ? dashOf(one) : undefined;
        return (
          <g key={tracking} data-finding={last ? undefined : one.number} data-before={last ? one.number : undefined} data-tracking={tracking} class={desk.active.value === (one.finding.under || tracking) ? "active" : undefined}>
            <path class="fill" d={d} fill={colour} />
            <path class="halo" d={d} />
            <path class={dashed ? "line dashed" : "line"} d={d} stroke={colour} stroke-dasharray={dashed} />
            {sure && <><path class="halo" d={sure} /><path class="line sure" d={sure} stroke={colour} /></>}
          </g>
        );
      })}
    </>
  );
}

function path(lines: readonly number[][], place: Placing): string {
  let d = "";
  for (const line of lines) {
    for (let i = 0; i + 1 < line.length; i += 2) {
      const [x, y] = place(line[i]!, line[i + 1]!);
      d += `${i ? "L" : "M"}${x.toFixed(1)} ${y.toFixed(1)}`;
    }
    d += "Z";
  }
  return d;
}
