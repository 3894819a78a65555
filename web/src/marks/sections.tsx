import { useEffect } from "preact/hooks";
import { ask } from "../api/door";
import type { Desk } from "../room/desk";
import type { Found } from "../room/session";
import { dot, type Point2, type Point3, toCanvas, type View, type Viewport } from "../viewer/viewport";
import { colourOf, dashOf } from "./colours";
import { useAnswer } from "./layer";
import { setOf } from "./marks";

interface Outline {
  lines: number[][];
  sure?: number[][];
}

interface Section {
  origin: Point3;
  right: Point3;
  down: Point3;
  outlines: Record<string, Outline>;
}

const MOST = 400;
const kept = new Map<string, Promise<Section>>();

/** The section of one result; a plane that was looked at is not asked for again. */
function section(path: string): Promise<Section> {
  let known = kept.get(path);
  if (!known) {
    known = ask<Section>(path);
    known.catch(() => kept.delete(path));
    kept.set(path, known);
    if (kept.size > MOST) kept.delete(kept.keys().next().value!);
  }
  return known;
}

/** The outlines of regions in the plane of a viewport, of whichever series of their space it shows. */
export function Sections({ desk, viewport }: { desk: Desk; viewport: Viewport }) {
  const view = viewport.view.value;
  const series = viewport.series.value?.uid;
  if (!view || !series) return null;
  const here = desk.session.found.value.filter(({ finding: { where, verdict } }) => where?.has_mask && verdict !== "struck" && (where.frame ? where.frame === view.frame : where.series_uid === series));
  const shown = here.filter((one) => !desk.marks.hiddenSets.value.has(setOf(one)));
  const results = [...new Set(shown.map((one) => one.result.id))];
  return (
    <svg class="overlay sections" aria-hidden="true">
      {results.map((id) => <OfResult key={id} id={id} desk={desk} viewport={viewport} view={view} found={shown.filter((one) => one.result.id === id)} />)}
    </svg>
  );
}

function OfResult({ id, desk, viewport, view, found }: { id: string; desk: Desk; viewport: Viewport; view: View; found: Found[] }) {
  const depth = dot(view.origin, view.normal);
  const foot = view.normal.map((part) => part * depth);
  const near = `/api/results/${id}/section?point=${foot.map((v) => v.toFixed(3)).join()}&normal=${view.normal.map((v) => v.toFixed(6)).join()}`;
  const answer = useAnswer(() => section(near), near);
  useEffect(() => {
    if (answer) desk.marks.shapes.set(viewport, id, answer, found);
    return () => desk.marks.shapes.drop(viewport, id);
  }, [answer, found.length]);
  if (!answer) return null;
  const place = placing(answer, view);
  return (
    <>
      {found.map((one) => {
        const outline = answer.outlines[one.finding.tracking];
        if (!outline) return null;
        const colour = colourOf(one);
        const [d, sure] = [path(outline.lines, place), outline.sure && path(outline.sure, place)];
        const dashed = sure ? "7 4" : one.machine ? dashOf(one) : undefined;
        return (
          <g key={one.finding.tracking} data-finding={one.number} data-tracking={one.finding.tracking} class={desk.active.value === one.finding.tracking ? "active" : undefined}>
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

type Placing = (x: number, y: number) => Point2;

/** From hundredths of a millimetre in the section to the canvas. */
export function placing({ origin, right, down }: Pick<Section, "origin" | "right" | "down">, view: View): Placing {
  const moved = (along: Point3) => toCanvas(view, [origin[0] + along[0], origin[1] + along[1], origin[2] + along[2]]);
  const [o, r, d] = [moved([0, 0, 0]), moved(right), moved(down)];
  return (x, y) => [o[0] + ((r[0] - o[0]) * x + (d[0] - o[0]) * y) / 100, o[1] + ((r[1] - o[1]) * x + (d[1] - o[1]) * y) / 100];
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

/** Which outlines lie where, so that the thing under the cursor can be picked. */
export class Shapes {
  private readonly held = new Map<Viewport, Map<string, { section: Section; found: Found[] }>>();

  set(viewport: Viewport, id: string, section: Section, found: Found[]): void {
    const of = this.held.get(viewport) ?? new Map<string, { section: Section; found: Found[] }>();
    this.held.set(viewport, of.set(id, { section, found }));
  }

  drop(viewport: Viewport, id: string): void {
    this.held.get(viewport)?.delete(id);
  }

  /** The smallest region that holds a point of the canvas. */
  at(viewport: Viewport, [px, py]: Point2): Found | null {
    const view = viewport.view.peek();
    if (!view) return null;
    let best: { area: number; one: Found } | null = null;
    for (const { section, found } of this.held.get(viewport)?.values() ?? []) {
      const place = placing(section, view);
      for (const one of found) {
        let [inside, area] = [false, 0];
        for (const line of section.outlines[one.finding.tracking]?.lines ?? []) {
          for (let i = 0, j = line.length - 2; i + 1 < line.length; j = i, i += 2) {
            const [[ax, ay], [bx, by]] = [place(line[i]!, line[i + 1]!), place(line[j]!, line[j + 1]!)];
            if (ay > py !== by > py && px < ((bx - ax) * (py - ay)) / (by - ay) + ax) inside = !inside;
            area += ax * by - bx * ay;
          }
        }
        if (inside && (!best || Math.abs(area) < best.area)) best = { area: Math.abs(area), one };
      }
    }
    return best?.one ?? null;
  }
}
