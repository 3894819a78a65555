import { useEffect, useRef } from "preact/hooks";
import { ask } from "../api/door";
import { onHappening } from "../api/live";
import { Source } from "../api/load";
import { Lacking } from "../kit/states";
import { may } from "../me";
import { count } from "../words";
import type { Desk } from "./desk";

interface Thread {
  number: string;
  address: string;
  settled: boolean;
  remarks: { who: string; words: string; settles: boolean }[];
}

/** What colleagues ask and answer about places in the images, where it is not settled: each leads to its place. */
export function Threads({ desk: { session } }: { desk: Desk }) {
  const held = useRef<Source<Thread[]>>(null);
  held.current ??= new Source(async (abort) => (await ask<{ threads: Thread[] }>(`/api/studies/${session.uid}/remarks`, { abort })).threads);
  const source = held.current;
  const told = session.results.value !== null && !session.unaided.value && may("consult"); // after the images; and a colleague's words may tell what machines say
  useEffect(() => {
    if (!told) return;
    void source.load();
    const forget = onHappening(({ kind, subject }) => kind === "Remarked" && subject === session.uid && void source.load());
    return () => (forget(), source.stop());
  }, [told]);
  if (!told) return null;
  const open = (source.value ?? []).filter((one) => !one.settled);
  if (!open.length) return <Lacking of={source} what="What colleagues asked" />;
  return (
    <section aria-label="Asked by colleagues">
      <h2>{count(open.length, "open question")} <span class="muted">about a place in the images</span></h2>
      {open.map((one) => {
        const said = one.remarks.filter((remark) => !remark.settles);
        const last = said[said.length - 1];
        return last && <p key={one.number}><a href={one.address}>{last.who}</a>: {last.words}</p>;
      })}
    </section>
  );
}
