import { me } from "../me";

/** Who was told of what cannot wait: six fields, and whether they read it back. */
export interface Call {
  identified: string;
  communicator: string;
  recipient: string;
  received: string;
  method: string;
  read_back: boolean;
}

const METHODS = ["telephone", "in person", "secure message", "video"];

export function firstCall(identified: string | null | undefined): Call {
  return { identified: local(identified ? new Date(identified) : new Date()), communicator: me.value?.name ?? "", recipient: "", received: local(new Date()), method: METHODS[0]!, read_back: false };
}

/** A time as it is written here, local and to the second: a browser's own field would write it as its language does, by halves of the day. */
function local(time: Date): string {
  return new Date(time.getTime() - time.getTimezoneOffset() * 60_000).toISOString().slice(0, 19).replace("T", " ");
}

export const WRITTEN = /^\d{4}-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?$/;
const read = (time: string) => new Date(WRITTEN.test(time.trim()) ? time.trim().replace(" ", "T") : NaN);
const isTime = (time: string) => !Number.isNaN(read(time).getTime());

export function utc(time: string): string {
  return read(time).toISOString();
}

export function isWhole(call: Call): boolean {
  return !!(call.recipient.trim() && call.communicator.trim()) && isTime(call.identified) && isTime(call.received);
}

/** The same call for each of several findings, as the server takes it. */
export function told(call: Call, findings: string[]): (Call & { finding: string })[] {
  return findings.map((finding) => ({ ...call, finding, identified: utc(call.identified), received: utc(call.received) }));
}

/** What cannot wait is told to a person. Six fields, or why nobody could be told yet: then it stays open and is asked for again. */
export function Critical({ names, call, change, untold = "", because, focus = true }: { names: string[]; call: Call; change: (call: Call) => void; untold?: string; because?: (words: string) => void; focus?: boolean }) {
  const set = <K extends keyof Call>(name: K) => (event: Event) => change({ ...call, [name]: (event.currentTarget as HTMLInputElement).value });
  return (
    <fieldset class="critical">
      <legend><span class="now" aria-hidden="true">⬢</span> Critical: {names.join(", ")}</legend>
      <div class="choices">
        <label>Told whom<input value={call.recipient} autocomplete="off" placeholder="Dr Lee, ward 3" onInput={set("recipient")} autofocus={focus} /></label>
        <label>By whom<input value={call.communicator} onInput={set("communicator")} /></label>
        <Time name="Identified" value={call.identified} set={set("identified")} />
        <Time name="Received" value={call.received} set={set("received")} />
        <label>How<select value={call.method} onChange={set("method")}>{METHODS.map((one) => <option key={one}>{one}</option>)}</select></label>
        <label class="tick"><input type="checkbox" checked={call.read_back} onChange={(event) => change({ ...call, read_back: event.currentTarget.checked })} /> read back</label>
      </div>
      {because && <label>Or: nobody could be told yet, because<input value={untold} onInput={(event) => because(event.currentTarget.value)} /></label>}
    </fieldset>
  );
}

function Time({ name, value, set }: { name: string; value: string; set: (event: Event) => void }) {
  const wrong = !isTime(value);
  return <label>{name}<input value={value} autocomplete="off" placeholder="2026-11-30 14:05" aria-invalid={wrong} onInput={set} />{wrong && <small class="soon" role="status">Write it as 2026-11-30 14:05</small>}</label>;
}
