import * as core from "@cornerstonejs/core";
import table from "../../../src/isocenter/forms/inferno.json";

/** Inferno at nine steps, the server's own table: dark where there is little, and never grey, so that it stands out from anatomy. */
export const INFERNO: readonly (readonly number[])[] = table;
export const FUSED = "isocenter-inferno";

let registered = false;

/** The drawing library knows no colour maps of its own accord. */
export function registerMaps(): void {
  if (registered) return;
  registered = true;
  const points = INFERNO.flatMap((colour, i) => [i / (INFERNO.length - 1), ...colour.map((part) => part / 255)]);
  core.utilities.colormap.registerColormap({ ColorSpace: "RGB", Name: FUSED, name: FUSED, RGBPoints: points } as never);
}

const stops = INFERNO.map((colour) => `rgb(${colour.join(" ")})`).join(", ");

/** The same colours for a bar beside the image, lying and standing. */
export const gradient = `linear-gradient(to right, ${stops})`;
export const gradientUp = `linear-gradient(to top, ${stops})`;
