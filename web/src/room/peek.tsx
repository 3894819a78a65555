import { useEffect, useRef, useState } from "preact/hooks";
import { wordsOf } from "../viewer/deadline";
import { StackView } from "../viewer/stack";
import { centre } from "../viewer/links";
import { type Viewport, plus } from "../viewer/viewport";
import { nearestPicture } from "../viewer/stack";
import type { Desk } from "./desk";
import { Hanging } from "./hanging";

/**
 * The earlier study in the same viewport while a key is held: the eye stays where it is and nothing has to be remembered.
 * At the same place of the patient where both share a frame of reference or were pinned, else at the same part of the stack.
 */
export function Peek({ desk, over }: { desk: Desk; over: Viewport }) {
  const element = useRef<HTMLDivElement>(null);
  const prior = desk.hanging.prior.value;
  const series = over.series.value;
  const there = prior?.series.filter((one) => one.viewable);
  const shown = there?.find((one) => one.modality === series?.modality) ?? there?.[0];
  const [said, say] = useState("");
  const placed = over.state.value.at !== "loading";
  useEffect(() => {
    if (!prior || !shown || !series || !placed) return;
    const view = new StackView(element.current!);
    let current = true;
    say("its images come");
    void (async () => {
      const loaded = await desk.lightbox.load(prior.study, shown.uid);
      if (!current) return;
      const plane = over.view.peek();
      const shift = desk.lightbox.links.shiftTo(over, loaded);
      const middle = plane && shift ? plus(centre(over, plane), shift) : null;
      const near = middle ? nearestPicture(loaded, middle) : -1;
      const at = near >= 0 ? near : Math.round(((over.index.peek() + 0.5) / Math.max(1, over.count.peek())) * loaded.pictures.length - 0.5);
      await view.show(loaded, at);
      const range = over.range.peek();
      if (!current) return;
      if (range && loaded.modality === series.modality && loaded.unit === series.unit) view.setRange(range);
      if (plane && middle) view.match(plane, middle);
      element.current?.setAttribute("data-there", "");
      say(`${at + 1}/${loaded.pictures.length} at the same ${near >= 0 ? "place" : "part of the stack"}`);
    })().catch((error: unknown) => current && say(`it could not be loaded: ${wordsOf(error)}`));
    return () => ((current = false), view.destroy());
  }, [prior?.study, shown?.uid, series?.uid, placed]); // where it lies is known only while something hangs here: not so when a graphics context was lost
  return (
    <>
      <div class="canvas peek" ref={element} role="img" aria-label="Earlier study" />
      <span class="corner tl prior">{prior ? (shown ? [`PRIOR ${Hanging.said(prior)}`, said].filter(Boolean).join("\n") : "the earlier study has no image") : "no earlier study"}</span>
    </>
  );
}
