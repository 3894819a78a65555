import { effect } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { MapLayer } from "../maps/layer";
import { placingOf, titleOfMap } from "../maps/maps";
import { cutLines } from "../viewer/cross";
import { fitOf, type Join } from "../viewer/joins";
import type { Cell } from "../viewer/lightbox";
import { PlaneView } from "../viewer/plane";
import { sidesOn } from "../viewer/edges";
import { StackView } from "../viewer/stack";
import { lost } from "../viewer/start";
import { fromPixel, inPlane, type Point2, toCanvas, type Viewport, type ViewState } from "../viewer/viewport";
import { number, unit } from "../words";
import type { Desk } from "./desk";
import { Carried } from "./carried";
import { CaretLine } from "./caret-line";
import { lies } from "./evidence";
import { Hanging } from "./hanging";
import { titleOf } from "./naming";
import { Overlay } from "./overlay";
import { Peek } from "./peek";
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
      {lost.value && <Note state={{ at: "loading", words: "the images again: the graphics context was lost" }} />}
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
    <div class="viewport" data-active={many && number === Math.max(0, lightbox.activeNumber.value) ? "" : undefined} data-viewport={view?.id} data-plane={view?.view.value ? JSON.stringify(view.view.value) : undefined}>
      <div class="canvas" ref={element} role="img" aria-label={view ? spokenLine(view, desk) : "No image yet"} data-marking={desk.adding.value || undefined} onClick={(event) => (event.ctrlKey || event.metaKey ? desk.pick(view, whereIn(event)) : markPlace(desk, view, event))} onPointerMove={(event) => desk.pointAt(view, whereIn(event))} onPointerLeave={() => desk.pointAt(view, null)} style={lightbox.hand.value ? { cursor: lightbox.hand.value.cursor } : undefined} />
      {view && <Drawn desk={desk} view={view} />}
      {number === Math.max(0, lightbox.activeNumber.value) && <CaretLine />}
      {view && desk.peeking.value && view === lightbox.active.value && <Peek desk={desk} over={view} />}
      {view ? <Corners desk={desk} view={view} number={number} /> : <Note state={{ at: "loading", words: "the series" }} />}
    </div>
  );
}

/** What a person who cannot see the image hears of it. */
function spokenLine(view: Viewport, desk: Desk): string {
  const series = view.series.value;
  if (!series) return "No image yet";
  const range = view.range.value;
  const window = range ? `, window centre ${number((range.lower + range.upper) / 2)} width ${number(range.upper - range.lower)}` : "";
  return `${series.modality}${view.kind === "plane" ? ` ${view.name.value}` : ""}, image ${view.index.value + 1} of ${view.count.value}${window}${heard(view, desk)}`;
}

/** The findings of this study that lie on what is shown, by number and name; struck ones are none. */
function heard(view: Viewport, { session }: Desk): string {
  const [plane, picture, series] = [view.view.value, view.image.value?.picture, view.series.value];
  if (series?.study !== session.uid) return "";
  const here = session.cards.value.map(({ first }) => first).filter(({ finding }) => {
    const { where, verdict } = finding;
    if (!where || verdict === "struck") return false;
    return picture ? lies(finding, picture.sop, series.uid) : !!plane && plane.frame === where.frame && !!where.centre_mm && inPlane(plane, where.centre_mm);
  });
  return here.length ? `, findings here: ${here.map((one) => `${one.number} ${titleOf(one.finding)}`).join(", ")}` : "";
}

function whereIn(event: MouseEvent): Point2 {
  const box = (event.currentTarget as HTMLElement).getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
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
      <MapLayer desk={desk} viewport={view} />
      {view instanceof StackView && own && <Overlay view={view} found={desk.session.outlines.value} active={desk.active.value} hidden={desk.hidden} />}
      {desk.lightbox.layers.value.map((Layer, i) => <Layer key={i} viewport={view} />)}
      <Cross desk={desk} view={view} />
      <Carried desk={desk} view={view} />
    </>
  );
}

