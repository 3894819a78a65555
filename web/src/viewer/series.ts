import { wadors } from "@cornerstonejs/dicom-image-loader";
import { type Attributes, numberOf, numbers, spellOutPalettes, text } from "./attributes";
import { within } from "./deadline";
import { steps } from "./order";
import { sidesOf } from "./sides";
import { start } from "./start";
import type { Point3 } from "./viewport";

/** One picture of a series: the image that carries it and the frame in it, counted from 0. */
export interface Picture {
  imageId: string;
  sop: string;
  frame: number;
  /** Letters of the patient's sides at the edges of the picture (right, bottom), where the header states them. */
  sides: [right: string, bottom: string] | null;
  /** Where it lies in the patient (mm, LPS): centre of the first pixel, direction along a row and along a column; null where the header gives none. */
  place: { position: Point3; row: Point3; column: Point3 } | null;
  /** Between rows, between columns; null where the header gives none. */
  spacing_mm: [row: number, column: number] | null;
  thickness_mm: number;
}

/** A series ready to be drawn, its pictures in the order in which people scroll. */
export interface Loaded {
  study: string;
  uid: string;
  modality: string;
  /** Frame of Reference UID; empty where the header gives none. */
  frame: string;
  pictures: Picture[];
  /** Where a picture stands among them, by its image id. */
  places: ReadonlyMap<string, number>;
  /** Number of pictures that share one place (phases of a beat, echoes); 1 where each place has one. */
  phases: number;
  /** How long each picture stays in a cine, as the header says it (ms); null where it does not. */
  durations_ms: number[] | null;
  /** Why these pictures are no volume; empty where they are one. */
  noVolume: string;
}

type Entry = { attributes: Attributes; picture: Picture };

/** Fetch what the server knows of a series and hand it to the image loader. */
export async function loadSeries(study: string, series: string): Promise<Loaded> {
  await start(); // the loader only keeps what it is told after its start
  const base = `/dicom-web/studies/${study}/series/${series}`;
  const answer = await within(20, "The description of the series", fetch(`${base}/metadata`, { headers: { Accept: "application/dicom+json" }, credentials: "same-origin" }));
  if (!answer.ok) throw new Error(`the server answered ${answer.status} for the description of the series`);
  const instances = (await answer.json()) as Attributes[];
  if (!instances.length) throw new Error("the series has no images");
  const first = instances[0]!;
  const entries: Entry[] = [];
  for (const attributes of instances) {
    if (!text(attributes, "00080060")) attributes["00080060"] = { vr: "CS", Value: ["OT"] }; // without it the loader never answers
    spellOutPalettes(attributes);
    const sop = text(attributes, "00080018");
    const frames = numberOf(attributes, "00280008") ?? 1;
    const sides = sidesOf(numbers(attributes, "00200037"), (attributes["00200020"]?.Value ?? []).map(String));
    for (let frame = 0; frame < frames; frame++) {
      const imageId = `wadors:${location.origin}${base}/instances/${sop}/frames/${frame + 1}`;
      wadors.metaDataManager.add(imageId, attributes as never);
      entries.push({ attributes, picture: { imageId, sop, frame, sides, ...placeOf(attributes) } });
    }
  }
  const single = entries.length === instances.length;
  const ordered = single ? steps(entries.map((entry) => ({ ...entry, position: numbers(entry.attributes, "00200032"), orientation: numbers(entry.attributes, "00200037"), order: orderOf(entry.attributes) }))) : { items: entries, phases: 1, gap: "several frames in one image" };
  return {
    study,
    uid: series,
    modality: text(first, "00080060"),
    frame: text(first, "00200052"),
    pictures: ordered.items.map((entry) => entry.picture),
    places: new Map(ordered.items.map((entry, i) => [entry.picture.imageId, i])),
    phases: ordered.phases,
    durations_ms: frameTime(first) ? ordered.items.map(() => frameTime(first)!) : null,
    noVolume: reasonAgainst(first, entries.length, ordered.gap),
  };
}

function placeOf(of: Attributes): Pick<Picture, "place" | "spacing_mm" | "thickness_mm"> {
  const [position, cosines, spacing] = [numbers(of, "00200032"), numbers(of, "00200037"), numbers(of, "00280030")];
  const placed = position.length === 3 && cosines.length === 6 && spacing.length === 2;
  return {
    place: placed ? { position: position as Point3, row: cosines.slice(0, 3) as Point3, column: cosines.slice(3) as Point3 } : null,
    spacing_mm: spacing.length === 2 ? (spacing as [number, number]) : null,
    thickness_mm: numberOf(of, "00180050") ?? 0,
  };
}

function orderOf(of: Attributes): number[] {
  return ["00181060", "00200100", "00180081", "00200013"].map((tag) => numberOf(of, tag) ?? 0);
}

function frameTime(of: Attributes): number | null {
  const time = numberOf(of, "00181063");
  if (time && time > 0) return time;
  const rate = numberOf(of, "00082144") ?? numberOf(of, "00180040");
  if (rate && rate > 0) return 1000 / rate;
  const beat = numberOf(of, "00181062");
  const phases = numberOf(of, "00181090");
  return beat && phases ? beat / phases : null;
}

function reasonAgainst(of: Attributes, pictures: number, gap: string): string {
  if ((numberOf(of, "00280002") ?? 1) > 1) return "colour images";
  if (pictures < 4) return pictures === 1 ? "one image only" : `only ${pictures} images`;
  return gap;
}
