import { useEffect, useRef } from "preact/hooks";
import type { Prior, Series } from "../api/shapes";
import { count, day } from "../words";
import type { Desk } from "./desk";
import { Hung } from "./tool-bar";

/** The series of this study and the earlier studies. What is no image (structures, reports) is named, not drawn. */
export function Thumbnails({ desk }: { desk: Desk }) {
  const study = desk.session.study.value!;
  const others = study.series.filter((one) => !one.viewable);
  const strip = useRef<HTMLElement>(null);
  useEffect(() => {
    if (strip.current) brought(strip.current);
  }, [desk.shownSeries.value]);
  return (
    <nav class="thumbnails" aria-label="Series" ref={strip} data-region tabIndex={-1}>
      {desk.viewable.value.map((one) => <Thumbnail key={one.uid} study={study.uid} series={one} pressed={one.uid === desk.shownSeries.value} choose={() => void desk.show(one.uid)} />)}
      {others.length > 0 && <p class="muted others" title="No image: structures and reports">{others.map((one) => `${one.modality} ${one.description}`.trim()).join(" · ")}</p>}
      <Earlier desk={desk} />
      <span class="gap" />
      <Hung desk={desk} />
    </nav>
  );
}

/** The series on screen into sight within its strip; the whole room would move with what scrollIntoView asks for. */
function brought(strip: HTMLElement) {
  const one = strip.querySelector("[aria-pressed=true]")?.getBoundingClientRect();
  if (!one) return;
  const { left, right, top, bottom } = strip.getBoundingClientRect();
  strip.scrollLeft += Math.min(0, one.left - left) + Math.max(0, one.right - right);
  strip.scrollTop += Math.min(0, one.top - top) + Math.max(0, one.bottom - bottom);
}

function Thumbnail({ study, series, pressed, choose }: { study: string; series: Series; pressed: boolean; choose: () => void }) {
  return (
    <button type="button" aria-pressed={pressed} onClick={choose}>
      <img src={`/dicom-web/studies/${study}/series/${series.uid}/thumbnail?viewport=96,96`} alt="" loading="lazy" width={48} height={48} onError={hide} />
      <span>
        <strong>{series.modality}</strong> {series.description}
        <small>{held(series)}</small>
      </span>
    </button>
  );
}

/** How much a series holds: files of many frames by their frames, for these are what a reader scrolls through. */
function held({ images, instances }: Series): string {
  const frames = instances.reduce((sum, one) => sum + Math.max(1, one.frames), 0);
  return frames > images ? `${count(frames, "frame")}${images > 1 ? ` in ${images}` : ""}` : count(images, "image");
}

/** No earlier study, and earlier studies that may not be seen, are different answers. */
function Earlier({ desk }: { desk: Desk }) {
  const told = desk.hanging.priors.value;
  if (!told) return null;
  const { priors, withheld } = told;
  const hung = desk.lightbox.cells.value.find((one) => one.prior)?.study;
  return (
    <>
      <span class="rule" />
      <p class="muted">{priors.length ? "Earlier" : withheld ? "" : "No earlier study here"}{withheld > 0 && ` ${count(withheld, "earlier study", "earlier studies")} you may not see`}</p>
      {priors.map((one) => <EarlierStudy key={one.study} prior={one} pressed={one.study === hung} compare={() => desk.hanging.compare(one)} />)}
    </>
  );
}

function EarlierStudy({ prior, pressed, compare }: { prior: Prior; pressed: boolean; compare: () => void }) {
  const series = prior.series.find((one) => one.viewable);
  return (
    <button type="button" class="earlier" aria-pressed={pressed} aria-disabled={!series} title={series ? "Hang it beside what is in hand" : "It has no image that can be drawn"} onClick={series ? compare : undefined}>
      {series && <img src={`/dicom-web/studies/${prior.study}/series/${series.uid}/thumbnail?viewport=96,96`} alt="" loading="lazy" width={48} height={48} onError={hide} />}
      <span>
        <strong>{day(prior.date)}</strong> {prior.modalities.join(" ")} {prior.description}
        <small>{prior.days} days before{prior.same_region ? "" : prior.region ? `, ${prior.region}` : ", region not stated"}</small>
      </span>
    </button>
  );
}

/** A picture that cannot be made leaves its place dark; its series says why when it is looked at. */
function hide({ currentTarget }: { currentTarget: HTMLImageElement }): void {
  currentTarget.style.visibility = "hidden";
}
