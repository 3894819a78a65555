import { Empty, Shown } from "../kit/states";
import { StudyField } from "../kit/study-field";
import { may } from "../me";
import { to } from "../router";
import { Because, dicomTime, listPath, New, type Paged, Pages, Pick, useAsked } from "./list";

interface WorkItem {
  uid: string;
  state: string;
  label: string;
  list: string;
  priority: string;
  start: string;
  ready: string;
  patient: string;
  performer: string;
  percent: string;
  progress: string;
  cancel_asked: string;
  studies: string[];
}

const STATES: Record<string, [string, string, string]> = { SCHEDULED: ["○", "level faint", "scheduled"], "IN PROGRESS": ["◐", "tag soon", "in progress"], COMPLETED: ["✓", "level fine", "completed"], CANCELED: ["–", "level faint", "cancelled"] };
const PRIORITY: Record<string, string> = { HIGH: "⬢ high", MEDIUM: "medium", LOW: "low" };

/** Work that programs and workstations fetch, claim and finish (unified procedure steps). */
export function WorkPart() {
  const source = useAsked<Paged<WorkItem>>(listPath("/api/workitems", ["state"]));
  const again = () => void source.load();
  return (
    <>
      <form class="controls" onSubmit={(event) => event.preventDefault()}>
        <Pick name="state" label="State" choices={[["", "any state"], ["SCHEDULED", "scheduled"], ["IN PROGRESS", "in progress"], ["COMPLETED", "completed"], ["CANCELED", "cancelled"]]} />
      </form>
      <Shown of={source} what="the work items">
        {(told) => told.rows.length === 0 ? <Empty title="No work item">Programs schedule, claim and finish them by UPS-RS or by DIMSE; of many who claim one at once, one has it.</Empty> : (
          <>
            <table class="plain wide">
              <caption class="hidden">Work items, the most urgent and oldest first</caption>
              <thead><tr><th scope="col">What</th><th scope="col">State</th><th scope="col">Priority</th><th scope="col">Starts</th><th scope="col">Who performs it</th><th scope="col">Progress</th><th scope="col"><span class="hidden">Cancel</span></th></tr></thead>
              <tbody>
                {told.rows.map((one) => {
                  const [shape, css, words] = STATES[one.state] ?? STATES.SCHEDULED!;
                  const open = one.state === "SCHEDULED" || one.state === "IN PROGRESS";
                  return (
                    <tr key={one.uid}>
                      <th scope="row">{one.studies[0] ? <a href={to.study(one.studies[0])}>{one.label}</a> : one.label}<span class="sub">{one.patient && <span class="id">{one.patient}</span>} {one.list}</span></th>
                      <td><span class={css}><span aria-hidden="true">{shape}</span> {words}</span>{one.ready && one.ready !== "READY" && <span class="sub">input {one.ready.toLowerCase()}</span>}</td>
                      <td class={one.priority === "HIGH" ? "now" : undefined}>{PRIORITY[one.priority] ?? one.priority}</td>
                      <td>{dicomTime(one.start)}</td>
                      <td>{one.performer || <span class="muted">nobody yet</span>}</td>
                      <td>{one.percent && `${one.percent} %`}{one.progress && <span class="sub">{one.progress}</span>}{one.cancel_asked && open && <span class="sub soon">▲ {one.cancel_asked} asks to cancel it</span>}</td>
                      <td>{open && may("workitem") && <Because words={one.state === "SCHEDULED" ? "Cancel it" : "Ask to cancel it"} hint="not needed any more, …" path={`/api/workitems/${one.uid}/cancel`} done={again} />}{one.state === "IN PROGRESS" && may("workitem_end") && <Because words="Its performer is gone" hint="the program was stopped, …" path={`/api/workitems/${one.uid}/end`} done={again} />}</td>
                    </tr>
                  );
                })}
              </tbody>
            </table>
            <Pages of={told} one="work item" />
          </>
        )}
      </Shown>
      {may("workitem") && (
        <New title="Schedule a work item" submit="Schedule it" path="/api/workitems" done={again} lead="Any program that watches the work items may claim it.">
          <label class="wide">What is to be done<input name="label" required maxLength={64} placeholder="Outline the organs at risk" /></label>
          <label>Priority<select name="priority" defaultValue="MEDIUM"><option value="HIGH">high</option><option value="MEDIUM">medium</option><option value="LOW">low</option></select></label>
          <StudyField required={false} label="Study Instance UID, where it is about one" />
        </New>
      )}
    </>
  );
}
