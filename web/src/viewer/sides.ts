import { unit, type Viewport } from "./viewport";

/** The patient's sides at the right and the lower edge of a picture, from its direction cosines or from the words of a radiograph. */
export function sidesOf(cosines: number[], words: string[]): [string, string] | null {
  if (cosines.length === 6) return [letter(cosines.slice(0, 3)), letter(cosines.slice(3))];
  if (words.length === 2 && words.every(Boolean)) return [words[0]!, words[1]!];
  return null;
}

/** The strongest one or two of the patient's directions (LPS) along a vector. */
function letter([x = 0, y = 0, z = 0]: number[]): string {
  const parts: [number, string][] = [[Math.abs(x), x > 0 ? "L" : "R"], [Math.abs(y), y > 0 ? "P" : "A"], [Math.abs(z), z > 0 ? "H" : "F"]];
  return parts
    .filter(([size]) => size > 0.3)
    .sort((a, b) => b[0] - a[0])
    .slice(0, 2)
    .map(([, name]) => name)
    .join("");
}

const other: Record<string, string> = { L: "R", R: "L", A: "P", P: "A", H: "F", F: "H" };

export function opposite(side: string): string {
  return [...side].map((one) => other[one] ?? one).join("");
}

export interface Edges {
  left: string;
  right: string;
  top: string;
  bottom: string;
}

/**
 * The patient's sides at the four edges of a viewport as it stands now: through every flip and rotation, for the letters
 * come from where the picture lies on the canvas. A radiograph states its sides in words for its own edges; turned by
 * quarters they move along. Null where the header states none.
 */
export function sidesOn(viewport: Viewport): Edges | null {
  const view = viewport.view.value;
  if (view) {
    const [right, bottom] = [letter(unit(view.right)), letter(unit(view.down))];
    return { left: opposite(right), right, top: opposite(bottom), bottom };
  }
  const image = viewport.image.value;
  const words = image?.picture.sides;
  if (!image || !words) return null;
  const [a, b, c, d] = image.affine;
  // Which edge of the canvas the picture's right edge and lower edge are at now.
  const edge = (x: number, y: number): keyof Edges => (Math.abs(x) > Math.abs(y) ? (x > 0 ? "right" : "left") : y > 0 ? "bottom" : "top");
  const across: Record<keyof Edges, keyof Edges> = { left: "right", right: "left", top: "bottom", bottom: "top" };
  const [first, second] = [edge(a, b), edge(c, d)];
  return { left: "", right: "", top: "", bottom: "", [first]: words[0], [across[first]]: opposite(words[0]), [second]: words[1], [across[second]]: opposite(words[1]) };
}
