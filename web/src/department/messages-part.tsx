import { Empty, Shown } from "../kit/states";
import { may } from "../me";
import { address, to } from "../router";
import { count, moment } from "../words";
import { listPath, type Paged, Pages, Pick, useAsked } from "./list";

interface Message {
  direction: "in" | "out";
  time: string;
  peer: string;
  control: string;
  kind: string;
  code: string;
  text: string;
  study: string;
  fault: boolean;
}

interface Messages extends Paged<Message> {
  owed: { to: string; owed: number; oldest: string }[];
  merges: { stays: { id: string; issuer: string }; goes: { id: string; issuer: string }; time: string }[];
  listening: boolean;
}

const CODES: Record<string, string> = { AA: "taken", CA: "taken", AE: "refused: an error in it", AR: "refused: not for us", unreadable: "could not be written", CE: "refused by the receiver", CR: "refused by the receiver" };

/** HL7 table 0357: what was wrong with a message, in words. */
const ERRORS: Record<string, string> = {
  100: "its segments are missing or out of order", 101: "a required field is empty", 102: "a field is of the wrong kind", 103: "a value is not in its table", 200: "a message of that kind is not taken",
  201: "an event of that kind is not taken", 202: "its processing ID is not taken", 203: "its version is not taken", 204: "what it names is not known", 205: "its control ID was another message's", 207: "it cannot be done as things stand",
}; // prettier-ignore

/** "error 101 MSH^1^10" as a sentence with its place. */
function inWords(text: string): string {
  const [, number = "", place = ""] = /^error (\d+) ?(.*)$/.exec(text) ?? [];
  return number ? `${ERRORS[number] ?? `error ${number}`}${place && ` (${place})`}` : text;
}

/** What the systems of the hospital say to the archive, and what it owes them. */
export function MessagesPart() {
  const source = useAsked<Messages>(listPath("/api/messages", ["which"]));
  return (
    <>
      <form class="controls" onSubmit={(event) => event.preventDefault()}>
        <Pick name="which" label="Messages" choices={[["", "in and out"], ["in", "in"], ["out", "out"], ["faults", "that were not taken"]]} />
      </form>
      <Shown of={source} what="the messages">
        {(told) => (
          <>
            {told.merges.map((one) => (
              <p key={one.time + one.goes.id} class="callout"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> The hospital made <span class="id">{one.goes.id}</span> and <span class="id">{one.stays.id}</span> one ({moment(one.time)} UTC), but no images of <span class="id">{one.stays.id}</span> are here yet. {may("identity") ? <a href={`${to.department("identities")}?gone=${encodeURIComponent(one.goes.id)}&stays=${encodeURIComponent(one.stays.id)}`}>Look at the identities</a> : "An administrator looks at the identities."}</p>
            ))}
            {told.owed.length > 0 && (
              <table class="plain">
                <caption class="hidden">Receivers of signed reports</caption>
                <thead><tr><th scope="col">Receiver of signed reports</th><th scope="col">State</th></tr></thead>
                <tbody>{told.owed.map((one) => <tr key={one.to}><th scope="row" class="id">{one.to}</th><td>{one.owed === 0 ? <span class="fine"><span aria-hidden="true">✓</span> has every report</span> : <span class="soon"><span aria-hidden="true">▲</span> {count(one.owed, "report")} owed, sent again until acknowledged · <a href={to.report(one.oldest)}>the oldest</a></span>}</td></tr>)}</tbody>
              </table>
            )}
            {told.rows.length === 0 ? (
              <Empty title={address.value.searchParams.get("which") === "faults" ? "Every message was taken" : "No message yet"}>{told.listening ? "The HL7 port is open; orders, demographics and merges of the hospital stand here as they come." : "No HL7 port is open: it is set at start, by ISOCENTER_HL7_PORT."}</Empty>
            ) : (
              <>
                <table class="plain wide">
                  <caption class="hidden">Messages, the latest first</caption>
                  <thead><tr><th scope="col">Time (UTC)</th><th scope="col">Way</th><th scope="col">Message</th><th scope="col">System</th><th scope="col">What became of it</th><th scope="col">Control ID</th></tr></thead>
                  <tbody>
                    {told.rows.map((one) => (
                      <tr key={one.time + one.control + one.code}>
                        <td class="id">{moment(one.time)}</td>
                        <td>{one.direction === "in" ? "→ in" : "← out"}</td>
                        <td>{one.kind || <span class="muted">not readable</span>}</td>
                        <td>{one.peer.split("|").filter(Boolean).join(", ") || <span class="muted">unknown</span>}</td>
                        <td>{one.fault ? <span class="now"><span aria-hidden="true">▲</span> {CODES[one.code] ?? one.code}</span> : <span class="fine"><span aria-hidden="true">✓</span> {CODES[one.code] ?? one.code}</span>}<span class="sub">{inWords(one.text)}{one.study && <a href={to.report(one.study)}>the report</a>}</span></td>
                        <td class="id">{one.control}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
                <Pages of={told} one="message" />
              </>
            )}
          </>
        )}
      </Shown>
    </>
  );
}
