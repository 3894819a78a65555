import { useEffect, useState } from "preact/hooks";
import { ask, type Trouble } from "../api/door";
import { asTrouble } from "../api/load";
import type { Row } from "../api/shapes";
import { keyOf } from "../keys/keyboard";
import { Key } from "../kit/marks";
import { me } from "../me";
import { to } from "../router";
import { count, day, moment, person } from "../words";

interface Known {
  study: string;
  reason: string;
  referring: string;
  requested: string;
  state: string;
  by: string;
  assigned: string;
  opened: string | null;
  series: { uid: string; modality: string; description: string; images: number }[];
  priors: { study: string; date: string | null; description: string; modalities: string[] }[];
}

/** What is known of a study before it is opened. Nothing that a machine made is in it. */
export function Preview({ row, close }: { row: Row; close: () => void }) {
  const [told, setKnown] = useState<Known | null>(null);
  const known = told?.study === row.study ? told : null; // never one study's series under another's name
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  useEffect(() => {
    const abort = new AbortController();
    // A person who walks through the list asks for the rows at which they stop.
    const timer = setTimeout(() => {
      ask<Known>(`/api/worklist/${row.study}/preview`, { abort: abort.signal }).then((told) => (setKnown(told), setTrouble(null)), (error: unknown) => !abort.signal.aborted && setTrouble(asTrouble(error)));
    }, 120);
    return () => (clearTimeout(timer), abort.abort());
  }, [row.study, row.state, row.assigned]);
  return (
    <aside class="preview" aria-label="Preview" data-region tabIndex={-1}>
      <header>
        <h2>{row.description || `${row.modalities.join(" ")} study`}</h2>
        <span>{person(row.patient.name)} <span class="id">{row.patient.id}</span></span>
        <span class="muted">accession {row.accession || "none"} · {day(row.date)}</span>
        <span class="gap" />
        <a class="button" href={to.study(row.study)}>Read <Key of={keyOf("worklist", "open")} /></a>
        <button type="button" onClick={close}>Close <Key of={keyOf("worklist", "preview")} /></button>
      </header>
      {trouble && <p class="callout" role="alert"><span class="hidden">Important:</span> {trouble.told}</p>}
      <div class="columns" aria-busy={!known && !trouble}>
        <dl class="facts">
          <div><dt>Reason</dt><dd>{known ? known.reason || <span class="faint">not stated in the images</span> : ""}</dd></div>
          <div><dt>Asked by</dt><dd>{known ? person(known.referring || "").replace("no name", "") || <span class="faint">not stated</span> : ""}{known?.requested && <span class="muted"> · {known.requested}</span>}</dd></div>
          <div><dt>Open with</dt><dd>{known ? openWith(known) : ""}</dd></div>
        </dl>
        <section aria-labelledby="priors">
          <h3 id="priors">{known ? (known.priors.length ? count(known.priors.length, "prior") : "No priors") : "Priors"}</h3>
          <ul>{known?.priors.slice(0, 6).map((prior) => <li key={prior.study}><a href={to.study(prior.study)}>{day(prior.date)}</a> {prior.description} <span class="muted">{prior.modalities.join("/")}</span></li>)}</ul>
          {known && known.priors.length > 6 && <a href={to.patients(row.study)}>all {known.priors.length}</a>}
        </section>
        <ul class="thumbs" aria-label="Series">
          {known?.series.slice(0, 12).map((one) => (
            <li key={one.uid}>
              <img src={`/dicom-web/studies/${row.study}/series/${one.uid}/thumbnail?viewport=128,128`} alt="" loading="lazy" width={64} height={64} />
              <span>{one.modality} <span class="muted">{one.description || "no description"}, {count(one.images, "image")}</span></span>
            </li>
          ))}
        </ul>
      </div>
    </aside>
  );
}

function openWith(known: Known): string {
  const name = (who: string) => (who === me.value?.name ? "you" : who);
  if (known.state === "signed") return `nobody; signed by ${name(known.by)}`;
  if (known.by) return `${name(known.by)}${known.opened ? `, since ${moment(known.opened)} UTC` : ""}`;
  return known.assigned ? `nobody; ${name(known.assigned)} ${known.assigned === me.value?.name ? "were" : "was"} asked` : "nobody";
}
