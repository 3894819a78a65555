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

/** A time as the field of a form takes it: local, to the second. */
function local(time: Date): string {
  return new Date(time.getTime() - time.getTimezoneOffset() * 60_000).toISOString().slice(0, 19);
}

function utc(time: string): string {
  return new Date(time).toISOString();
}

export function isWhole(call: Call): boolean {
  return !!(call.recipient.trim() && call.communicator.trim() && call.identified && call.received);
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
        <label>Identified<input type="datetime-local" step="1" value={call.identified} onInput={set("identified")} /></label>
        <label>Received<input type="datetime-local" step="1" value={call.received} onInput={set("received")} /></label>
        <label>How<select value={call.method} onChange={set("method")}>{METHODS.map((one) => <option key={one}>{one}</option>)}</select></label>
        <label class="tick"><input type="checkbox" checked={call.read_back} onChange={(event) => change({ ...call, read_back: event.currentTarget.checked })} /> read back</label>
      </div>
      {because && <label>Or: nobody could be told yet, because<input value={untold} onInput={(event) => because(event.currentTarget.value)} /></label>}
    </fieldset>
  );
}
