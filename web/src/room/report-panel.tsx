import { useEffect, useRef, useState } from "preact/hooks";
import type { Sentence } from "../api/shapes";
import { keyOf } from "../keys/keyboard";
import { Key } from "../kit/marks";
import { to } from "../router";
import { spoken } from "../words";
import type { Desk } from "./desk";

const WRITTEN = ["Findings", "Impression"];
const QUIET_MS = 700;

/** The report as sentences. A machine's keeps its dashed rule until a person touches it; each leads back to its finding. */
export function ReportPanel({ desk }: { desk: Desk }) {
  const { session } = desk;
  const report = session.report.value;
  if (!report) return null;
  const sections = [...new Set([...report.sentences.map((one) => one.section), ...(session.mine.value ? WRITTEN.filter((name) => !report.sentences.some((one) => one.section === name)) : [])])];
  return (
    <section aria-label="Report" class="report-panel" id="report">
      <h2>
        Report <span class="muted">{session.reading.value?.state === "signed" ? "signed" : "draft"}</span> <Key of={keyOf("room", "report")} />
        <span class="gap" /><a href={to.report(session.uid)}>As it prints</a>
      </h2>
      {(report.disagreements ?? []).map(({ sentence, what }) => <p key={sentence + what} class="callout"><span class="soon" aria-hidden="true">▲</span> {what}</p>)}
      {sections.map((section) => (
        <div key={section}>
          <h3>{spoken(section)}</h3>
          {report.sentences.filter((one) => one.section === section).map((one) => <Line key={one.id} sentence={one} desk={desk} />)}
          {session.mine.value && WRITTEN.includes(section) && <Fresh section={section} desk={desk} />}
        </div>
      ))}
    </section>
  );
}

function Line({ sentence, desk }: { sentence: Sentence; desk: Desk }) {
  const { session } = desk;
  const [text, setText] = useState(sentence.text);
  const touched = useRef(false);
  const clock = useRef(0);
  useEffect(() => {
    if (!touched.current) setText(sentence.text); // another's newer words, unless we are writing
  }, [sentence.text]);
  const save = (value: string) => {
    clearTimeout(clock.current);
    if (!touched.current) return;
    touched.current = false;
    if (value.trim() !== sentence.text) session.word(sentence.id, value.trim());
  };
  const latest = useRef(text);
  latest.current = text;
  useEffect(() => () => save(latest.current), []);
  const linked = session.found.value.filter((one) => sentence.findings.includes(one.finding.tracking));
  const links = linked.map((one) => <button key={one.number} type="button" class="quiet link" onClick={() => desk.jump(one)}><span class="hidden">Jump to finding </span>[{one.number}]</button>);
  if (!session.mine.value) return <p class={sentence.machine ? "sentence machine" : "sentence"}>{sentence.machine && <span class="origin" aria-label="machine">◇</span>}{sentence.text} {links}</p>;
  return (
    <div class={sentence.machine ? "sentence machine" : "sentence"}>
      {sentence.machine && <span class="origin" title="A machine's words, untouched" aria-hidden="true">◇</span>}
      <textarea
        rows={1}
        value={text}
        aria-label={`${spoken(sentence.section)} sentence${sentence.machine ? ", machine's words" : ""}`}
        onInput={(event) => {
          touched.current = true;
          setText(event.currentTarget.value);
          clearTimeout(clock.current);
          clock.current = window.setTimeout(() => save(latest.current), QUIET_MS);
        }}
        onBlur={() => save(latest.current)}
      />
      {links}
    </div>
  );
}

/** A sentence of one's own. */
function Fresh({ section, desk }: { section: string; desk: Desk }) {
  const [text, setText] = useState("");
  const save = () => {
    if (!text.trim()) return;
    desk.session.word(`own-${Date.now().toString(36)}`, text.trim(), section);
    setText("");
  };
  return (
    <div class="sentence fresh">
      <textarea rows={1} value={text} placeholder={`Add to ${section}`} aria-label={`Add a sentence to ${section}`} onInput={(event) => setText(event.currentTarget.value)} onBlur={save}
        onKeyDown={(event) => { if (event.key === "Enter" && !event.ctrlKey && !event.shiftKey) { event.preventDefault(); save(); } }} />
    </div>
  );
}
