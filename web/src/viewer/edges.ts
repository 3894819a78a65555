import { BodyView } from "./body";
import { letter, opposite } from "./sides";
import { cross, unit, type Viewport } from "./viewport";

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
  const stands = viewport instanceof BodyView ? viewport.stands.value : null;
  if (stands) {
    const [right, top] = [letter(unit(cross(stands.up, stands.towards))), letter(unit(stands.up))];
    return { left: opposite(right), right, top, bottom: opposite(top) };
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