/** Where the other planes cut this one, through the point that they share; and the place that somebody marked. */
function Cross({ desk, view }: { desk: Desk; view: Viewport }) {
  const { lightbox } = desk;
  const [at, mark, image] = [view.view.value, desk.mark.value, view.image.value];
  const point = lightbox.pointIn(at?.frame ?? "");
  const spots: Point2[] = [];
  if (mark && image && mark.sop === image.picture.sop) spots.push(fromPixel(image.affine, ...mark.pixel));
  const planes = view.kind !== "volume" && lightbox.viewports.value.some((one) => (one.kind === "plane" || one.kind === "server") && one.series.value?.frame === view.series.value?.frame);
  const lines = planes ? cutLines(lightbox, view) : [];
  if (point && at && (view.kind === "plane" || view.kind === "server" || ((lines.length > 0 || lightbox.hand.value === lightbox.cross) && inPlane(at, point)))) spots.push(toCanvas(at, point).slice(0, 2) as Point2);
  if (!spots.length && !lines.length) return null;
  return (
    <svg class="overlay" aria-hidden="true">
      {lines.map(({ other, through: [x, y], along: [u, v] }) => <path key={other.id} class={`cut ${other.plane}`} d={[-1, 1].map((way) => `M${x + way * 26 * u} ${y + way * 26 * v}L${x + way * 3000 * u} ${y + way * 3000 * v}`).join("")} />)}
      {spots.map(([x, y]) => <path key={`${x} ${y}`} class="cross" d={`M${x - 12} ${y}h9M${x + 3} ${y}h9M${x} ${y - 12}v9M${x} ${y + 3}v9`} />)}
    </svg>
  );
}

function Corners({ desk, view, number: place }: { desk: Desk; view: Viewport; number: number }) {
  const series = view.series.value;
  const trouble = desk.lightbox.trouble.value.get(place);
  const again = () => desk.lightbox.again(place);
  if (trouble) return <Note state={{ at: "failed", words: trouble }} again={again} />;
  if (!series) return <Note state={{ at: "loading", words: "the series" }} />;
  const range = view.range.value;
  const sides = sidesOn(view);
  const [at, all, phases] = [view.index.value, view.count.value, view.kind === "stack" ? series.phases : 1];
  const slab = view instanceof PlaneView ? view.slab.value : null;
  return (
    <>
      <span class="corner tl"><Whose desk={desk} view={view} place={place} /></span>
      <span class="corner tr">{phases > 1 ? `${Math.floor(at / phases) + 1}/${all / phases} · phase ${(at % phases) + 1}/${phases}` : all > 0 && `${at + 1}/${all}`}</span>
      <span class="corner bl">
        {slab && `${{ mip: "MIP", mean: "Mean", minip: "MinIP" }[slab.blend]} ${slab.thickness_mm} mm\n`}
        {range && `C ${number((range.lower + range.upper) / 2)}  W ${number(range.upper - range.lower)}`}{series.unit && !series.colour && !series.unit.startsWith("{") && ` ${unit(series.unit)}`}{series.unit.includes("SUV") && " SUV"}
      </span>
      <Below desk={desk} view={view} place={place} />
      {sides && !(desk.peeking.value && view === desk.lightbox.active.value) && (["left", "right", "top", "bottom"] as const).map((edge) => <span key={edge} class={`side ${edge}`}>{sides[edge]}</span>)}
      <SliceBar view={view} seen={desk.evidence.pictures.value} />
      <Note state={view.state.value} again={again} />
    </>
  );
}

/** Which series this is; of an earlier study, which one, and how it goes along. */
function Whose({ desk, view, place }: { desk: Desk; view: Viewport; place: number }) {
  const series = view.series.value!;
  const { lightbox, hanging } = desk;
  const own = series.study === desk.session.uid;
  const prior = own ? undefined : hanging.priors.value?.priors.find((one) => one.study === series.study);
  const about = (own ? desk.viewable.value : (prior?.series ?? [])).find((one) => one.uid === series.uid);
  const stacked = lightbox.layout.value === "beside" ? !own : lightbox.cells.value[place]?.kind === "stack" && lightbox.layout.value !== "planes";
  const lead = partnerOf(desk, view);
  const how = lead && (stacked ? togetherWith(desk, lead, view) : !lightbox.links.on.value && lead === lightbox.active.value ? "alone · S links them again" : "");
  return (
    <>
      {!own && <strong class="prior">{prior ? `PRIOR ${Hanging.said(prior)}` : "PRIOR"}{"\n"}</strong>}
      {view.kind !== "stack" && `${view.name.value}  `}{series.modality} {about?.number != null && `#${about.number} `}{about?.description}
      {how && <span class="how"><Parts words={how} /></span>}
    </>
  );
}

