import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../api/door";
import { asTrouble, Source } from "../api/load";
import { Empty, Shown } from "../kit/states";
import { Whose } from "../kit/whose";
import { presetsOf } from "../viewer/presets";
import { opposite, sidesOf } from "../viewer/sides";

interface Study {
  uid: string;
  patient: { id: string; name: string; birth_date: string | null };
  date: string | null;
  description: string;
  series: { uid: string; modality: string; number: number | null; description: string; viewable: boolean; instances: { sop_uid: string; frames: number }[] }[];
}

/** Where somebody is in a study, and what they mark; pixels are (column, row). */
export interface Spot {
  series: string;
  image: string;
  frame: number;
  window: [number, number] | null;
  marks: [number, number][];
}

export const nowhere: Spot = { series: "", image: "", frame: 0, window: null, marks: [] };

interface Props {
  study: string;
  at: Spot;
  move: (to: Spot) => void;
  point?: (place: [number, number] | null) => void;
  others?: { who: string; place: [number, number] }[];
  /** Whose images these are stands above them; not so for a reviewer who is not to know. */
  whose?: boolean;
}

/** How the images of a series lie in the patient: shared by all, or of each. */
interface Placed {
  sop: string[];
  frames: number[];
  orientation: number[] | { each: number[][] };
  sides: string[] | { each: string[][] };
}

const one = <T,>(all: T[] | { each: T[][] }, index: number): T[] => (Array.isArray(all) ? all : (all.each[index] ?? []));

/** The patient's sides at the four edges of an image, in the reading room's letters; none where the header gives no place. */
function edgesOf(placed: Placed | null, image: string, frame: number): Record<"left" | "right" | "top" | "bottom", string> | null {
  const frames = placed?.sop.flatMap((sop, index) => (sop === image ? [index] : [])) ?? [];
  const index = frames.find((at) => placed!.frames[at] === frame) ?? (frames.length === 1 ? frames[0] : undefined);
  const told = placed && index !== undefined ? sidesOf(one(placed.orientation, index), one(placed.sides, index)) : null;
  return told && { right: told[0], left: opposite(told[0]), bottom: told[1], top: opposite(told[1]) };
}

/** A plain way to look at images, rendered by the server: for a blind review, and for a colleague with a link. */
export function Slices({ study, ...rest }: Props) {
  const source = useRef<Source<Study>>(null);
  source.current ??= new Source((abort) => ask<Study>(`/api/studies/${study}`, { abort }));
  useEffect(() => void source.current!.load(), []);
  return <Shown of={source.current} what="the images">{(told) => <Stack told={told} study={study} {...rest} />}</Shown>;
}

