import { useEffect, useRef } from "preact/hooks";
import { count } from "../words";
import type { Desk } from "./desk";

/** The series of this study. What is no image (structures, reports) is named, not drawn. */
export function Thumbnails({ desk }: { desk: Desk }) {
  const study = desk.session.study.value!;
  const others = study.series.filter((one) => !one.viewable);
  const strip = useRef<HTMLElement>(null);
  useEffect(() => {
    strip.current?.querySelector("[aria-pressed=true]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [desk.shownSeries.value]);
  return (
    <nav class="thumbnails" aria-label="Series" ref={strip} data-region tabIndex={-1}>
      {desk.viewable.value.map((one) => (
        <button type="button" key={one.uid} aria-pressed={one.uid === desk.shownSeries.value} onClick={() => void desk.show(one.uid)}>
          <img src={`/dicom-web/studies/${study.uid}/series/${one.uid}/thumbnail?viewport=96,96`} alt="" loading="lazy" width={48} height={48} />
          <span>
            <strong>{one.modality}</strong> {one.description}
            <small>{count(one.images, "image")}</small>
          </span>
        </button>
      ))}
      {others.length > 0 && <p class="muted">{others.map((one) => `${one.modality} ${one.description}`.trim()).join(" · ")}</p>}
    </nav>
  );
}
