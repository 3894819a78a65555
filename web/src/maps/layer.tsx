import { useEffect, useRef } from "preact/hooks";
import { ticksOf } from "../kit/ticks";
import type { Desk } from "../room/desk";
import { gradientUp } from "../viewer/maps";
import { inPlane, toCanvas, type Viewport } from "../viewer/viewport";
import { number, unit } from "../words";
import type { Grid } from "./halves";
import { indexAt, type Placing, placingOf, titleOfMap } from "./maps";

const NO_SIZE = { clientWidth: 0, clientHeight: 0 };
/** Least height of a viewport (pixels) that has room for the bar. */
const ROOM_PX = 240;

/**
 * The map over one viewport, each canvas pixel in the colour of the voxel that it lies in: nothing is interpolated, so
 * that what is coloured is what the volumes count. With its colour bar, and the place that is pointed at elsewhere.
 */
export function MapLayer({ desk, viewport }: { desk: Desk; viewport: Viewport }) {
  const { maps } = desk;
  const canvas = useRef<HTMLCanvasElement>(null);
  const [grid, palette, view] = [maps.grid.value, maps.palette.value, viewport.view.value];
  const placing = grid && viewport.series.value?.study === desk.session.uid ? placingOf(viewport, grid) : null;
  const hidden = desk.hidden.value;
  const { clientWidth: width, clientHeight: height } = placing ? viewport.element : NO_SIZE; // to ask for it lays the page out, with every slice
  useEffect(() => {
    if (canvas.current && grid && palette && placing) draw(canvas.current, grid, palette, placing, width, height);
  }, [grid, palette, width, height, hidden, placing && [...placing.origin, ...placing.right, ...placing.down].join()]);
  if (!grid || !placing || hidden) return null;
  const cursor = maps.cursor.value;
  const linked = cursor?.mm && cursor.viewport !== viewport && view && inPlane(view, cursor.mm) ? toCanvas(view, cursor.mm) : null;
  return (
    <>
      <canvas class="overlay map" ref={canvas} aria-hidden="true" data-map={grid.told.name} style={{ opacity: maps.opacity.value }} />
      {height >= ROOM_PX && <Bar grid={grid} ends={maps.ends.value} />}
      {linked && <svg class="overlay" aria-hidden="true"><path class="cross" data-linked d={`M${linked[0] - 9} ${linked[1]}h6M${linked[0] + 3} ${linked[1]}h6M${linked[0]} ${linked[1] - 9}v6M${linked[0]} ${linked[1] + 3}v6`} /></svg>}
    </>
  );
}

/** What the colours mean, beside the image. */
function Bar({ grid, ends: [dark, bright] }: { grid: Grid; ends: [number, number] }) {
  const ticks = ticksOf(dark, bright).filter((tick) => tick >= dark && tick <= bright);
  return (
    <div class="map-bar" aria-hidden="true">
      <span>{titleOfMap(grid.told)} {unit(grid.told.unit)}</span>
      <div><i style={{ background: gradientUp }} />{ticks.map((tick) => <b key={tick} style={{ bottom: `${(100 * (tick - dark)) / (bright - dark)}%` }}>{number(tick)}</b>)}</div>
    </div>
  );
}

function draw(canvas: HTMLCanvasElement, { codes, told }: Grid, palette: Uint32Array, placing: Placing, width: number, height: number): void {
  if (!width || !height) return;
  [canvas.width, canvas.height] = [width, height];
  const pen = canvas.getContext("2d")!;
  const picture = pen.createImageData(width, height);
  const pixels = new Uint32Array(picture.data.buffer);
  const [slices, rows, columns] = told.shape;
  const [ds, dr, dc] = placing.right;
  for (let y = 0; y < height; y++) {
    let [s, r, c] = indexAt(placing, 0.5, y + 0.5);
    // Half up, with the edge between two slices always on the same side, as outlines of regions have it.
    [s, r, c] = [s + 0.5 + 1e-6, r + 0.5 + 1e-6, c + 0.5 + 1e-6];
    for (let x = 0, at = y * width; x < width; x++, at++, s += ds, r += dr, c += dc) {
      if (s < 0 || r < 0 || c < 0 || s >= slices || r >= rows || c >= columns) continue;
      pixels[at] = palette[codes[((s | 0) * rows + (r | 0)) * columns + (c | 0)]!]!;
    }
  }
  pen.putImageData(picture, 0, 0);
}
