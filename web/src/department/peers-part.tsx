import { useRef, useState } from "preact/hooks";
import { Empty, Shown } from "../kit/states";
import { may } from "../me";
import { Act } from "../oversight/act";
import { Refusal } from "../oversight/refusal";
import { to } from "../router";
import { count, moment } from "../words";
import { listPath, New, type Paged, Pages, useAsked } from "./list";

interface Peer {
  name: string;
  aet: string;
  tls: boolean;
  receives: boolean;
  host?: string;
  port?: number;
}

interface Pledge {
  direction: "given" | "asked";
  peer: string;
  study: string;
  images: number;
  asked: string;
  state: string;
  failed: number;
  answered: string | null;
}

/** The DICOM systems around the archive: whether they answer, and what is promised between them. */
export function PeersPart() {
  const source = useAsked<{ peers: Peer[]; may_add: boolean }>("/api/peers");
  const again = () => void source.load();
  return (
    <>
      <Shown of={source} what="the peers">
        {(told) => (
          <>
            {told.peers.length === 0 ? <Empty title="No other DICOM system is known">Nobody may send images in by DICOM, and nothing can be sent. {may("people") ? "Add the first one below." : "An administrator of this site adds them."}</Empty> : (
              <table class="plain wide">
                <caption class="hidden">DICOM systems that may associate</caption>
                <thead><tr><th scope="col">AE title</th><th scope="col">Where</th><th scope="col">Encryption</th><th scope="col">Is it there?</th></tr></thead>
                <tbody>{told.peers.map((one) => <Row key={one.name} peer={one} />)}</tbody>
              </table>
            )}
            {told.may_add && (
              <New title="Add a peer" submit="Add it" path="/api/peers" done={again} lead="It may then associate with this archive, send images and be sent to. Port 0 where it only sends."
                shape={({ port, secure, ...rest }) => ({ ...rest, port: Number(port), secure: secure === "on" })}>
                <label>AE title<input name="aet" required maxLength={16} placeholder="CT1" /></label>
                <label class="wide">Host<input name="host" required maxLength={253} placeholder="192.0.2.7" /></label>
                <label>Port<input class="short" name="port" type="number" min="0" max="65535" required placeholder="104" /></label>
                <label class="radio"><input type="checkbox" name="secure" /> TLS only</label>
              </New>
            )}
          </>
        )}
      </Shown>
      {may("orders") && <Pledges />}
    </>
  );
}

function Row({ peer }: { peer: Peer }) {
  const act = useRef(new Act()).current;
  const [took, setTook] = useState<number | null>(null);
  const ask = async () => {
    setTook(null);
    const told = await act.send<{ took_ms: number }>(`/api/peers/${encodeURIComponent(peer.name)}/echo`, {});
    setTook(told?.took_ms ?? null);
  };
  return (
    <tr>
      <th scope="row">{peer.aet}</th>
      <td>{peer.host !== undefined ? <span class="id">{peer.host}{peer.receives && `:${peer.port}`}</span> : <span class="muted">told to administrators</span>}</td>
      <td>{peer.tls ? "TLS" : <span class="muted">none</span>}</td>
      <td>
        {peer.receives ? <button type="button" disabled={act.busy.value} onClick={() => void ask()}>{act.busy.value ? "Asking" : "Ask (C-ECHO)"}</button> : <span class="muted">it only sends</span>}
        {took !== null && <span class="fine" role="status"> <span aria-hidden="true">✓</span> answers, {took}{"\u2009"}ms</span>}
        <Refusal of={act} />
      </td>
    </tr>
  );
}

const STATES: Record<string, [string, string, string]> = {
  owed: ["◐", "tag soon", "not answered yet"],
  given: ["✓", "level fine", "promised"],
  "given up": ["▲", "tag now", "asker not reached for a week"],
  asked: ["◐", "tag soon", "no answer yet"],
  kept: ["✓", "level fine", "keeps every image"],
  "not kept": ["⬢", "tag now", "does not keep all"],
};

/** Storage commitment: whose images are promised to be safe. */
function Pledges() {
  const source = useAsked<Paged<Pledge>>(listPath("/api/promises"));
  return (
    <section aria-labelledby="promises">
      <h2 id="promises">Promises that images are kept <span class="muted">storage commitment</span></h2>
      <Shown of={source} what="the promises">
        {(told) => told.rows.length === 0 ? <p class="muted">Nobody has asked this archive for a promise, and it has asked nobody.</p> : (
          <>
            <table class="plain wide">
              <thead><tr><th scope="col">Asked (UTC)</th><th scope="col">Who promises</th><th scope="col">State</th><th scope="col" class="num">Images</th><th scope="col">Answered (UTC)</th></tr></thead>
              <tbody>
                {told.rows.map((one) => {
                  const [shape, css, words] = STATES[one.state] ?? STATES.asked!;
                  return (
                    <tr key={one.asked + one.peer}>
                      <td class="id">{moment(one.asked)}</td>
                      <td>{one.direction === "given" ? <>this archive to <strong>{one.peer}</strong></> : <><strong>{one.peer}</strong> to this archive{one.study && <> · <a href={to.study(one.study)}>the study</a></>}</>}</td>
                      <td><span class={css}><span aria-hidden="true">{shape}</span> {words}</span>{one.failed > 0 && <span class="sub now">{count(one.failed, "image")} not safe</span>}</td>
                      <td class="num">{one.images.toLocaleString("en")}</td>
                      <td class="id">{one.answered ? moment(one.answered) : "–"}</td>
                    </tr>
                  );
                })}
              </tbody>
            </table>
            <Pages of={told} one="promise" />
          </>
        )}
      </Shown>
    </section>
  );
}
