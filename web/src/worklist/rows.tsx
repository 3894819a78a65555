import { keyOf } from "../keys/keyboard";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import type { AiState, Row } from "../api/shapes";
import { LevelMark, MachineMark } from "../kit/marks";
import { now } from "../kit/minute";
import { may, me } from "../me";
import { to } from "../router";
import { mine } from "../settings/mine";
import { count, day, person, until, waited } from "../words";
import type { WorkList } from "./list";
import type { Column } from "./order";

export { rowToTake } from "./list";

const HEIGHTS = { compact: 28, regular: 32, roomy: 40 };
const SPARE = 8;
const NARROW = matchMedia("(max-width: 700px)");

/** Whether the window is that of a telephone, on which patient, study, and what AI says stand beneath each other. */
function useNarrow(): boolean {
  const [narrow, setNarrow] = useState(NARROW.matches);
  useEffect(() => {
    const look = () => setNarrow(NARROW.matches);
    NARROW.addEventListener("change", look);
    return () => NARROW.removeEventListener("change", look);
  }, []);
  return narrow;
}

const columns: { name: string; css: string; by?: Column }[] = [
  { name: "Due", css: "c-due", by: "due" },
  { name: "Why here", css: "c-why" },
  { name: "Patient", css: "c-patient", by: "patient" },
  { name: "Study", css: "c-study", by: "study" },
  { name: "Waits", css: "c-waits", by: "waits" },
  { name: "AI", css: "c-ai" },
  { name: "State", css: "c-state", by: "state" },
];

