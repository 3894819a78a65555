import { signal } from "@preact/signals";
import { useState } from "preact/hooks";
import type { Row } from "../api/shapes";
import { keyOf } from "../keys/keyboard";
import { Dialog } from "../kit/dialog";
import { Key } from "../kit/marks";
import { may } from "../me";
import { go, to } from "../router";

export const menuOf = signal<Row | null>(null);

export interface RowAct {
  words: string;
  key: string;
  act: (row: Row) => void;
}

/** Everything that can be done with a row, each with its key. */
export function RowMenu({ acts }: { acts: RowAct[] }) {
  const row = menuOf.value;
  const [copied, setCopied] = useState(false);
  if (!row) return null;
  const close = () => ((menuOf.value = null), setCopied(false));
  const walk = (event: KeyboardEvent) => {
    const by = { ArrowDown: 1, ArrowUp: -1, j: 1, k: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    const lines = [...(event.currentTarget as HTMLElement).querySelectorAll<HTMLElement>(".line")];
    lines[(lines.indexOf(document.activeElement as HTMLElement) + by + lines.length) % lines.length]?.focus();
  };
  return (
    <Dialog title={row.description || `${row.modalities.join(" ")} study`} close={close}>
      <p class="muted">Accession {row.accession || "none"} · {row.why}</p>
      <ul class="lines" onKeyDown={walk}>
        {acts.map(({ words, key, act }) => (
          <li key={words}><button type="button" class="line" onClick={() => (close(), act(row))}>{words} {key && <Key of={keyOf("worklist", key)} />}</button></li>
        ))}
        <li><button type="button" class="line" onClick={() => (close(), go(to.patients(row.study)))}>Timeline of the patient</button></li>
        {may("consent") && <li><button type="button" class="line" onClick={() => (close(), go(`${to.sharing("consent")}?study=${row.study}`))}>Consent</button></li>}
        {may("sign") && <li><button type="button" class="line" onClick={() => (close(), go(`${to.department("alerts")}?study=${row.study}`))}>Raise an alert</button></li>}
        {may("reject") && <li><button type="button" class="line" onClick={() => (close(), go(`${to.department("rejected")}?study=${row.study}`))}>Reject images</button></li>}
        <li><button type="button" class="line" onClick={() => void navigator.clipboard?.writeText(new URL(to.study(row.study), location.origin).href).then(() => setCopied(true))}>{copied ? "Copied" : "Copy the address of the study"}</button></li>
      </ul>
    </Dialog>
  );
}
