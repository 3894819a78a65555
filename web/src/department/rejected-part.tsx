import { useRef } from "preact/hooks";
import { Empty, Shown } from "../kit/states";
import { may, me } from "../me";
import { Act } from "../oversight/act";
import { Refusal } from "../oversight/refusal";
import { address, to } from "../router";
import { count, moment } from "../words";
import { Because, listPath, type Paged, Pages, Pick, useAsked } from "./list";
import { RejectForm } from "./reject-form";

interface Rejection {
  number: string;
  study: string;
  code: string;
  meaning: string;
  reason: string;
  by: string;
  time: string;
  instances: string[];
  absent: string[];
  state: "rejected" | "taken back" | "asked" | "erased";
  taken_back_by?: string;
  asked_by?: string;
  asked_because?: string;
  erased_by?: string;
  accession: string;
  description: string;
  patient: string;
  hidden: boolean;
}

interface Rejections extends Paged<Rejection> {
  codes: Record<string, string>;
}

const STATES: Record<string, [string, string, string]> = { rejected: ["▲", "tag soon", "out of use"], "taken back": ["✓", "level fine", "taken back"], asked: ["⬢", "tag now", "to be erased"], erased: ["–", "level faint", "erased"] };

/** Images that were taken out of use: hidden everywhere, deleted nowhere, until two administrators erase them. */
export function RejectedPart() {
  const source = useAsked<Rejections>(listPath("/api/rejections", ["state"]));
  const again = () => void source.load();
  return (
    <>
      <form class="controls" onSubmit={(event) => event.preventDefault()}>
        <Pick name="state" label="State" choices={[["", "any state"], ["rejected", "out of use"], ["taken back", "taken back"], ["asked", "to be erased"], ["erased", "erased"]]} />
      </form>
      <Shown of={source} what="what was rejected">
        {(told) => (
          <>
            {told.rows.length === 0 ? <Empty title={address.value.searchParams.get("state") ? "None stands in that state" : "Nothing was rejected"}>Rejected images are found by no search, stand on no worklist and are analysed by nobody; their files stay, and the rejection can be taken back.</Empty> : (
              <>
                <table class="plain wide">
                  <caption class="hidden">Rejections, the newest first</caption>
                  <thead><tr><th scope="col">State</th><th scope="col">Study</th><th scope="col">Why</th><th scope="col">By</th><th scope="col">What came of it</th></tr></thead>
                  <tbody>{told.rows.map((one) => <Row key={one.number} one={one} again={again} />)}</tbody>
                </table>
                <Pages of={told} one="rejection" />
              </>
            )}
            <RejectForm codes={told.codes} done={again} />
          </>
        )}
      </Shown>
    </>
  );
}

function Row({ one, again }: { one: Rejection; again: () => void }) {
  const [shape, css, words] = STATES[one.state] ?? STATES.rejected!;
  const under = `/api/studies/${one.study}/rejections/${one.number}`;
  return (
    <tr>
      <th scope="row"><span class={css}><span aria-hidden="true">{shape}</span> {words}</span></th>
      <td>{one.hidden ? one.description || "study" : <a href={to.study(one.study)}>{one.description || "study"}</a>}<span class="sub"><span class="id">{one.patient}</span> {one.accession} · {count(one.instances.length, "image")}{one.absent.length > 0 && `, ${one.absent.length} not here`}</span></td>
      <td>{one.meaning || one.code}<span class="sub">{one.reason}</span></td>
      <td>{one.by}<span class="sub">{moment(one.time)} UTC</span></td>
      <td>
        {one.state === "taken back" && `taken back by ${one.taken_back_by}`}
        {one.state === "erased" && `asked by ${one.asked_by}, erased by ${one.erased_by}`}
        {(one.state === "rejected" || one.state === "asked") && <Because words="Take it back" hint="it was the right image after all" path={`${under}/take-back`} done={again} />}
        {one.state === "rejected" && may("purge") && <Because words="Ask to erase it for good" confirm="Ask a second person" hint="kept for longer than the law asks" path={`${under}/ask-purge`} done={again} />}
        {one.state === "asked" && <Erase one={one} path={`${under}/purge`} again={again} />}
      </td>
    </tr>
  );
}

/** The second person erases: four eyes, and what cannot come back is said before the button. */
function Erase({ one, path, again }: { one: Rejection; path: string; again: () => void }) {
  const act = useRef(new Act()).current;
  const mine = one.asked_by === me.value?.name;
  const erase = async () => { if (await act.send(path, {})) again(); };
  return (
    <div>
      <span class="sub">{one.asked_by} asks that it be erased: {one.asked_because}</span>
      {may("purge") && (mine ? <span class="muted">A second administrator erases it: four eyes.</span> : (
        <details class="because"><summary>Erase for good</summary><p>The {count(one.instances.length, "image")} cannot come back. That they were here stays in the journal.</p><button type="button" disabled={act.busy.value} onClick={() => void erase()}>Erase {count(one.instances.length, "image")} for good</button></details>
      ))}
      <Refusal of={act} />
    </div>
  );
}
