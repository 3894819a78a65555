import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { askOrTake } from "../api/early";
import { onHappening, STOPS } from "../api/live";
import { Source } from "../api/load";
import type { Stop } from "../api/shapes";
import { Lacking } from "../kit/states";
import { to } from "../router";
import { moment, spoken, whyStopped } from "../words";
import { afterTheList } from "./list";

/** Stops that were read and put away on this page; loaded anew, it tells of them again. */
const read = signal<ReadonlySet<string>>(new Set());
const nameOf = ({ analysis, when }: Stop) => `${analysis} ${when}`;

/** What is stopped stands above the list that it no longer orders: who, when, why. */
export function Stops() {
  const source = useRef<Source<Stop[]>>(null);
  source.current ??= new Source(async (abort) => (await askOrTake<{ stops: Stop[] }>("/api/stops", abort)).stops);
  const stops = source.current;
  useEffect(() => afterTheList(() => {
    void stops.load();
    const forget = onHappening(({ kind }) => STOPS.has(kind) && void stops.load());
    return () => (forget(), stops.stop());
  }), []);
  return (
    <>
      <Lacking of={stops} what="Which analyses are stopped" />
      {(stops.value ?? []).filter((one) => !read.value.has(nameOf(one))).map((one) => (
        <p key={one.analysis} class="callout slim" role="status">
          <span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {spoken(one.analysis)} was stopped {moment(one.when)} UTC by {one.by}: its studies stand as they would without it. <span class="muted">{whyStopped(one.reason)}</span> <a href={to.analyses(one.analysis)}>Why</a> <button type="button" class="link" aria-label={`OK: ${spoken(one.analysis)} is stopped`} onClick={() => (read.value = new Set([...read.value, nameOf(one)]))}>OK</button>
        </p>
      ))}
    </>
  );
}
