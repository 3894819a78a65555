import type { Trouble } from "../api/door";
import { Empty } from "../kit/states";
import { address, setQuery } from "../router";
import { sentence } from "../words";

/** A field of words with the values that tell enough people from others. */
export interface Choice {
  name: string;
  title: string;
  values: string[];
}

/** One choice that stands in the address. */
export function Chosen({ label, name, of, none, clear = [] }: { label: string; name: string; of: string[][]; none: string; clear?: string[] }) {
  const value = address.value.searchParams.get(name) ?? "";
  const choose = (next: string) => {
    setQuery(name, next, { keep: true });
    clear.forEach((other) => setQuery(other, ""));
  };
  return (
    <label>{label}
      <select value={of.some(([each]) => each === value) ? value : ""} onChange={(event) => choose(event.currentTarget.value)}>
        <option value="">{none}</option>
        {of.map(([each, words]) => <option key={each} value={each}>{words}</option>)}
      </select>
    </label>
  );
}

/** A figure that the data cannot carry, and what would. */
export function Declined({ trouble }: { trouble: Trouble }) {
  return <Empty title={`No figure: ${trouble.what}`}>{sentence(trouble.why)}. {trouble.remedy && `${sentence(trouble.remedy)}.`}</Empty>;
}

/** A p value as people read it. */
export const chance = (p: number) => (p < 0.001 ? "< 0.001" : p.toFixed(3));