/** A real table of which only the rows in view exist. */
export function Rows({ list, menu }: { list: WorkList; menu: () => void }) {
  const box = useRef<HTMLDivElement>(null);
  const narrow = useNarrow();
  const height = HEIGHTS[mine.value.density] * (narrow ? 3 : 1);
  const [view, setView] = useState({ top: 0, height: 800 });
  const rows = list.shown.value;
  const at = list.at.value;
  const sort = list.sort.value;

  useEffect(() => {
    const element = box.current!;
    const look = () => setView({ top: element.scrollTop, height: element.clientHeight });
    const watch = new ResizeObserver(look);
    watch.observe(element);
    element.addEventListener("scroll", look, { passive: true });
    return () => (watch.disconnect(), element.removeEventListener("scroll", look));
  }, []);
  // Where the row of the focus lay on the screen, so that it lies there again when rows come or go above it.
  const lay = useRef({ study: "", at: -1 });
  useLayoutEffect(() => {
    const element = box.current!;
    const study = list.focused.value ?? "";
    const before = lay.current;
    lay.current = { study, at };
    if (at < 0) return;
    if (study === before.study && before.at >= 0 && before.at !== at) element.scrollTop += (at - before.at) * height;
    const [top, bottom] = [at * height, (at + 1) * height];
    const inner = element.clientHeight - height; // the head of the table stays on top
    if (top < element.scrollTop) element.scrollTop = top;
    else if (bottom > element.scrollTop + inner) element.scrollTop = bottom - inner;
  }, [list.focused.value, at, height]);
  useEffect(() => {
    const row = box.current?.querySelector<HTMLElement>("tr[aria-current=true] a[data-open]");
    if (row && document.activeElement !== row && !elsewhere(box.current!)) row.focus({ preventScroll: true });
  });
  const leave = (event: FocusEvent) => {
    if (event.relatedTarget && !box.current!.contains(event.relatedTarget as Node)) list.keep(false);
  };

  const first = Math.max(0, Math.floor(view.top / height) - SPARE);
  const last = Math.min(rows.length, Math.ceil((view.top + view.height) / height) + SPARE);
  return (
    <div class="scroll" ref={box} data-region data-rows tabIndex={-1} onFocusIn={() => list.keep(list.focused.peek() !== null)} onFocusOut={leave}>
      <table aria-label="Studies to read" aria-rowcount={rows.length + 1}>
        <thead>
          <tr>
            {columns.map(({ name, css, by }) => (
              <th key={name} scope="col" class={css} aria-sort={by && sort?.by === by ? (sort.down ? "descending" : "ascending") : undefined}>
                {by ? <button type="button" class="sort" onClick={() => list.setSort(sort?.by !== by ? { by, down: false } : sort.down ? null : { by, down: true })}>{name}{sort?.by === by && <span aria-hidden="true"> {sort.down ? "▼" : "▲"}</span>}</button> : name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {/* What is not drawn has one cell: spanning the columns that a narrow page hides, it would make room for them again. */}
          {first > 0 && <tr aria-hidden="true" style={{ height: `${first * height}px` }}><td /></tr>}
          {rows.slice(first, last).map((row, i) => (
            <StudyRow key={row.study} row={row} index={first + i + 2} current={first + i === at} narrow={narrow} since={list.time.value.getTime()} take={() => (list.focused.value = row.study)} menu={menu} />
          ))}
          {last < rows.length && <tr aria-hidden="true" style={{ height: `${(rows.length - last) * height}px` }}><td /></tr>}
        </tbody>
      </table>
    </div>
  );
}

/** Whether a person's focus is somewhere where it must not be taken away: a field, a dialog, a button beside the list. */
function elsewhere(box: HTMLElement): boolean {
  const active = document.activeElement;
  return !!active && active !== document.body && !box.contains(active) && !active.matches("[data-region]");
}

function StudyRow({ row, index, current, narrow, since, take, menu }: { row: Row; index: number; current: boolean; narrow: boolean; since: number; take: () => void; menu: () => void }) {
  const done = row.state === "signed" || row.gone;
  const opened = (event: MouseEvent) => (event.preventDefault(), take(), menu());
  return (
    <tr aria-rowindex={index} aria-current={current ? "true" : undefined} class={done ? "done" : undefined} onClick={take} onContextMenu={opened} onDblClick={(event) => event.currentTarget.querySelector<HTMLElement>("a[data-open]")?.click()}>
      <td>{row.gone ? <span class="faint">left the list</span> : done ? <span class="faint">read</span> : <LevelMark level={row.level} due={row.due ? until(row.due, now.value) : undefined} />}</td>
      <td class={row.moved_up > 0 ? undefined : "muted"}>
        <Why row={row} />
      </td>
      <td>{person(row.patient.name)} <span class="id">{row.patient.id}</span></td>
      <td>
        {narrow && <span class="beneath">{person(row.patient.name)} <span class="id">{row.patient.id}</span></span>}
        <span class="what">
          <a data-open href={to.study(row.study)} tabIndex={current ? 0 : -1}>{row.description || `${row.modalities.join(" ")} study`}</a>{" "}
          <span class="muted">{row.modalities.join("/")} · <span class="day">{day(row.date)}</span> · {count(row.instances, "image")}</span>
        </span>
        {narrow && <span class="beneath"><AiMark ai={row.ai} /> <span class="muted">· {stateWords(row)} · <Why row={row} /></span></span>}
      </td>
      <td class="num">{done ? "" : waited(row.waits_s + (now.value - since) / 1000)}</td>
      <td><AiMark ai={row.ai} /></td>
      <td class={row.reader && !done ? undefined : "muted"}>{stateWords(row)}</td>
    </tr>
  );
}

/** Why it stands here; a place that AI gave it leads to what such places gave and cost. */
function Why({ row }: { row: Row }) {
  const up = row.moved_up > 0 ? `moved up ${row.moved_up}` : "";
  if (!up) return <>{row.why}</>;
  const [before, after] = row.why.includes(up) ? row.why.split(up) : [`${row.why} · `, ""];
  return <>{before}{may("oversight") ? <a href={to.oversight("triage")} tabIndex={-1} title={`What triage gave and cost, key ${keyOf("worklist", "effect")}`}>{up}</a> : up}{after}</>;
}

function stateWords(row: Row): string {
  const name = (who: string) => (who === me.value?.name ? "you" : who);
  if (row.state === "waiting") return row.assigned ? `for ${name(row.assigned)}` : "waiting";
  if (row.state === "open") return `open, ${name(row.reader)}`;
  if (row.state === "amending") return `amended, ${name(row.reader)}`;
  return row.reader ? `${row.state}, ${name(row.reader)}` : row.state;
}

/** Three answers, never two: found, looked and found none, not looked; found and struck by a reader; and what still runs. */
function AiMark({ ai }: { ai: AiState | null }) {
  if (ai?.done !== undefined) return <>{ai.state === "found" && <><AiMark ai={{ ...ai, done: undefined }} /> </>}<span class="muted num" title="Of the analyses that run on this study, so many have answered">{Math.floor(100 * ai.done)} %<span class="hidden"> analysed</span></span></>;
  const words = [ai?.words ?? []].flat().join(", ");
  switch (ai?.state) {
    case "found":
      return <MachineMark words={words || "found"} />;
    case "struck":
      return <span class="muted" title="AI found something, and whoever read it struck it"><span aria-hidden="true">⊘</span> found, struck</span>;
    case "none":
      return <span class="fine"><span aria-hidden="true">✓</span> looked, none</span>;
    case "after":
      return <span class="muted" title="The same for every study: what AI says of it is shown after your own opinion"><span aria-hidden="true">◇</span> after your opinion</span>;
    case "waiting":
      return <span class="muted">waiting</span>;
    case "declined":
      return <span class="muted">not looked</span>;
    default:
      return <span class="faint">off</span>;
  }
}
