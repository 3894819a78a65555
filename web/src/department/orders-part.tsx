import { Empty, Shown } from "../kit/states";
import { may } from "../me";
import { DayField } from "../oversight/period";
import { address, setQuery, to } from "../router";
import { day, person } from "../words";
import { Because, listPath, New, type Paged, Pages, Pick, useAsked } from "./list";

interface Order {
  id: string;
  patient: { id: string; name: string };
  study_uid: string;
  accession: string;
  procedure: string;
  modality: string;
  station_aet: string;
  station: string;
  date: string | null;
  time: string;
  priority: string;
  reason: string;
  state: string;
  source: string;
  reason_cancelled: string;
  steps: string[];
}

const STATES: Record<string, [string, string, string]> = {
  scheduled: ["○", "level faint", "scheduled"],
  "in progress": ["◐", "tag soon", "in progress"],
  completed: ["✓", "level fine", "performed"],
  discontinued: ["▲", "tag soon", "broken off"],
  cancelled: ["–", "level faint", "taken back"],
};

/** What is asked of the scanners, and how far it has come: the modality worklist, as people read it. */
export function OrdersPart() {
  const source = useAsked<Paged<Order>>(listPath("/api/orders", ["state", "q"]));
  const again = () => void source.load();
  const query = address.value.searchParams;
  return (
    <>
      <form class="controls" role="search" onSubmit={(event) => (event.preventDefault(), setQuery("offset", ""), setQuery("q", new FormData(event.currentTarget).get("q") as string, { keep: true }))}>
        <label class="wide">Find<input key={query.get("q")} name="q" type="search" defaultValue={query.get("q") ?? ""} placeholder="accession, patient ID, procedure, scanner" /></label>
        <Pick name="state" label="State" choices={[["", "any state"], ["scheduled", "scheduled"], ["in progress", "in progress"], ["completed", "performed"], ["discontinued", "broken off"], ["cancelled", "taken back"]]} />
      </form>
      <Shown of={source} what="the orders">
        {(told) => told.rows.length === 0 ? (
          <Empty title={query.get("q") || query.get("state") ? "No order fits" : "Nothing is ordered"}>{query.get("q") || query.get("state") ? "Take the filter off to see all of them." : "Orders come by HL7 (ORM, OMI), by FHIR ServiceRequest, or are placed below; scanners fetch them from the modality worklist."}</Empty>
        ) : (
          <>
            <table class="plain wide">
              <caption class="hidden">Orders, those due first</caption>
              <thead><tr><th scope="col">Due</th><th scope="col">State</th><th scope="col">Patient</th><th scope="col">Procedure</th><th scope="col">Scanner</th><th scope="col">Accession</th><th scope="col"><span class="hidden">Take back</span></th></tr></thead>
              <tbody>{told.rows.map((one) => <Row key={one.id} order={one} again={again} />)}</tbody>
            </table>
            <Pages of={told} one="order" />
          </>
        )}
      </Shown>
      {may("order") && (
        <New title="Place an order" submit="Place it" path="/api/orders" done={again}
          lead="It stands on the modality worklist at once. An order of the same accession number is changed, as long as no scanner has begun it."
          shape={({ patient_id, patient_name, time, ...rest }) => ({ ...rest, time: (time ?? "").replace(":", ""), patient: { id: patient_id, name: patient_name ?? "" } })}>
          <label>Patient ID<input name="patient_id" required maxLength={64} /></label>
          <label>Name<input name="patient_name" maxLength={324} placeholder="Family^Given" /></label>
          <label>Accession number<input name="accession" required maxLength={16} /></label>
          <label class="wide">Procedure<input name="procedure" required maxLength={64} placeholder="CT chest without contrast" /></label>
          <label>Modality<input class="short" name="modality" required maxLength={16} placeholder="CT" /></label>
          <label>Scanner (AE title)<input name="station_aet" maxLength={16} placeholder="any" /></label>
          <label>Due<DayField name="date" required /></label>
          <label>At<input class="short" name="time" pattern="\d{2}:\d{2}" placeholder="08:30" /></label>
          <label>Priority<select name="priority" defaultValue="ROUTINE"><option>STAT</option><option>HIGH</option><option>ROUTINE</option><option>LOW</option></select></label>
          <label class="wide">Why it is asked for<input name="reason" maxLength={500} /></label>
        </New>
      )}
    </>
  );
}

function Row({ order, again }: { order: Order; again: () => void }) {
  const [shape, css, words] = STATES[order.state] ?? STATES.scheduled!;
  const open = order.state === "scheduled" || order.state === "discontinued";
  const urgent = order.priority === "STAT" || order.priority === "HIGH";
  return (
    <tr>
      <td>{order.date ? day(order.date) : "no date"} {order.time.slice(0, 2)}{order.time.length >= 4 && `:${order.time.slice(2, 4)}`}{urgent && <span class="sub now"><span aria-hidden="true">⬢</span> {order.priority}</span>}</td>
      <td><span class={css}><span aria-hidden="true">{shape}</span> {words}</span>{order.reason_cancelled && <span class="sub">{order.reason_cancelled}</span>}</td>
      <td>{person(order.patient.name)}<span class="sub id">{order.patient.id}</span></td>
      <td>{order.state === "completed" ? <a href={to.study(order.study_uid)}>{order.procedure || order.modality}</a> : order.procedure || order.modality}{order.reason && <span class="sub">{order.reason}</span>}</td>
      <td>{order.modality} <span class="muted">{order.station || order.station_aet || "any"}</span></td>
      <td><span class="id">{order.accession || "none"}</span><span class="sub">{order.source && `by ${order.source === "person" ? "a person" : order.source}`}</span></td>
      <td>{open && may("order") && <Because words="Take it back" hint="not needed any more, …" path="/api/orders/cancel" body={{ id: order.id }} done={again} />}</td>
    </tr>
  );
}
