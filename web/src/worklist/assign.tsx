import { signal } from "@preact/signals";
import { useEffect, useState } from "preact/hooks";
import { ask } from "../api/door";
import { asTrouble } from "../api/load";
import type { Row } from "../api/shapes";
import { Dialog } from "../kit/dialog";
import { me } from "../me";

export const assigning = signal<Row | null>(null);

/** Ask a colleague to read a study. Whoever is free may still take it. */
export function AssignDialog({ done }: { done: () => void }) {
  const row = assigning.value;
  return row && <Open key={row.study} row={row} close={() => (assigning.value = null)} done={done} />;
}

function Open({ row, close, done }: { row: Row; close: () => void; done: () => void }) {
  const [people, setPeople] = useState<{ name: string; role: string }[]>([]);
  const [refused, setRefused] = useState("");
  useEffect(() => {
    ask<{ colleagues: typeof people }>("/api/colleagues").then((told) => setPeople(told.colleagues), (error: unknown) => setRefused(asTrouble(error).message));
  }, []);
  const give = async (to: string) => {
    try {
      await ask(`/api/readings/${row.study}/assign`, { method: "POST", body: { to } });
      close();
      done();
    } catch (error) {
      setRefused(asTrouble(error).message);
    }
  };
  return (
    <Dialog title="Who shall read it?" close={close}>
      <p class="muted">{row.description || row.modalities.join(" ")}, accession {row.accession || "none"}. It is a request: whoever is free may still take it.</p>
      {refused && <p class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {refused}</p>}
      <ul class="lines">
        {people.map((one) => <li key={one.name}><button type="button" class="line" aria-pressed={row.assigned === one.name} onClick={() => void give(one.name)}>{one.name === me.value?.name ? `${one.name} (you)` : one.name} <span class="muted">{one.role}</span></button></li>)}
        {row.assigned && <li><button type="button" class="line" onClick={() => void give("")}>Nobody: whoever is next</button></li>}
      </ul>
      <p class="acts"><button type="button" onClick={close}>Cancel</button></p>
    </Dialog>
  );
}