function Stack({ told, study, at, move, point, others = [], whose }: Props & { told: Study }) {
  const shown = told.series.filter((one) => one.viewable);
  const series = shown.find((one) => one.uid === at.series) ?? shown[0];
  const [size, setSize] = useState<[number, number]>([0, 0]);
  const [placed, setPlaced] = useState<Placed | null>(null);
  const [cross, setCross] = useState<[number, number] | null>(null);
  const [unplaced, setUnplaced] = useState("");
  useEffect(() => {
    setUnplaced("");
    setPlaced(null); // no letter is better than that of another series
    const abort = new AbortController();
    if (series) void ask<Placed>(`/api/studies/${study}/series/${series.uid}/pictures`, { abort: abort.signal }).then(setPlaced, (error: unknown) => !abort.signal.aborted && setUnplaced(asTrouble(error).message));
    return () => abort.abort();
  }, [series?.uid]);
  if (!series) return <Empty title="This study has no images to look at" />;
  const images = series.instances.flatMap((one) => Array.from({ length: Math.max(1, one.frames) }, (_, frame) => ({ image: one.sop_uid, frame })));
  const named = images.findIndex((one) => one.image === at.image && one.frame === at.frame);
  const here = named >= 0 ? named : Math.floor((images.length - 1) / 2); // the ends of a stack show little
  const now = images[here]!;
  const go = (index: number) => {
    const next = images[Math.min(images.length - 1, Math.max(0, index))]!;
    move({ ...at, series: series.uid, ...next, marks: [] });
  };
  const presets = presetsOf(series.modality).flatMap(({ name, centre, width }) => (centre !== null && width !== null ? [{ name, window: [centre, width] as [number, number] }] : []));
  const window = at.window ?? presets[0]?.window ?? null; // as the reading room opens it: over its whole range a CT shows no tissue
  const query = window ? `?window=${window[0]},${window[1]},linear` : "";
  const frames = now.frame || images.filter((one) => one.image === now.image).length > 1 ? `/frames/${now.frame + 1}` : "";
  const place = (event: MouseEvent): [number, number] => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    return [round(((event.clientX - box.left) / box.width) * size[0] - 0.5), round(((event.clientY - box.top) / box.height) * size[1] - 0.5)];
  };
  const edges = edgesOf(placed, now.image, now.frame);
  const mark = (where: [number, number]) => move({ ...at, series: series.uid, ...now, marks: [...at.marks, where].slice(-20) });
  const steer = (event: KeyboardEvent) => {
    const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!size[0] || (event.key !== "Enter" && !(cross && (by || event.key === "Escape")))) return;
    event.preventDefault();
    event.stopPropagation();
    const next: [number, number] | null = event.key === "Escape" ? null : by && cross
      ? ([0, 1].map((axis) => Math.min(size[axis]! - 1, Math.max(0, cross[axis]! + by[axis]! * (event.shiftKey ? 10 : 1)))) as [number, number])
      : (cross ?? [Math.floor(size[0] / 2), Math.floor(size[1] / 2)]); // prettier-ignore
    if (event.key === "Enter" && cross) mark(cross);
    setCross(next);
    point?.(next);
  };
  return (
    <div class="slices" onKeyDown={(event) => {
      const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10 }[event.key];
      if (by && !(event.target as HTMLElement).closest("input, select, textarea")) (event.preventDefault(), go(here + by));
    }}>
      {whose && <Whose of={told} />}
      <form class="controls" onSubmit={(event) => event.preventDefault()}>
        <label>Series<select value={series.uid} onChange={(event) => move({ ...nowhere, series: event.currentTarget.value })}>{shown.map((one) => <option key={one.uid} value={one.uid}>{one.modality} {one.number ?? ""} {one.description}</option>)}</select></label>
        <label class="wide">Image {here + 1} of {images.length}<input type="range" min="0" max={images.length - 1} value={here} onInput={(event) => go(Number(event.currentTarget.value))} /></label>
        {presets.length > 0 && (
          <label>Window<select value={presets.find((one) => String(one.window) === String(window))?.name ?? ""} onChange={(event) => move({ ...at, window: presets.find((one) => one.name === event.currentTarget.value)?.window ?? window })}>
            <option value="" hidden>own</option>{presets.map(({ name }) => <option key={name}>{name}</option>)}
          </select></label>
        )}
        <WindowField name="Centre" value={at.window?.[0]} opens={window?.[0]} change={(centre) => move({ ...at, window: centre === null ? null : [centre, window?.[1] ?? 400] })} />
        <WindowField name="Width" min={1} value={at.window?.[1]} opens={window?.[1]} change={(width) => move({ ...at, window: width !== null && width > 0 ? [window?.[0] ?? 40, width] : null })} />
      </form>
      <div class="picture" style={size[0] ? { aspectRatio: `${size[0]} / ${size[1]}`, width: `min(100%, calc((100vh - 210px) * ${size[0] / size[1]}))` } : {}} tabIndex={0} role="img" aria-label={`${series.modality} ${series.description}, image ${here + 1} of ${images.length}, ${at.marks.length} marks`}
        onKeyDown={steer} onBlur={() => (setCross(null), point?.(null))}
        onWheel={(event) => go(here + (event.deltaY > 0 ? 1 : -1))}
        onClick={(event) => size[0] && mark(place(event))}
        onPointerMove={(event) => size[0] && point?.(place(event))} onPointerLeave={() => point?.(null)}>
        <img src={`/dicom-web/studies/${study}/series/${series.uid}/instances/${now.image}${frames}/rendered${query}`} alt="" draggable={false}
          onLoad={(event) => setSize([event.currentTarget.naturalWidth, event.currentTarget.naturalHeight])} />
        {size[0] > 0 && (
          <svg viewBox={`-0.5 -0.5 ${size[0]} ${size[1]}`} aria-hidden="true">
            {at.marks.map(([x, y], i) => <g key={i} class="mark">{["halo", ""].map((halo) => <circle key={halo} class={halo} cx={x} cy={y} r={size[0] / 40} />)}<text x={x + size[0] / 30} y={y} font-size={size[0] / 26}>{i + 1}</text></g>)}
            {cross && <g class="own">{["halo", ""].map((halo) => <path key={halo} class={halo} d={`M${cross[0]} ${cross[1] - size[1] / 30}V${cross[1] + size[1] / 30}M${cross[0] - size[0] / 30} ${cross[1]}H${cross[0] + size[0] / 30}`} />)}</g>}
            {others.map(({ who, place: [x, y] }) => <g key={who} class="other">{["halo", ""].map((halo) => <path key={halo} class={halo} d={`M${x} ${y - size[0] / 30}V${y + size[0] / 30}M${x - size[0] / 30} ${y}H${x + size[0] / 30}`} />)}<text x={x + size[0] / 40} y={y - size[0] / 60} font-size={size[0] / 26}>{who}</text></g>)}
          </svg>
        )}
        {edges && (["left", "right", "top", "bottom"] as const).map((edge) => <span key={edge} class={`side ${edge}`}>{edges[edge]}</span>)}
      </div>
      {unplaced && <p role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> The sides of the patient are not on this image: they could not be read ({unplaced}). Load the page again.</p>}
      <p class="muted hint" role="status">{cross ? `Cross at column ${cross[0]}, row ${cross[1]}: Enter marks it, Escape puts it away` : "Click marks a place. By keys, on the image: Enter shows a cross, arrows move it (Shift: ten pixels), Enter marks"}</p>
      {at.marks.length > 0 && <p class="acts">{at.marks.length} marked <button type="button" class="quiet" onClick={() => move({ ...at, marks: [] })}>Remove the marks</button></p>}
    </div>
  );
}

/** One number of the window. It keeps what is being typed, whatever comes from elsewhere meanwhile: another's cursor draws this page anew many times a second. */
function WindowField({ name, value, opens, min, change }: { name: string; value: number | undefined; opens: number | undefined; min?: number; change: (value: number | null) => void }) {
  const [typed, setTyped] = useState<string | null>(null);
  return <label>{name}<input class="short" type="number" min={min} step="any" placeholder={opens === undefined ? "as sent" : String(opens)} value={typed ?? value ?? ""} onInput={(event) => setTyped(event.currentTarget.value)} onBlur={() => setTyped(null)} onChange={(event) => change(event.currentTarget.value === "" ? null : Number(event.currentTarget.value))} /></label>;
}

function round(value: number): number {
  return Math.round(value * 4) / 4;
}
