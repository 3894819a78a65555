import { type Replacement, replaceShaders } from "./shaders";

/**
 * Slabs that are as thick as they say.
 *
 * The drawing library (vtk.js 36 behind Cornerstone 5.14) steps through a slab in halves of the smallest voxel edge and
 * counts both directions with one number: its samples lie between slices and reach nearly twice as far as asked. Here
 * its own hook for shader replacements makes them right: one sample for each voxel along the normal, on the voxels' own
 * slices where the plane is one of theirs. Largest and smallest value are taken over every slice that the slab touches;
 * the mean weighs each slice by how much of it lies within the slab.
 *
 * Every string below has to stand in the library's shader as it is: a test compares slabs with NumPy's, so that another
 * version of the library cannot change them unseen.
 */
export const THICK: Replacement[] = [
  [
    "Fragment",
    "float scaling = min(min(spacing.x, spacing.y), spacing.z) * 0.5;",
    `vec3 voxelsPerMm = abs((WCTCMatrix0 * vec4(normalize(normalWCVSOutput) * vboScaling, 0.0)).xyz) * vec3(textureSize(volumeTexture[0], 0));
float scaling = 1.0 / max(voxelsPerMm.x, max(voxelsPerMm.y, voxelsPerMm.z));
float half_mm = slabThickness * 0.5;
float stepNumber = 0.0;
float weight = min(1.0, slabThickness / scaling);
float total = weight;
if (slabType == 2) tvalue *= weight;`,
  ],
  ["Fragment", "while (distTraveled < slabThickness * 0.5)", "while (distTraveled < half_mm + 0.5 * scaling - 1e-4)"],
  ["Fragment", "float fnumSlices = float(numSlices);", "stepNumber += 1.0;\n  float fnumSlices = stepNumber;\n  weight = clamp((half_mm + 0.5 * scaling - stepNumber * scaling) / scaling, 0.0, 1.0);"],
  ["Fragment", "if (distTraveled > slabThickness * 0.5)", "if (false)"],
  ["Fragment", "tvalue = compositeValue\\(tvalue, newVal, trapezoid\\);", "tvalue = compositeValue(tvalue, slabType == 2 ? newVal * weight : newVal, 0);\n    total += weight;", true],
  ["Fragment", "tvalue = tvalue / float(numSlices);", "tvalue = tvalue / total;"],
];

export const thicken = replaceShaders(THICK);
