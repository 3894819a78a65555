import type { Found } from "../room/session";
import { ask } from "../api/door";
import { dot, type Point2, type Point3, toCanvas, type View, type Viewport } from "../viewer/viewport";

export interface Outline {
  lines: number[][];
  sure?: number[][];
}

/** The outlines of one result in one plane, in hundredths of a millimetre from a point of the patient. */
export interface Section {
  origin: Point3;
  right: Point3;
  down: Point3;
  outlines: Record<string, Outline>;
}

const MOST = 400;
const kept = new Map<string, Promise<Section>>();

/** A plane as the server is asked for it. */
export function planeOf({ origin, normal }: View): string {
  const depth = dot(origin, normal);
  const foot = normal.map((part) => part * depth);
  return `point=${foot.map((v) => v.toFixed(3)).join()}&normal=${normal.map((v) => v.toFixed(6)).join()}`;
}

/** The section of one result; a plane that was looked at is not asked for again. */
export function sectionOf(result: string, view: View): Promise<Section> {
  const path = `/api/results/${result}/section?${planeOf(view)}`;
  let known = kept.get(path);
  if (!known) {
    known = ask<Section>(path);
    known.catch(() => kept.delete(path));
    kept.set(path, known);
    if (kept.size > MOST) kept.delete(kept.keys().next().value!);
  }
  return known;
}

export type Placing = (x: number, y: number) => Point2;

/** From hundredths of a millimetre in the section to the canvas. */
export function placing({ origin, right, down }: Pick<Section, "origin" | "right" | "down">, view: View): Placing {
  const moved = (along: Point3) => toCanvas(view, [origin[0] + along[0], origin[1] + along[1], origin[2] + along[2]]);
  const [o, r, d] = [moved([0, 0, 0]), moved(right), moved(down)];
  return (x, y) => [o[0] + ((r[0] - o[0]) * x + (d[0] - o[0]) * y) / 100, o[1] + ((r[1] - o[1]) * x + (d[1] - o[1]) * y) / 100];
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
