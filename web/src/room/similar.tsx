import { useEffect, useRef } from "preact/hooks";
import { ask } from "../api/door";
import { Source } from "../api/load";
import { to } from "../router";
import { count, spoken } from "../words";
import type { Desk } from "./desk";

interface Case {
  study: string;
  series: string;
  date: string | null;
  words: string;
  by: string;
  distance: number;
}

interface Told {
  analysis: string;
  cases: Case[];
  looked_at: number;
  of: number;
}

/** Signed cases of other people that look like this one. Before the own opinion stands there are none to be had. */
export function Similar({ desk }: { desk: Desk }) {
  const { session } = desk;
  const source = useRef<Source<Told>>(null);
  source.current ??= new Source((abort) => ask<Told>(`/api/studies/${session.uid}/similar`, { abort }));
  const held = source.current;
  const hidden = session.unaided.value;
  useEffect(() => () => held.stop(), []);
  const told = hidden ? null : held.value;
  return hidden || !session.results.value?.some((one) => one.model) ? null : (
    <details class="whole" data-similar onToggle={(event) => event.currentTarget.open && !held.value && void held.load()}>
      <summary>Signed cases that look like this one</summary>
      {!told && <p class="muted" role="status">Looking</p>}
      {told && !told.cases.length && <p class="muted">None is known here.</p>}
      {told && told.cases.length > 0 && (
        <ul class="similar">
          {told.cases.map((one) => (
            <li key={one.study}>
              <a href={to.study(one.study)}>
                <img src={`/dicom-web/studies/${one.study}/series/${one.series}/thumbnail?viewport=96,96`} alt="" loading="lazy" width={72} height={72} />
                <span><strong>{one.words}</strong> <small class="muted">signed by {one.by}{one.date && `, ${one.date}`} · distance {one.distance.toFixed(3)}</small></span>
              </a>
            </li>
          ))}
        </ul>
      )}
      {told && <p class="muted">By what {spoken(told.analysis) || "the model"} sees; a neighbour is no proof. {told.looked_at < told.of ? <>{count(told.looked_at, "case")} of {told.of} compared. <button type="button" class="quiet" onClick={() => void held.load()}>Compare more</button></> : `${count(told.of, "case")} compared.`}</p>}
    </details>
  );
}
