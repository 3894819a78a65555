import * as core from "@cornerstonejs/core";
import { type Described, each, Slabs } from "./slab";
import { sidesOf } from "./sides";
import { start } from "./start";
import type { Point3 } from "./vectors";

/** One picture of a series: the image that carries it and the frame in it, counted from 0. */
export interface Picture {
  imageId: string;
  sop: string;
  frame: number;
  /** The same for the same picture when more of its series has come, and it has another number and image id. */
  key: string;
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
  /** UCUM unit of the values, and a doubt about it. */
  unit: string;
  remark: string;
  colour: boolean;
  /** The smallest value is white. */
  inverse: boolean;
  /** Size of the first picture. */
  columns: number;
  rows: number;
  /** The window that the first picture states. */
  sent: { lower: number; upper: number } | null;
  pictures: Picture[];
  /** Where a picture stands among them, by its image id. */
  places: ReadonlyMap<string, number>;
  /** Number of pictures that share one place (phases of a beat, echoes); 1 where each place has one. */
  phases: number;
  /** How long each picture stays in a cine, as the header says it (ms); null where it does not. */
  durations_ms: number[] | null;
  /** Why these pictures are no volume; empty where they are one. */
  noVolume: string;
  /** Fetch these pictures, in this order, before anybody asks for them; `came` is told of each that is there. */
  prefetch(numbers: number[], came?: (number: number) => void): Promise<void>;
}

const SCHEME = "slab";
const known = new Map<string, { slabs: Pick<Slabs, "load">; loaded: Loaded; about: Described }>();
let registered = false;
let laidSerial = 0;

/** Ask the server what a series is, and make its images known to the drawing library. */
export function loadSeries(study: string, uid: string): Promise<Loaded> {
  return loadFrom(`/api/studies/${study}/series/${uid}`, study, uid);
}

/** The same series when more of it has come: what is here already is not fetched again. */
export async function loadGrown(before: Loaded): Promise<Loaded> {
  const base = `/api/studies/${before.study}/series/${before.uid}`;
  const about = await Slabs.open(base);
  if (known.get(idOf(before))!.about.tag === about.tag) return before; // what came is no picture
  const here = sameValues(known.get(idOf(before))!.about, about) ? new Map(before.pictures.map((one) => [one.key, one.imageId])) : new Map<string, string>();
  const loaded = loadedOf(before.study, before.uid, about, (imageId) => {
    const slabs = new Slabs(base, about, imageId);
    return {
      load: (number, urgent) => {
        const image = core.cache.getImage(here.get(loaded.pictures[number]!.key) ?? "");
        return image ? Promise.resolve({ ...image, imageId: imageId(number) }) : slabs.load(number, urgent);
      },
    };
  });
  return loaded;
}

/** Whether the values of an image mean the same in both. That of PET depend on what the whole series says. */
function sameValues(before: Described, now: Described): boolean {
  return before.type === now.type && before.unit === now.unit && before.colour === now.colour && before.inverse === now.inverse && now.modality !== "PT";
}

/** A series as a registration lays it onto the grid of another: the server moves it, and here it is a series of that frame. `by` is a proposal, or "kept" for what the study holds. */
export function loadLaid(study: string, uid: string, fixed: string, by: string): Promise<Loaded> {
  return loadFrom(`/api/studies/${study}/series/${uid}/on/${fixed}/${by}`, study, `${uid}/${(laidSerial += 1)}`);
}

/** A series behind a link: whoever holds its secret sees it without an account. */
export function loadShared(study: string, uid: string, headers: Record<string, string>): Promise<Loaded> {
  return loadFrom(`/api/shared/series/${uid}`, study, uid, headers);
}

async function loadFrom(base: string, study: string, uid: string, headers: Record<string, string> = {}): Promise<Loaded> {
  const [about] = await Promise.all([Slabs.open(base, headers), start()]);
  return loadedOf(study, uid, about, (imageId) => new Slabs(base, about, imageId, headers));
}

/** A described series, its images made known to the drawing library. */
export function loadedOf(study: string, uid: string, about: Described, from: (imageId: (number: number) => string) => Pick<Slabs, "load">): Loaded {
  register();
  const imageId = (number: number) => `${SCHEME}:${uid}:${about.tag}:${number}`;
  const slabs = from(imageId);
  const pictures = about.sop.map((sop, number) => pictureOf(about, sop, number, imageId(number)));
  const window = each(about.windows, 0)[0];
  const durations = pictures.map((_, number) => each(about.duration_ms, number));
  const loaded: Loaded = {
    study, uid, pictures,
    modality: about.modality, frame: about.frame, unit: about.unit, remark: about.remark, colour: about.colour, inverse: about.inverse,
    columns: each(about.columns, 0), rows: each(about.rows, 0),
    sent: window ? { lower: window[0] - window[1] / 2, upper: window[0] + window[1] / 2 } : null,
    places: new Map(pictures.map((one, i) => [one.imageId, i])),
    phases: about.phases,
    durations_ms: durations.every((one) => one > 0) ? durations : null,
    noVolume: about.no_volume,
    prefetch: async (numbers, came) => void (await Promise.allSettled(numbers.map((number) => core.imageLoader.loadAndCacheImage(imageId(number), { prefetch: true } as never).then(() => came?.(number))))),
  }; // prettier-ignore
  known.set(idOf(loaded), { slabs, loaded, about });
  return loaded;
}

