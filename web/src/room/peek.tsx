import { useEffect, useRef, useState } from "preact/hooks";
import { wordsOf } from "../viewer/deadline";
import { sidesOn } from "../viewer/edges";
import { fitOf, joinOf } from "../viewer/joins";
import { StackView } from "../viewer/stack";
import { centre } from "../viewer/links";
import { inPlane, type Point3, type Viewport } from "../viewer/viewport";
import { nearestPicture } from "../viewer/stack";
import type { Desk } from "./desk";
import { Hanging } from "./hanging";

/**
 * The earlier study in the same viewport while a key is held: the eye stays where it is and nothing has to be remembered.
 * At the same place of the patient where both share a frame of reference, a registration joins them or they were pinned;
 * a registered one is cut along the images on screen. Else at the same part of the stack, and it says so.
 */
export function Peek({ desk, over }: { desk: Desk; over: Viewport }) {
  const element = useRef<HTMLDivElement>(null);
  const prior = desk.hanging.prior.value;
  const series = over.series.value;
  const there = prior?.series.filter((one) => one.viewable);
  const hung = desk.lightbox.cells.value.find((one) => one.prior)?.series;
  const shown = there?.find((one) => one.uid === hung) ?? there?.find((one) => one.modality === series?.modality) ?? there?.[0];
  const [said, say] = useState("");
  const [view, setView] = useState<StackView | null>(null);
  const placed = over.state.value.at !== "loading";
  useEffect(() => {
    if (!prior || !shown || !series || !placed) return;
    const view = new StackView(element.current!);
    let current = true;
    say("its images come");
    void (async () => {
      const { links, joins } = desk.lightbox;
      const own = await desk.lightbox.shelf.load(prior.study, shown.uid);
      const join = links.pinned(over, own) || own.frame === series.frame ? null : joinOf(joins.peek(), own.frame, series.frame);
      const cut = join && !own.noVolume && !series.noVolume;
      const loaded = cut ? await desk.lightbox.shelf.laid(desk.session.uid, own.uid, series.uid, join.proposal ?? "kept") : own;
      if (!current) return;
      const plane = over.view.peek();
      const middle = plane && links.wayTo(over, loaded)?.point(centre(over, plane));
      const near = middle ? nearestPicture(loaded, middle) : -1;
      const at = near >= 0 ? near : Math.round(((over.index.peek() + 0.5) / Math.max(1, over.count.peek())) * loaded.pictures.length - 0.5);
      await view.show(loaded, at);
      if (!current) return;
      if (over instanceof StackView) over.lies()?.(view);
      const range = over.range.peek();
      if (range && loaded.modality === series.modality && loaded.unit === series.unit) view.setRange(range);
      if (plane && middle) view.match(plane, middle);
      setView(view);
      element.current?.setAttribute("data-there", "");
      const how = join ? `registered, ${join.proposal ? "not accepted, " : ""}${fitOf(join)}` : links.pinned(over, own) ? "pinned by hand" : middle ? "same frame" : "not registered";
      say(`${at + 1}/${loaded.pictures.length} at the same ${near >= 0 ? "place" : "part of the stack"}\n${how}${middle && near >= 0 && !reaches(view, middle) ? "\n▲ it does not reach this place: its nearest image" : ""}`);
    })().catch((error: unknown) => current && say(`it could not be loaded: ${wordsOf(error)}`));
    return () => ((current = false), setView(null), view.destroy());
  }, [prior?.study, shown?.uid, series?.uid, placed]); // where it lies is known only while something hangs here: not so when a graphics context was lost
  const sides = view && sidesOn(view);
  return (
    <>
      <div class="canvas peek" ref={element} role="img" aria-label="Earlier study" data-plane={view?.view.value ? JSON.stringify(view.view.value) : undefined} />
      {sides && (["left", "right", "top", "bottom"] as const).map((edge) => <span key={edge} class={`side ${edge}`}>{sides[edge]}</span>)}
      <span class="corner tl prior">{prior ? (shown ? [`PRIOR ${Hanging.said(prior)}`, said].filter(Boolean).join("\n") : "the earlier study has no image") : "no earlier study"}</span>
    </>
  );
}

/** Whether a place lies in the image on screen, or in the gap to the next one. */
function reaches(view: StackView, place: Point3): boolean {
  const plane = view.view.peek();
  return !!plane && inPlane({ ...plane, thickness_mm: Math.max(2 * plane.thickness_mm, 4) }, place);
}
