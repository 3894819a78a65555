import { type Replacement, replaceShaders } from "./shaders";
import { THICK } from "./thick";

/**
 * Greys without two look-ups for every pixel.
 *
 * The drawing library (vtk.js 36 behind Cornerstone 5.14) looks up the grey of each pixel in one texture and how much of
 * it shows in another. A window is a straight line from its darkest grey to its brightest, so that a look-up of both ends
 * at each corner of the image and a line between them say the same; where an image is inverted the ends are the other way
 * round in that texture. All of it shows. A processor that draws without a graphics card is done a quarter sooner.
 *
 * Every string below has to stand in the library's shaders as it is: a test reads what the graphics are given. Images in
 * colour have another one, and keep it.
 */
const ends = "darkest = texture2D(colorTexture1, vec2(0.0, 0.5)).rgb; brightest = texture2D(colorTexture1, vec2(1.0, 0.5)).rgb;";
const passed = "varying vec3 darkest; varying vec3 brightest;";
const asked = `uniform mediump sampler2D colorTexture1; ${passed}`;

const line: Replacement[] = [
  ["Fragment", "vec3 tcolor = texture2D(colorTexture1, vec2(intensity * cscale0 + cshift0, 0.5)).rgb;", "vec3 tcolor = mix(darkest, brightest, clamp(intensity * cscale0 + cshift0, 0.0, 1.0));"],
  ["Fragment", "float scalarOpacity = texture2D(pwfTexture1, vec2(intensity * pwfscale0 + pwfshift0, 0.5)).r;", "float scalarOpacity = 1.0;"],
];

/** For images of a stack. */
export const greyImages = replaceShaders([
  ["Vertex", "attribute vec2 tcoordMC;", `attribute vec2 tcoordMC; ${asked}`],
  ["Vertex", "tcoordVCVSOutput = tcoordMC;", `tcoordVCVSOutput = tcoordMC; ${ends}`],
  ["Fragment", "varying vec2 tcoordVCVSOutput;", `varying vec2 tcoordVCVSOutput; ${passed}`],
  ...line,
]);

/** For a plane through a volume, thick or thin; what is laid over it in colour keeps its own. */
export const greyPlanes = replaceShaders([
  ["Vertex", "attribute vec4 vertexWC;", `attribute vec4 vertexWC; ${asked}`],
  ["Vertex", "vertexWCVSOutput = vertexWC;", `vertexWCVSOutput = vertexWC; ${ends}`],
  ["Fragment", "varying vec4 vertexWCVSOutput;", `varying vec4 vertexWCVSOutput; ${passed}`],
  ...line,
  ...THICK,
]);
