import * as core from "@cornerstonejs/core";

/** Inferno at nine steps (matplotlib, CC0): dark where there is little, and never grey, so that it stands out from anatomy. */
const INFERNO = ["000004", "210c4a", "57106e", "8a226a", "bc3754", "e45a31", "f98e09", "f9cb35", "fcffa4"];
export const FUSED = "isocenter-inferno";

let registered = false;

/** The drawing library knows no colour maps of its own accord. */
export function registerMaps(): void {
  if (registered) return;
  registered = true;
  const points = INFERNO.flatMap((hex, i) => [i / (INFERNO.length - 1), ...[0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)]);
  core.utilities.colormap.registerColormap({ ColorSpace: "RGB", Name: FUSED, name: FUSED, RGBPoints: points } as never);
}

/** The same colours for a bar beside the image. */
export const gradient = `linear-gradient(to right, ${INFERNO.map((hex) => `#${hex}`).join(", ")})`;
