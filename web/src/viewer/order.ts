/** A picture with its place in the patient, as the header gives it. */
export interface Placed {
  position: number[];
  orientation: number[];
  /** What orders pictures at one place: trigger time, temporal position, echo, instance number. */
  order: number[];
}

export interface Ordered<T> {
  items: T[];
  phases: number;
  /** Why the pictures are no regular stack; empty where they are. */
  gap: string;
}

const SAME_PLACE_MM = 0.01;

/** Sort pictures by place along their normal, and at one place by time. Slice positions come from the patient, never from a number. */
export function steps<T extends Placed>(items: T[]): Ordered<T> {
  const normal = commonNormal(items);
  if (!normal) return { items: [...items].sort(byOrder), phases: 1, gap: "the images do not share one orientation" };
  const along = (item: T) => item.position[0]! * normal[0]! + item.position[1]! * normal[1]! + item.position[2]! * normal[2]!;
  const sorted = [...items].sort((a, b) => (Math.abs(along(a) - along(b)) > SAME_PLACE_MM ? along(a) - along(b) : byOrder(a, b)));
  const places: number[] = [];
  const sizes: number[] = [];
  for (const item of sorted) {
    const at = along(item);
    if (places.length && Math.abs(at - places[places.length - 1]!) <= SAME_PLACE_MM) sizes[sizes.length - 1]! += 1;
    else (places.push(at), sizes.push(1));
  }
  const phases = sizes.every((size) => size === sizes[0]) ? (sizes[0] ?? 1) : 1;
  return { items: sorted, phases, gap: gapOf(places, sizes) };
}

function byOrder(a: Placed, b: Placed): number {
  for (let i = 0; i < a.order.length; i++) if (a.order[i] !== b.order[i]) return (a.order[i] ?? 0) - (b.order[i] ?? 0);
  return 0;
}

function commonNormal(items: Placed[]): number[] | null {
  const first = items[0]?.orientation ?? [];
  if (first.length !== 6) return null;
  for (const { orientation, position } of items) {
    if (position.length !== 3 || orientation.length !== 6) return null;
    if (orientation.some((value, i) => Math.abs(value - first[i]!) > 1e-3)) return null;
  }
  const [a, b, c, d, e, f] = first as [number, number, number, number, number, number];
  return [b * f - c * e, c * d - a * f, a * e - b * d];
}

function gapOf(places: number[], sizes: number[]): string {
  if (sizes.some((size) => size > 1)) return "several images at one place (phases or echoes)";
  const distances = places.slice(1).map((at, i) => at - places[i]!);
  const usual = [...distances].sort((a, b) => a - b)[distances.length >> 1] ?? 0;
  const broken = distances.findIndex((distance) => Math.abs(distance - usual) > 0.1 * usual);
  return broken < 0 ? "" : `uneven slices: after image ${broken + 1} the distance is ${distances[broken]!.toFixed(1)} mm instead of ${usual.toFixed(1)} mm`;
}