/** With what a viewport goes along: the one in hand; an earlier study in hand says how it lies to this one's images. */
function partnerOf({ lightbox, session }: Desk, view: Viewport): Viewport | null {
  const lead = lightbox.active.value;
  if (lead !== view) return lead;
  if (view.series.value?.study === session.uid) return null;
  return lightbox.viewports.value.find((one) => one.series.value?.study === session.uid) ?? null;
}

function togetherWith({ lightbox: { links } }: Desk, lead: Viewport, view: Viewport): string {
  const how = links.how(lead, view);
  const fit = how === "registered" ? joined(links.join(lead, view)) : "";
  if (!links.on.value) return how === "frame" ? "alone · S links them again" : `${fit ? `${fit}, ` : ""}alone · S pins the pair`;
  return { frame: "together, same frame", registered: `together, ${fit}`, pinned: "together, pinned by hand", no: "not registered, alone · S pins, ⇧S registers" }[how];
}

function Below({ desk, view, place }: { desk: Desk; view: Viewport; place: number }) {
  const said: preact.ComponentChildren[] = [];
  const [refusal, series, grid] = [desk.lightbox.refusals.value.get(place), view.series.value!, desk.maps.grid.value];
  if (refusal) said.push(<span class="soon">▲ {refusal}</span>);
  if (view.kind === "server") said.push(<span class="soon">▲ no WebGL: drawn by the server</span>);
  if (view.reduced.value) said.push(<span class="soon">▲ reduced: {view.reduced.value}</span>);
  const over = view instanceof PlaneView ? view.fused.value : null;
  if (over) {
    const [{ volume }, its] = [over, over.volume.series.modality];
    const lacking = volume.failed.value || volume.words(); // where it has not come it looks like tissue without uptake
    const prior = desk.hanging.priors.value?.priors.find((one) => one.study === desk.lightbox.cells.value[place]?.overOf);
    if (prior) said.push(<strong class="prior">PRIOR {Hanging.said(prior)}</strong>);
    said.push(<Parts words={`${its} over ${series.modality}, ${joined(over.join)}`} />);
    if (lacking) said.push(<span class="soon" role="status">▲ {its} not whole: {lacking}</span>);
  }
  if (series.remark && (series.modality === "PT")) said.push(<span class="soon">▲ {series.remark}</span>);
  if (grid && series.study === desk.session.uid) {
    const there = placingOf(view, grid);
    said.push(!there ? `◇ map ${titleOfMap(grid.told)}: in another space than these images` : grid.told.kind === "sensitivity" ? "◇ map: where the model was sensitive, not where disease is" : `◇ map: ${grid.told.name} ${unit(grid.told.unit)}`);
  }
  if (desk.lesionSteps.words.value && view === desk.lightbox.active.value) said.push(<span role="status">{desk.lesionSteps.words.value}</span>);
  if (desk.hidden.value) said.push("drawing hidden");
  return <span class="corner br">{said.map((one, i) => <span key={i}>{one}{i < said.length - 1 && "\n"}</span>)}</span>;
}

/** Words that break at their commas before anywhere else: a number and its unit stay on one line. */
function Parts({ words }: { words: string }) {
  return <>{words.split(", ").map((part, i, all) => <span key={i}>{i > 0 && " "}<span class="part">{part}{i < all.length - 1 && ","}</span></span>)}</>;
}

/** By what a second series lies over a first. */
function joined(join: Join | null): string {
  if (!join) return "one frame of reference";
  return `registered, ${join.proposal ? "not accepted, " : ""}${fitOf(join)}`;
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
