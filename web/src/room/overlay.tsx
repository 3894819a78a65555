import { type Signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { ask } from "../api/door";
import { colourOf } from "../marks/colours";
import type { StackView } from "../viewer/stack";
import { lies } from "./evidence";
import type { Found } from "./session";

export { colourOf };

type Line = [number, number][];
type Drawn = { one: Found; contours: Line[] };

const kept = new Map<string, Promise<Line[]>>();

/** Contours of an image are asked for once. */
function contours(one: Found, sop: string, frame: number): Promise<Line[]> {
  const path = `/api/results/${one.result.id}/contours/${encodeURIComponent(one.finding.tracking)}?sop=${sop}&frame=${frame}`;
  let lines = kept.get(path);
  if (!lines) {
    lines = ask<{ contours: Line[] }>(path).then((answer) => answer.contours);
    lines.catch(() => kept.delete(path));
    kept.set(path, lines);
  }
  return lines;
}

/** Drawing over the image: lines of 2 px with a black halo of 1 px, at the image's own pixels, whatever the zoom. */
export function Overlay({ view, found, active, hidden }: { view: StackView; found: Found[]; active: string; hidden: Signal<boolean> }) {
  const [come, setCome] = useState<{ image: string; drawn: Drawn[] }>({ image: "", drawn: [] });
  const picture = view.picture.value;
  const series = view.series.value?.uid ?? "";
  const here = picture ? found.filter((one) => one.finding.where && one.finding.verdict !== "struck" && lies(one.finding, picture.sop, series) && !drawnElsewhere(one, view)) : [];
  useEffect(() => {
    if (!picture) return;
    let current = true;
    void Promise.all(here.map(async (one) => ({ one, contours: await contours(one, picture.sop, picture.frame).catch(() => []) }))).then((drawn) => current && setCome({ image: picture.imageId, drawn }));
    return () => void (current = false);
  }, [picture?.imageId, here.map((one) => one.result.id + one.finding.tracking + one.finding.verdict).join()]);

  // While lines of newer results are on their way those before stand, but only on their image, and of what still stands.
  const drawn = (come.image === picture?.imageId ? come.drawn : []).flatMap(({ one, contours }) => {
    const now = here.find((other) => other.finding.tracking === one.finding.tracking);
    return now ? [{ one: now, contours }] : [];
  });
  const affine = view.affine.value;
  if (!affine || !picture || hidden.value) return null;
  const [a, b, c, d, e, f] = affine;
  const at = ([x, y]: [number, number]) => [a * x + c * y + e, b * x + d * y + f] as const;
  const path = (line: Line) => line.map((point, i) => `${i ? "L" : "M"}${at(point).map((v) => v.toFixed(1)).join(" ")}`).join("") + (line.length > 2 ? "Z" : "");
  const corners = labelPlaces(drawn.map(({ contours }) => contours.flat().map(at)));
  return (
    <svg class="overlay" aria-hidden="true">
      {drawn.map(({ one, contours }, i) => {
        const colour = colourOf(one);
        const outline = contours.filter((line) => line.length > 1).map(path).join("");
        const points = contours.filter((line) => line.length === 1).map((line) => at(line[0]!));
        const corner = corners[i];
        return (
          <g key={one.finding.tracking} class={(one.finding.under || one.finding.tracking) === active ? "active" : undefined} data-finding={one.number}>
            {outline && <path class="halo" d={outline} />}
            {outline && <path class={one.machine ? "line dashed" : "line"} d={outline} stroke={colour} />}
            {points.map(([x, y]) => (
              <g key={`${x},${y}`}>
                <circle class="halo" cx={x} cy={y} r={8} />
                <circle class={one.machine ? "line dashed" : "line"} cx={x} cy={y} r={8} stroke={colour} />
              </g>
            ))}
            {corner && <text x={corner[0]} y={corner[1]} fill={colour}>{one.machine ? "◇" : "●"} {one.number}</text>}
          </g>
        );
      })}
    </svg>
  );
}

type Spot = readonly [x: number, y: number];

/** Beside the upper right of each outline, and above one another where outlines share a place. */
function labelPlaces(outlines: Spot[][]): (Spot | null)[] {
  const taken: Spot[] = [];
  return outlines.map((points) => {
    const corner = points.reduce<Spot | null>((best, point) => (!best || point[0] - point[1] > best[0] - best[1] ? point : best), null);
    if (!corner) return null;
    let spot: Spot = [corner[0] + 6, corner[1] - 4];
    while (taken.some(([x, y]) => Math.abs(x - spot[0]) < 30 && Math.abs(y - spot[1]) < 14)) spot = [spot[0], spot[1] - 14];
    taken.push(spot);
    return spot;
  });
}

/** Marks, and regions in patient space, are drawn by the layers that lie over every viewport. */
function drawnElsewhere({ finding: { where } }: Found, view: StackView): boolean {
  return (!!where?.points && where.shape !== "point") || (!!where?.has_mask && !!view.view.value) || (where?.shape === "point" && where.label === "Probe");
}
