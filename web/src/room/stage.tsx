import { effect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import type { Cell } from "../viewer/lightbox";
import { sidesOn } from "../viewer/sides";
import { StackView } from "../viewer/stack";
import { fromPixel, type Point2, toCanvas, type Viewport, type ViewState } from "../viewer/viewport";
import { number } from "../words";
import type { Desk } from "./desk";
import { Overlay } from "./overlay";
import { SliceBar } from "./slice-bar";

/** Where the images stand: one viewport for each cell of the light box, with what must be read beside it. */
export function Stage({ desk }: { desk: Desk }) {
  const { lightbox } = desk;
  useEffect(() => {
    void desk.begin();
    return effect(() => {
      const found = desk.session.found.value.map((one) => one.finding);
      for (const one of lightbox.viewports.value) if (one instanceof StackView) desk.evidence.onScreen(one.id, one.picture.value, one.series.value?.uid ?? "", found, !desk.hidden.value);
    });
  }, []);
  const cells = lightbox.cells.value;
  return (
    <div class={`stage l${lightbox.layout.value}`} data-region tabIndex={-1} aria-label="Images" role="group">
      {!desk.viewable.value.length && desk.session.study.value && <Note state={{ at: "failed", words: "this study has no image that can be drawn" }} />}
      {cells.map((cell, i) => <Place key={`${i} ${cell.kind} ${cell.plane ?? ""}`} desk={desk} number={i} cell={cell} />)}
    </div>
  );
}

function Place({ desk, number, cell }: { desk: Desk; number: number; cell: Cell }) {
  const { lightbox } = desk;
  const element = useRef<HTMLDivElement>(null);
  useEffect(() => lightbox.mount(number, cell.kind, cell.plane, element.current!), []);
  const view = lightbox.viewports.value.find((one) => one.element === element.current);
  const many = lightbox.cells.value.length > 1;
  return (
    <div class="viewport" data-active={many && number === Math.max(0, lightbox.activeNumber.value) ? "" : undefined} data-viewport={view?.id}>
      <div class="canvas" ref={element} role="img" aria-label={view ? spokenLine(view) : "No image yet"} data-marking={desk.adding.value || undefined} onClick={(event) => markPlace(desk, view, event)} style={lightbox.hand.value ? { cursor: lightbox.hand.value.cursor } : undefined} />
      {view && <Drawn desk={desk} view={view} />}
      {view ? <Corners desk={desk} view={view} number={number} /> : <Note state={{ at: "loading", words: "the series" }} />}
    </div>
  );
}

/** What a person who cannot see the image hears of it. */
function spokenLine(view: Viewport): string {
  const series = view.series.value;
  if (!series) return "No image yet";
  const range = view.range.value;
  const window = range ? `, window centre ${number((range.lower + range.upper) / 2)} width ${number(range.upper - range.lower)}` : "";
  return `${series.modality}${view.kind === "plane" ? ` ${view.name.value}` : ""}, image ${view.index.value + 1} of ${view.count.value}${window}`;
}

function markPlace(desk: Desk, view: Viewport | undefined, event: MouseEvent): void {
  if (!(view instanceof StackView)) return;
  const [picture, pixel] = [view.picture.value, view.pixelAt(event.clientX, event.clientY)];
  if (desk.adding.value && picture && pixel) desk.mark.value = { sop: picture.sop, pixel };
}

function Drawn({ desk, view }: { desk: Desk; view: Viewport }) {
  const own = view.series.value?.study === desk.session.uid;
  return (
    <>
      {view instanceof StackView && own && <Overlay view={view} found={desk.session.found.value} active={desk.active.value} hidden={desk.hidden} map={desk.map.value} />}
      {desk.lightbox.layers.value.map((Layer, i) => <Layer key={i} viewport={view} />)}
      <Cross desk={desk} view={view} />
    </>
  );
}

/** The point that all planes go through, and the place that somebody marked. */
function Cross({ desk, view }: { desk: Desk; view: Viewport }) {
  const spots: Point2[] = [];
  const [point, at, mark] = [desk.lightbox.point.value, view.view.value, desk.mark.value];
  if (point && at && view.kind === "plane") spots.push(toCanvas(at, point).slice(0, 2) as Point2);
  const image = view.image.value;
  if (mark && image && mark.sop === image.picture.sop) spots.push(fromPixel(image.affine, ...mark.pixel));
  if (!spots.length) return null;
  return <svg class="overlay" aria-hidden="true">{spots.map(([x, y]) => <path key={`${x} ${y}`} class="cross" d={`M${x - 12} ${y}h9M${x + 3} ${y}h9M${x} ${y - 12}v9M${x} ${y + 3}v9`} />)}</svg>;
}

function Corners({ desk, view, number: place }: { desk: Desk; view: Viewport; number: number }) {
  const series = view.series.value;
  const trouble = desk.lightbox.trouble.value.get(place);
  const again = () => desk.lightbox.again(place);
  if (trouble) return <Note state={{ at: "failed", words: trouble }} again={again} />;
  if (!series) return <Note state={{ at: "loading", words: "the series" }} />;
  const about = desk.viewable.value.find((one) => one.uid === series.uid);
  const range = view.range.value;
  const sides = sidesOn(view);
  const [at, all, phases] = [view.index.value, view.count.value, view.kind === "stack" ? series.phases : 1];
  return (
    <>
      <span class="corner tl">{view.kind === "plane" ? `${view.name.value}  ` : ""}{series.modality} {about?.number !== null && about?.number !== undefined && <>#{about.number} </>}{about?.description}</span>
      <span class="corner tr">{phases > 1 ? `${Math.floor(at / phases) + 1}/${all / phases} · phase ${(at % phases) + 1}/${phases}` : all > 0 && `${at + 1}/${all}`}</span>
      <span class="corner bl">{range && `C ${number((range.lower + range.upper) / 2)}  W ${number(range.upper - range.lower)}`}</span>
      <span class="corner br">
        {view.reduced.value && <span class="soon">▲ reduced: {view.reduced.value}</span>}
        {desk.map.value && view.kind === "stack" && (desk.map.value.kind === "sensitivity" ? "◇ map: where the model was sensitive; no outline of disease" : `◇ map: ${desk.map.value.name} ${desk.map.value.unit}`)}
        {desk.hidden.value && "drawing hidden"}
      </span>
      {sides && (["left", "right", "top", "bottom"] as const).map((edge) => <span key={edge} class={`side ${edge}`}>{sides[edge]}</span>)}
      <SliceBar view={view} seen={desk.evidence.pictures.value} />
      <Note state={view.state.value} again={again} />
    </>
  );
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
