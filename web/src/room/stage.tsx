import { effect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Plane } from "../viewer/planes";
import { opposite } from "../viewer/sides";
import { StackView, type ViewState } from "../viewer/stack";
import { number } from "../words";
import type { Desk } from "./desk";
import { Overlay } from "./overlay";
import { SliceBar } from "./slice-bar";

/** Where the images stand: one viewport, or one beside three planes. */
export function Stage({ desk }: { desk: Desk }) {
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const stack = new StackView(element.current!);
    void desk.begin(stack);
    return effect(() => {
      const found = desk.session.found.value.map((one) => one.finding);
      desk.evidence.onScreen(stack.picture.value, stack.series.value?.uid ?? "", found, !desk.hidden.value);
    });
  }, []);
  const planes = desk.layout.value === "planes";
  return (
    <div class={planes ? "stage planes" : "stage"} data-region tabIndex={-1} aria-label="Images" role="group">
      <div class="viewport">
        <div class="canvas" ref={element} role="img" aria-label={spokenLine(desk)} onContextMenu={(event) => event.preventDefault()} onClick={(event) => markPlace(desk, event)} data-marking={desk.adding.value || undefined} />
        {desk.stack && <Overlay view={desk.stack} found={desk.session.found.value} active={desk.active.value} hidden={desk.hidden} map={desk.map.value} />}
        <Corners desk={desk} />
        {desk.stack && <SliceBar view={desk.stack} seen={desk.evidence.pictures.value} />}
      </div>
      {planes && <Planes desk={desk} />}
    </div>
  );
}

/** What a person who cannot see the image hears of it. */
function spokenLine(desk: Desk): string {
  const series = desk.stack?.series.value;
  if (!series) return "No image yet";
  const range = desk.stack!.range.value;
  const window = range ? `, window centre ${number((range.lower + range.upper) / 2)} width ${number(range.upper - range.lower)}` : "";
  return `${series.modality}, image ${desk.stack!.index.value + 1} of ${series.pictures.length}${window}`;
}

function markPlace(desk: Desk, event: MouseEvent): void {
  const picture = desk.stack?.picture.value;
  const pixel = desk.stack?.pixelAt(event.clientX, event.clientY);
  if (desk.adding.value && picture && pixel) desk.mark.value = { sop: picture.sop, pixel };
}

function Corners({ desk }: { desk: Desk }) {
  const stack = desk.stack;
  const series = stack?.series.value;
  const about = desk.viewable.value.find((one) => one.uid === desk.shownSeries.value);
  const trouble = desk.seriesTrouble.value;
  if (trouble) return <Note state={{ at: "failed", words: trouble }} again={() => void desk.show(desk.shownSeries.value)} />;
  if (!desk.viewable.value.length && desk.session.study.value) return <Note state={{ at: "failed", words: "this study has no image that can be drawn" }} />;
  if (!stack || !series) return <Note state={{ at: "loading", words: "the series" }} />;
  const range = stack.range.value;
  const sides = stack.picture.value?.sides;
  const mark = desk.mark.value;
  const affine = stack.affine.value;
  const phases = series.phases > 1 ? ` · phase ${(stack.index.value % series.phases) + 1}/${series.phases}` : "";
  return (
    <>
      <span class="corner tl">{series.modality} {about?.number !== null && about?.number !== undefined && <>#{about.number} </>}{about?.description}</span>
      <span class="corner tr">{series.phases > 1 ? `${Math.floor(stack.index.value / series.phases) + 1}/${series.pictures.length / series.phases}${phases}` : `${stack.index.value + 1}/${series.pictures.length}`}</span>
      <span class="corner bl">{range && `C ${number((range.lower + range.upper) / 2)}  W ${number(range.upper - range.lower)}`}</span>
      {desk.map.value && <span class="corner br">{desk.map.value.kind === "sensitivity" ? "◇ map: where the model was sensitive; no outline of disease" : `◇ map: ${desk.map.value.name} ${desk.map.value.unit}`}</span>}
      {desk.hidden.value && <span class="corner br">drawing hidden</span>}
      {sides && (
        <>
          <span class="side right">{sides[0]}</span><span class="side left">{opposite(sides[0])}</span>
          <span class="side bottom">{sides[1]}</span><span class="side top">{opposite(sides[1])}</span>
        </>
      )}
      {mark && affine && mark.sop === stack.picture.value?.sop && (
        <svg class="overlay" aria-hidden="true"><path class="cross" d={cross(affine[0] * mark.pixel[0] + affine[2] * mark.pixel[1] + affine[4], affine[1] * mark.pixel[0] + affine[3] * mark.pixel[1] + affine[5])} /></svg>
      )}
      <Note state={stack.state.value} again={() => void stack.at(stack.index.value)} />
    </>
  );
}

function cross(x: number, y: number): string {
  return `M${x - 12} ${y}h9M${x + 3} ${y}h9M${x} ${y - 12}v9M${x} ${y + 3}v9`;
}

function Note({ state, again }: { state: ViewState; again?: () => void }) {
  if (state.at === "loading") return <p class="note" role="status">Loading {state.words}</p>;
  if (state.at !== "failed") return null;
  return (
    <div class="note" role="alert">
      <p><span class="soon" aria-hidden="true">▲</span> No image: {state.words}</p>
      {again && <button type="button" onClick={again}>Try again</button>}
    </div>
  );
}

const names: Record<Plane, string> = { axial: "AX", sagittal: "SAG", coronal: "COR" };
const edges: Record<Plane, [left: string, right: string, top: string, bottom: string]> = { axial: ["R", "L", "A", "P"], sagittal: ["A", "P", "H", "F"], coronal: ["R", "L", "H", "F"] };

function Planes({ desk }: { desk: Desk }) {
  const elements = { axial: useRef<HTMLDivElement>(null), sagittal: useRef<HTMLDivElement>(null), coronal: useRef<HTMLDivElement>(null) };
  useEffect(() => {
    desk.showPlanes({ axial: elements.axial.current!, sagittal: elements.sagittal.current!, coronal: elements.coronal.current! });
    const forget = effect(() => {
      const range = desk.stack?.range.value;
      if (range) desk.planes?.window(range);
    });
    return forget;
  }, []);
  const planes = desk.planes;
  return (
    <>
      {(Object.keys(names) as Plane[]).map((plane) => {
        const at = planes?.crosses.value[plane];
        const [left, right, top, bottom] = edges[plane];
        return (
          <div class="viewport" key={plane}>
            <div class="canvas" ref={elements[plane]} role="img" aria-label={`${plane} plane`} onContextMenu={(event) => event.preventDefault()} onClick={(event) => { const point = planes?.pointAt(plane, event.clientX, event.clientY); if (point) planes?.go(point); }} />
            <span class="corner tl">{names[plane]}</span>
            <span class="side left">{left}</span><span class="side right">{right}</span><span class="side top">{top}</span><span class="side bottom">{bottom}</span>
            {at && <svg class="overlay" aria-hidden="true"><path class="cross" d={cross(at[0], at[1])} /></svg>}
            {planes && <Note state={planes.state.value} />}
          </div>
        );
      })}
    </>
  );
}
