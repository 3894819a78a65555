import type { Signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import type { AiState, Row } from "../api/shapes";
import { LevelMark, MachineMark } from "../kit/marks";
import { to } from "../router";
import { count, day, person, waited } from "../words";

const HEIGHT = 32;
const SPARE = 8;

/** The study to take next: the first that waits. */
export function rowToTake(rows: Row[]): Row | undefined {
  return rows.find((row) => row.state === "waiting");
}

/** A real table of which only the rows in view exist. The focused row is a study, not a place: arrivals do not move the focus. */
export function Rows({ rows, focused }: { rows: Row[]; focused: Signal<string | null> }) {
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 800 });
  useEffect(() => {
    const element = box.current!;
    const look = () => setView({ top: element.scrollTop, height: element.clientHeight });
    const watch = new ResizeObserver(look);
    watch.observe(element);
    element.addEventListener("scroll", look, { passive: true });
    return () => (watch.disconnect(), element.removeEventListener("scroll", look));
  }, []);

  const at = rows.findIndex((row) => row.study === focused.value);
  useEffect(() => {
    const element = box.current!;
    if (at < 0) return;
    const [top, bottom] = [at * HEIGHT, (at + 1) * HEIGHT];
    const height = element.clientHeight - HEIGHT; // the head of the table stays on top
    if (top < element.scrollTop) element.scrollTop = top;
    else if (bottom > element.scrollTop + height) element.scrollTop = bottom - height;
  }, [focused.value]);
  useEffect(() => {
    const row = box.current?.querySelector<HTMLElement>("tr[aria-current=true] a");
    if (row && document.activeElement !== row && !writing()) row.focus({ preventScroll: true });
  });

  const first = Math.max(0, Math.floor(view.top / HEIGHT) - SPARE);
  const last = Math.min(rows.length, Math.ceil((view.top + view.height) / HEIGHT) + SPARE);
  return (
    <div class="scroll" ref={box} data-region tabIndex={-1}>
      <table aria-label="Studies to read" aria-rowcount={rows.length + 1}>
        <thead>
          <tr>
            <th scope="col" class="c-due">Due</th>
            <th scope="col" class="c-why">Why here</th>
            <th scope="col" class="c-patient">Patient</th>
            <th scope="col">Study</th>
            <th scope="col" class="c-waits">Waits</th>
            <th scope="col" class="c-ai">AI</th>
            <th scope="col" class="c-state">State</th>
          </tr>
        </thead>
        <tbody>
          {first > 0 && <tr aria-hidden="true" style={{ height: `${first * HEIGHT}px` }}><td colSpan={7} /></tr>}
          {rows.slice(first, last).map((row, i) => (
            <StudyRow key={row.study} row={row} index={first + i + 2} current={row.study === focused.value} take={() => (focused.value = row.study)} />
          ))}
          {last < rows.length && <tr aria-hidden="true" style={{ height: `${(rows.length - last) * HEIGHT}px` }}><td colSpan={7} /></tr>}
        </tbody>
      </table>
    </div>
  );
}

function writing(): boolean {
  return !!document.activeElement?.matches("input, textarea, dialog *");
}

function StudyRow({ row, index, current, take }: { row: Row; index: number; current: boolean; take: () => void }) {
  const done = row.state === "signed";
  return (
    <tr aria-rowindex={index} aria-current={current ? "true" : undefined} class={done ? "done" : undefined} onClick={take} onDblClick={(event) => event.currentTarget.querySelector("a")?.click()}>
      <td>{done ? <span class="faint">read</span> : <LevelMark level={row.level} due={due(row.due)} />}</td>
      <td class={row.moved_up > 0 ? undefined : "muted"}>
        {row.why}
        {row.moved_up > 0 && !row.why.includes("moved up") && <span class="muted"> · moved up {row.moved_up}</span>}
      </td>
      <td>{person(row.patient.name)} <span class="id">{row.patient.id}</span></td>
      <td>
        <a href={to.study(row.study)} tabIndex={current ? 0 : -1}>{row.description || `${row.modalities.join(" ")} study`}</a>{" "}
        <span class="muted">{row.modalities.join("/")} · {day(row.date)} · {count(row.instances, "image")}</span>
      </td>
      <td class="num">{done ? "" : waited(row.waits_s)}</td>
      <td><AiMark ai={row.ai} /></td>
      <td class={row.reader && !done ? undefined : "muted"}>{stateWords(row)}</td>
    </tr>
  );
}

function due(at: string | null): string | undefined {
  if (!at) return undefined;
  const seconds = (Date.parse(at) - Date.now()) / 1000;
  return seconds <= 0 ? "over" : waited(seconds);
}

function stateWords(row: Row): string {
  const by = row.reader ? ` by ${row.reader}` : "";
  if (row.state === "waiting") return "waiting";
  if (row.state === "amending") return `being amended${by}`;
  return `${row.state}${by}`;
}

/** Three answers, never two: found, looked and found none, not looked; and what still runs. */
function AiMark({ ai }: { ai: AiState | null }) {
  const words = [ai?.words ?? []].flat().join(", ");
  switch (ai?.state) {
    case "found":
      return <MachineMark words={words || "found"} />;
    case "none":
      return <span class="fine"><span aria-hidden="true">✓</span> looked, none</span>;
    case "waiting":
      return <span class="muted">waiting</span>;
    case "after":
      return <span class="muted" title="The same for every study: what AI says of it is shown after your own opinion">after your opinion</span>;
    case "declined":
      return <span class="muted">not looked</span>;
    default:
      return <span class="faint">off</span>;
  }
}
