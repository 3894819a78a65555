import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../api/door";
import { onHappening } from "../api/live";
import { asTrouble, Source } from "../api/load";
import { Dialog } from "../kit/dialog";
import { Shown } from "../kit/states";
import { to } from "../router";
import { moment } from "../words";

interface Request {
  id: string;
  study: string;
  patient: string;
  of: "patient" | "steward";
  purpose: string;
  to: string;
  words: string;
  until: string | null;
  by: string;
  asked: string;
  state: "pending" | "granted" | "refused" | "expired";
  answered_by: string;
  answered: string | null;
  reason: string;
}

const STATES: Record<Request["state"], [string, string]> = { pending: ["soon", "▲"], granted: ["fine", "✓"], refused: ["now", "⬢"], expired: ["muted", "○"] };

/** Consent that was asked for, of everybody or of one study, with the answer or the two buttons that give one. */
export function Requests({ study, purposes }: { study: string; purposes: Record<string, string> }) {
  const source = useRef<Source<Request[]>>(null);
  source.current ??= new Source(async (abort) => (await ask<{ requests: Request[] }>(`/api/consents/requests${study && `?study=${study}`}`, { abort })).requests);
  const requests = source.current;
  const [answering, setAnswering] = useState<{ of: Request; granted: boolean } | null>(null);
  useEffect(() => {
    void requests.load();
    const forget = onHappening(({ kind }) => kind.startsWith("Consent") && void requests.load());
    return () => (forget(), requests.stop());
  }, []);
  return (
    <section aria-label="Consent that is asked for">
      <h2>Asked for</h2>
      <Shown of={requests} what="what is asked for">
        {(all) => (all.length ? (
          <table class="plain wide">
            <thead><tr><th scope="col">Of whom</th><th scope="col">For what, for whom</th><th scope="col">Until (UTC)</th><th scope="col">Asked (UTC)</th><th scope="col">State</th></tr></thead>
            <tbody>{all.map((one) => <Row key={one.id} of={one} purposes={purposes} answer={(granted) => setAnswering({ of: one, granted })} />)}</tbody>
          </table>
        ) : <p class="muted">Nobody waits for an answer. Who shares a study asks the patient or the data steward from there; a request waits here, and nothing is sent by it.</p>)}
      </Shown>
      {answering && <Answer of={answering.of} granted={answering.granted} purposes={purposes} close={() => (setAnswering(null), void requests.load())} />}
    </section>
  );
}

function Row({ of: one, purposes, answer }: { of: Request; purposes: Record<string, string>; answer: (granted: boolean) => void }) {
  const [kind, sign] = STATES[one.state];
  return (
    <tr>
      <td>{one.of === "patient" ? "the patient" : "the data steward"} <span class="id">{one.patient}</span> · <a href={to.study(one.study)}>one study</a></td>
      <td>{purposes[one.purpose] ?? one.purpose}, for {one.to}{one.words && <div class="muted">{one.words}</div>}</td>
      <td>{one.until ? moment(one.until) : <span class="muted">until withdrawn</span>}</td>
      <td>{moment(one.asked)} <span class="muted">by {one.by}</span></td>
      <td>
        <span class={kind}><span aria-hidden="true">{sign}</span> {one.state}</span>
        {one.answered && <span class="muted"> {moment(one.answered)} by {one.answered_by}{one.reason && `: ${one.reason}`}</span>}
        {one.state === "pending" && <div class="acts"><button type="button" onClick={() => answer(true)}>Granted<span class="hidden">, for {one.to}</span></button><button type="button" onClick={() => answer(false)}>Refused<span class="hidden">, for {one.to}</span></button></div>}
      </td>
    </tr>
  );
}

function Answer({ of, granted, purposes, close }: { of: Request; granted: boolean; purposes: Record<string, string>; close: () => void }) {
  const [told, setTold] = useState({ source: "", reason: "" });
  const [refused, setRefused] = useState("");
  const patient = of.of === "patient";
  const send = (event: SubmitEvent) => {
    event.preventDefault();
    ask(`/api/consents/requests/${of.id}/answer`, { method: "POST", body: { granted, ...told } }).then(close, (error: unknown) => setRefused(asTrouble(error).told));
  };
  return (
    <Dialog title={`${granted ? "Granted" : "Refused"}: ${purposes[of.purpose] ?? of.purpose}, for ${of.to}`} close={close}>
      <form class="stack" onSubmit={send}>
        <p class="muted">{granted
          ? `This records terms of use of this study (${of.purpose === "care" ? "clinical care use" : "general research use"})${of.until ? ` until ${moment(of.until)} UTC` : " until they are withdrawn"}.`
          : patient ? "This records that the patient refuses this use of the study; a refusal stands above every consent until it is withdrawn." : "Nothing is permitted by it, and what stands otherwise stays."} The answer is in the journal.</p>
        {refused && <p class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {refused}</p>}
        <label>Document{patient && granted ? "" : " (optional)"}<input required={patient && granted} maxLength={200} value={told.source} onInput={(event) => setTold({ ...told, source: event.currentTarget.value })} /></label>
        <label>Why (optional)<input maxLength={500} value={told.reason} onInput={(event) => setTold({ ...told, reason: event.currentTarget.value })} /></label>
        <p class="acts"><button class="primary">{granted ? "Record that it is granted" : "Record that it is refused"}</button><button type="button" onClick={close}>Cancel</button></p>
      </form>
    </Dialog>
  );
}
