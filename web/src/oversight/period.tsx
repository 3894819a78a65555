import type { JSX } from "preact";
import { Typed } from "../kit/typed";
import { address, setQuery } from "../router";
import { zone } from "./figures";

/** The period of a part stands in the address, so that what is seen can be kept and sent. */
export function wantedPeriod(): string {
  const query = address.value.searchParams;
  const told = new URLSearchParams({ zone });
  for (const name of ["since", "until", "hours"]) if (query.get(name)) told.set(name, query.get(name)!);
  return told.toString();
}

export function Period() {
  const query = address.value.searchParams;
  return (
    <>
      <Day name="since" label="From" />
      <Day name="until" label="Until before" />
      <label>Working hours<Typed class="short" pattern="\d{1,2}-\d{1,2}" placeholder="8-18" value={query.get("hours") ?? ""} taken={(words) => setQuery("hours", words, { keep: true })} /></label>
    </>
  );
}

function Day({ name, label }: { name: string; label: string }) {
  const now = address.value.searchParams.get(name) ?? "";
  return <label>{label}<DayTyped value={now} taken={(words) => setQuery(name, words, { keep: true })} /></label>;
}

const DAY = { class: "day", pattern: "\\d{4}-\\d{2}-\\d{2}", placeholder: "2026-11-30", title: "year-month-day" };

/** A day as it stands everywhere here: 2026-11-30. The browser's own field would show it in another order. */
export function DayField(given: JSX.IntrinsicElements["input"]) {
  return <input {...DAY} {...given} />;
}

/** The same, taken when it is left. */
export function DayTyped(given: { value: string; taken: (words: string) => void }) {
  return <Typed {...DAY} {...given} />;
}

export function Choice({ name, label, choices, fallback }: { name: string; label: string; choices: string[]; fallback: string }) {
  const now = address.value.searchParams.get(name) ?? fallback;
  return (
    <label>{label}
      <select value={now} onChange={(event) => setQuery(name, event.currentTarget.value === fallback ? "" : event.currentTarget.value, { keep: true })}>
        {choices.map((one) => <option key={one} value={one}>{one}</option>)}
      </select>
    </label>
  );
}
