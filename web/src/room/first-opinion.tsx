import { useEffect } from "preact/hooks";
import { keyOf } from "../keys/keyboard";
import { Key } from "../kit/marks";
import { Adding, Card, NotLooked } from "./findings";
import { useLeaving } from "../report/writing";
import type { Desk } from "./desk";

/** One's own opinion comes first. What machines say is not hidden behind this panel: the server has not sent it. */
export function FirstOpinion({ desk }: { desk: Desk }) {
  const { session } = desk;
  const own = session.found.value;
  const mine = session.mine.value;
  const said = own.length > 0 || !!desk.line.value.trim();
  useEffect(() => void (mine && desk.findLine()), [mine]);
  useLeaving(() => desk.keepLine());
  return (
    <section aria-label="First opinion" class="first-opinion">
      <h2>First opinion <span class="muted">AI is shown after it</span></h2>
      {!mine && <p class="muted">{session.reading.value?.by ? `${session.reading.value.by} reads this study.` : "Nobody reads this study yet."} What AI says of it is shown to you after your own opinion, or once it is signed.</p>}
      {desk.adding.value && <Adding desk={desk} />}
      {own.map((one) => <Card key={one.finding.tracking} of={{ first: one, beneath: [] }} desk={desk} />)}
      {mine && (
        <form onSubmit={(event) => (event.preventDefault(), desk.lock())}>
          <label class="line">In one line
            <input id="opinion-line" value={desk.line.value} maxLength={1000} placeholder="Small effusion, right" autocomplete="off" onInput={(event) => desk.type(event.currentTarget.value)}
              onKeyDown={(event) => { if (event.key === "Enter" && event.shiftKey) { event.preventDefault(); desk.lock(); } }} />
          </label>
          <div class="acts">
            <button type="button" onClick={() => (desk.adding.value = true)}>Add finding <Key of={keyOf("room", "add")} /></button>
            <button type="button" disabled={said} onClick={() => desk.nothing()}>Nothing to report <Key of={keyOf("room", "nothing")} /></button>
            <button class={said ? "primary" : undefined} aria-disabled={!said} title={said ? undefined : "Add a finding, write a line, or say that there is nothing to report"}>Lock <Key of={keyOf("room", "lock")} /></button>
          </div>
          <p class="faint">Locked with the time, and kept beside what you sign.</p>
        </form>
      )}
      <NotLooked desk={desk} />
    </section>
  );
}
