import { Empty, Shown } from "../kit/states";
import { to } from "../router";
import { count, moment } from "../words";
import { dicomTime, listPath, type Paged, Pages, Pick, useAsked } from "./list";

interface Step {
  step: string;
  state: string;
  station: string;
  modality: string;
  patient: string;
  description: string;
  begun: string;
  ended: string;
  images: number;
  studies: string[];
  orders: string[];
  why: string;
}

const STATES: Record<string, [string, string, string]> = { "IN PROGRESS": ["◐", "tag soon", "in progress"], COMPLETED: ["✓", "level fine", "completed"], DISCONTINUED: ["▲", "tag soon", "broken off"] };

/** What scanners say that they have done (modality performed procedure steps). */
export function PerformedPart() {
  const source = useAsked<Paged<Step>>(listPath("/api/steps", ["state"]));
  return (
    <>
      <form class="controls" onSubmit={(event) => event.preventDefault()}>
        <Pick name="state" label="State" choices={[["", "any state"], ["IN PROGRESS", "in progress"], ["COMPLETED", "completed"], ["DISCONTINUED", "broken off"]]} />
      </form>
      <Shown of={source} what="what was performed">
        {(told) => told.rows.length === 0 ? <Empty title="No scanner has told of a step">Scanners that speak MPPS tell here when they begin, end or break off an examination; turnaround counts from there.</Empty> : (
          <>
            <table class="plain wide">
              <caption class="hidden">Performed procedure steps, the latest first</caption>
              <thead><tr><th scope="col">Begun (UTC)</th><th scope="col">State</th><th scope="col">Scanner</th><th scope="col">What</th><th scope="col">Patient</th><th scope="col" class="num">Images made</th><th scope="col">Ended <span class="muted">scanner's clock</span></th></tr></thead>
              <tbody>
                {told.rows.map((one) => {
                  const [shape, css, words] = STATES[one.state] ?? STATES["IN PROGRESS"]!;
                  return (
                    <tr key={one.step}>
                      <td>{moment(one.begun)}</td>
                      <td><span class={css}><span aria-hidden="true">{shape}</span> {words}</span>{one.why && <span class="sub">{one.why}</span>}</td>
                      <td>{one.station} <span class="muted">{one.modality}</span></td>
                      <td>{one.studies[0] ? <a href={to.study(one.studies[0])}>{one.description || "study"}</a> : one.description}<span class="sub">{one.orders.length ? `${count(one.orders.length, "order")}: ${one.orders.join(", ")}` : "was not scheduled"}</span></td>
                      <td class="id">{one.patient}</td>
                      <td class="num">{one.images.toLocaleString("en")}</td>
                      <td>{one.ended ? dicomTime(one.ended) : <span class="muted">not yet</span>}</td>
                    </tr>
                  );
                })}
              </tbody>
            </table>
            <Pages of={told} one="step" />
          </>
        )}
      </Shown>
    </>
  );
}