function pictureOf(about: Described, sop: string, number: number, imageId: string): Picture {
  const [position, cosines, spacing] = [about.position[number]!, each(about.orientation, number), each(about.spacing_mm, number)];
  const placed = position.length === 3 && cosines.length === 6 && spacing.length === 2;
  return {
    imageId, sop,
    frame: about.frames[number]!,
    key: `${about.series} ${sop} ${about.frames[number]!}`,
    sides: sidesOf(cosines, each(about.sides, number)),
    place: placed ? { position: position as Point3, row: cosines.slice(0, 3) as Point3, column: cosines.slice(3) as Point3 } : null,
    spacing_mm: spacing.length === 2 ? (spacing as [number, number]) : null,
    thickness_mm: each(about.thickness_mm, number),
  }; // prettier-ignore
}

/** Our own way for images to come (many in one answer), and what is known of each without opening it. */
function register(): void {
  if (registered) return;
  registered = true;
  core.imageLoader.registerImageLoader(SCHEME, (imageId: string, options?: Record<string, unknown>) => {
    const { of, number } = find(imageId);
    // A viewport that waits for its image does not stand in line behind a whole volume.
    const inLine = !!options?.["prefetch"] || options?.["requestType"] === core.Enums.RequestType.Prefetch;
    return { promise: of.slabs.load(number, !inLine), cancelFn: () => undefined } as never;
  });
  for (const kind of [core.Enums.RequestType.Prefetch, core.Enums.RequestType.Interaction]) core.imageLoadPoolManager.setMaxSimultaneousRequests(kind, 10_000); // they are bundled into few answers
  core.metaData.addProvider((kind: string, imageId: unknown) => (typeof imageId === "string" && imageId.startsWith(`${SCHEME}:`) ? moduleOf(kind, imageId) : undefined), 10_000);
}

/** What tells this description of a series from every other: an image id begins with it. */
export function idOf({ pictures }: Loaded): string {
  return pictures[0]!.imageId.split(":").slice(1, 3).join(":");
}

function find(imageId: string): { of: { slabs: Pick<Slabs, "load">; loaded: Loaded; about: Described }; number: number } {
  const [, uid, tag, number] = imageId.split(":");
  const of = known.get(`${uid}:${tag}`);
  if (!of) throw new Error(`nothing is known of ${imageId}`);
  return { of, number: Number(number) };
}

function moduleOf(kind: string, imageId: string): unknown {
  const { of, number } = find(imageId);
  const { about, loaded } = of;
  const picture = loaded.pictures[number]!;
  const signed = about.type === "i2" || about.type === "f4";
  const bits = 8 * Number(about.type[1]);
  switch (kind) {
    case "imagePixelModule":
      return { bitsAllocated: bits, bitsStored: bits, highBit: bits - 1, samplesPerPixel: about.colour ? 3 : 1, pixelRepresentation: signed ? 1 : 0, photometricInterpretation: about.colour ? "RGB" : about.inverse ? "MONOCHROME1" : "MONOCHROME2", rows: each(about.rows, number), columns: each(about.columns, number) };
    case "imagePlaneModule": {
      const [row, column] = picture.spacing_mm ?? [1, 1];
      const { place } = picture;
      const cosines = place ? [...place.row, ...place.column] : [1, 0, 0, 0, 1, 0];
      return { frameOfReferenceUID: about.frame || about.series, rows: each(about.rows, number), columns: each(about.columns, number), imageOrientationPatient: cosines, rowCosines: cosines.slice(0, 3), columnCosines: cosines.slice(3), imagePositionPatient: place?.position ?? [0, 0, 0], sliceThickness: picture.thickness_mm, sliceLocation: number, pixelSpacing: [row, column], rowPixelSpacing: row, columnPixelSpacing: column, usingDefaultValues: !place };
    }
    case "generalSeriesModule":
      return { modality: about.modality, seriesInstanceUID: about.series, studyInstanceUID: loaded.study };
    case "voiLutModule": {
      const windows = each(about.windows, number);
      return windows.length ? { windowCenter: windows.map((one) => one[0]), windowWidth: windows.map((one) => one[1]), voiLUTFunction: core.Enums.VOILUTFunctionType.LINEAR_EXACT } : undefined;
    }
    case "modalityLutModule":
      return { rescaleSlope: 1, rescaleIntercept: 0 };
    case "sopCommonModule":
      return { sopInstanceUID: picture.sop };
    case "transferSyntax":
      return { transferSyntaxUID: "1.2.840.10008.1.2.1" };
    default:
      return undefined;
  }
}
