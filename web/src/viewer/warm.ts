import * as core from "@cornerstonejs/core";
import { PlaneView } from "./plane";
import { type Loaded, loadedOf } from "./series";
import { type Described, Slabs } from "./slab";
import { StackView } from "./stack";
import { canDrawVolumes, start } from "./start";
import { SeriesVolume } from "./volume";

const EDGE = 2;
const IMAGES = 4;
let warmed = false;
let cut = false;

/** Draw an image of nothing out of sight: the drawing context and its programs are there when the first real one comes. */
export async function warm(): Promise<void> {
  await start();
  if (warmed || !canDrawVolumes()) return;
  warmed = true;
  await outOfSight(async (element) => {
    const view = new StackView(element);
    await view.show(nothing(1));
    return () => view.destroy();
  });
}

/** The same for a plane through a volume of nothing: its program takes longer to make than a plane takes to draw. Not beside a volume that hangs already. */
export async function warmPlanes(): Promise<void> {
  await start();
  if (cut || !canDrawVolumes() || core.cache.getVolumes().length) return;
  cut = true;
  await outOfSight(async (element) => {
    const view = new PlaneView(element, "axial");
    const volume = await new SeriesVolume(nothing(IMAGES)).begin();
    await view.show(volume, { lower: 0, upper: 1 }, null);
    return () => (view.destroy(), volume.drop());
  });
}

async function outOfSight(show: (element: HTMLDivElement) => Promise<() => void>): Promise<void> {
  const element = document.createElement("div");
  Object.assign(element.style, { position: "fixed", left: "-99px", top: "0", width: "32px", height: "32px" });
  element.ariaHidden = "true";
  document.body.append(element);
  let end: (() => void) | undefined;
  try {
    end = await show(element);
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  } finally {
    end?.();
    element.remove();
  }
}

function nothing(images: number): Loaded {
  const about = { ...NOTHING, tag: String(images), count: images, sop: Array(images).fill(""), frames: Array(images).fill(0), position: Array.from({ length: images }, (_, z) => [0, 0, z]), no_volume: images > 1 ? "" : NOTHING.no_volume };
  return loadedOf("", "warm", about, (imageId) => {
    const slabs = new Slabs("", about, imageId);
    return { load: (number) => Promise.resolve(slabs.image(number, new Int16Array(EDGE * EDGE).buffer, head())) };
  });
}

function head(): DataView {
  const view = new DataView(new ArrayBuffer(32));
  view.setUint16(8, EDGE, true);
  view.setUint16(10, EDGE, true);
  view.setUint8(12, 1); // whole numbers of two bytes
  view.setUint8(13, 1);
  view.setFloat64(24, 1, true);
  return view;
}

const NOTHING: Described = {
  series: "warm", modality: "CT", frame: "", unit: "", remark: "", type: "i2", colour: false, inverse: false, phases: 1, no_volume: "one image only", tag: "0", count: 1,
  sop: [""], frames: [0], position: [[0, 0, 0]], rows: EDGE, columns: EDGE, orientation: [1, 0, 0, 0, 1, 0], spacing_mm: [1, 1], thickness_mm: 1, sides: [], windows: [[0, 2]], duration_ms: 0,
}; // prettier-ignore
