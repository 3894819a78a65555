import { useState } from "preact/hooks";
import { keyOf } from "../keys/keyboard";
import { Key } from "../kit/marks";
import { number, unit } from "../words";
import type { Column } from "./shapes";

/** The fields of a cohort, searched by name, each with how many have it and a small picture of its values; `many` where several may be chosen, and a press on a chosen one takes it off. */
export function Fields({ of, few, chosen, many = false, choose }: { of: readonly Column[]; few: number; chosen: readonly string[]; many?: boolean; choose: (name: string) => void }) {
  const [sought, seek] = useState("");
  const fields = of.filter((one) => `${one.title} ${one.name}`.toLowerCase().includes(sought.toLowerCase()));
  const first = fields.find((one) => !many || !chosen.includes(one.name));
  return (
    <section aria-label="Fields">
      <h2>Fields</h2>
      <label class="filter"><Key of={keyOf("cohorts", "field")} /><input id="cohort-field" type="search" aria-label="Search the fields" placeholder="name of a field" value={sought} onInput={(event) => seek(event.currentTarget.value)} onKeyDown={(event) => event.key === "Enter" && first && choose(first.name)} /></label>
      {!fields.length && <p class="muted">No field is called so.</p>}
      <table class="plain wide fields">
        <thead><tr><th scope="col">Field</th><th scope="col" class="num">n</th><th scope="col" class="num">Median</th><th scope="col"><span class="hidden">Small histogram</span></th></tr></thead>
        <tbody>{fields.map((one) => <Line key={one.name} column={one} chosen={chosen.includes(one.name)} few={few} many={many} choose={choose} />)}</tbody>
      </table>
    </section>
  );
}

function Line({ column, chosen, few, many, choose }: { column: Column; chosen: boolean; few: number; many: boolean; choose: (name: string) => void }) {
  const most = Math.max(1, ...column.bars);
  return (
    <tr aria-current={chosen ? "true" : undefined}>
      <td><button type="button" class="quiet link" aria-pressed={many ? chosen : undefined} onClick={() => choose(column.name)}>{column.title}{column.unit && <span class="muted"> {unit(column.unit)}</span>}</button></td>
      <td class="num">{column.n ?? <span class="muted">under {few}</span>}{!!column.missing && <span class="muted"> · {column.missing} missing</span>}</td>
      <td class="num">{column.median === null ? "" : number(column.median)}</td>
      <td>{column.bars.length > 0 && <svg class="small-bars" viewBox="0 0 72 18" width="72" height="18" aria-hidden="true">{column.bars.map((n, i) => <rect key={i} x={(i * 72) / column.bars.length} y={18 - (18 * n) / most} width={72 / column.bars.length - 1} height={(18 * n) / most} />)}</svg>}</td>
    </tr>
  );
}
