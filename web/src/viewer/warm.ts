import { loadedOf } from "./series";
import { type Described, Slabs } from "./slab";
import { StackView } from "./stack";
import { canDrawVolumes, start } from "./start";

const EDGE = 2;
let warmed = false;

/** Draw an image of nothing out of sight: the drawing context and its programs are there when the first real one comes. */
export async function warm(): Promise<void> {
  await start();
  if (warmed || !canDrawVolumes()) return;
  warmed = true;
  const element = document.createElement("div");
  Object.assign(element.style, { position: "fixed", left: "-99px", top: "0", width: "32px", height: "32px" });
  element.ariaHidden = "true";
  document.body.append(element);
  const view = new StackView(element);
  try {
    await view.show(loadedOf("", "warm", NOTHING, (imageId) => {
      const slabs = new Slabs("", NOTHING, imageId);
      return { load: () => Promise.resolve(slabs.image(0, new Int16Array(EDGE * EDGE).buffer, head())) };
    }));
    await new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
  } finally {
    view.destroy();
    element.remove();
  }
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
  sop: [""], frames: [0], position: [[0, 0, 0]], rows: EDGE, columns: EDGE, orientation: [1, 0, 0, 0, 1, 0], spacing_mm: [1, 1], thickness_mm: 1, sides: [], windows: [[0, 1]], duration_ms: 0,
}; // prettier-ignore
