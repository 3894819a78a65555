import { useEffect, useRef } from "preact/hooks";
import { ask } from "../api/door";
import { Source } from "../api/load";
import type { Report, Sentence, Template } from "../api/shapes";
import { keyOf } from "../keys/keyboard";
import { Key } from "../kit/marks";
import { BlockChooser } from "../report/blocks";
import { Marked, Reasons } from "../report/doubts";
import { type Lead, leadsOf } from "../report/leads";
import { Fresh, Writing } from "../report/writing";
import { to } from "../router";
import { count } from "../words";
import { useCaretLine } from "./caret-line";
import type { Desk } from "./desk";

/** What only the house itself writes. */
const HOUSE_ONLY = new Set(["Method and limits", "Not looked"]);
/** What is said in one sentence; whoever has more to say goes on in it. */
const ONE_WILL_DO = new Set(["Clinical information", "Technique", "Comparison"]);

/** The report as sentences, by the template of its kind of study. A machine's keeps its dashed rule until a person touches it; each leads back to its finding. */
export function ReportPanel({ desk }: { desk: Desk }) {
  const { session } = desk;
  const report = session.report.value;
  useCaretLine();
  if (!report) return null;
  const mine = session.mine.value;
  const doubts = report.disagreements ?? [];
  const named = report.template?.sections ?? [];
  const others = [...new Set(report.sentences.map((one) => one.section))].filter((name) => !named.some((one) => one.name === name));
  const sections = [...named, ...others.map((name) => ({ name, phrases: [], headings: [] }))];
  const shown = sections.filter(({ name }) => report.sentences.some((one) => one.section === name) || (mine && !HOUSE_ONLY.has(name)));
  return (
    <section aria-label="Report" class="report-panel" id="report" onFocusIn={({ target }) => target instanceof HTMLTextAreaElement && (last = target)}>
      <h2>
        Report <span class="muted">{session.reading.value?.state === "signed" ? "signed" : "draft"}</span> <Key of={keyOf("room", "report")} />
        <span class="gap" /><a href={to.report(session.uid)}>As it prints</a>
      </h2>
      <Choice desk={desk} report={report} />
      {doubts.length > 0 && (
        <p class="callout slim" role="status">
          <span class="soon" aria-hidden="true">▲</span> {count(doubts.length, "place")} where the words and the findings differ{" "}
          {mine && <button type="button" class="quiet link" onClick={() => toDoubt(doubts[0]!.sentence)}>Go there</button>}
        </p>
      )}
      {shown.map((section) => <Part key={section.name} section={section} desk={desk} report={report} />)}
      {mine && <p class="muted">Text blocks at the caret: <Key of={keyOf("room", "blocks")} /> · [2] in a sentence of yours ties it to finding 2</p>}
      <BlockChooser />
    </section>
  );
}

let last: HTMLTextAreaElement | null = null;

/** To where one wrote last; at first to the findings, which are what a reader has to say. */
export function toCaret(): void {
  const first = document.querySelector<HTMLElement>('#report .fresh textarea[data-section="Findings"]') ?? document.querySelector<HTMLElement>("#report textarea");
  (last?.isConnected ? last : first)?.focus();
}

function toDoubt(sentence: string): void {
  document.querySelector<HTMLElement>(`[data-sentence="${CSS.escape(sentence)}"] textarea`)?.focus();
}

/** By which template it is built; another is chosen while one writes. */
function Choice({ desk, report }: { desk: Desk; report: Report }) {
  const { session } = desk;
  const all = useRef<Source<Template[]>>(null);
  all.current ??= new Source(async (abort) => (await ask<{ templates: Template[] }>("/api/templates", { abort })).templates);
  const open = session.mine.value && !report.signed;
  useEffect(() => {
    if (open) void all.current?.load();
    return () => all.current?.stop();
  }, [open]);
  const { template } = report;
  if (!template) return null;
  if (!open) return <p class="muted">{template.title} <span class="faint">template, version {template.version}</span></p>;
  const templates = all.current.value ?? [template];
  const lacking = all.current.state.value.at === "failed";
  return (
    <label class="template muted">Template
      <select value={template.name} onChange={(event) => session.useTemplate(event.currentTarget.value)}>
        {templates.map((one) => <option key={one.name} value={one.name}>{one.title}</option>)}
      </select>
      {lacking && <button type="button" class="link" onClick={() => void all.current!.load()}>The others could not be read: try again</button>}
    </label>
  );
}

function Part({ section, desk, report }: { section: Template["sections"][number]; desk: Desk; report: Report }) {
  const { session } = desk;
  const writes = session.mine.value && !HOUSE_ONLY.has(section.name);
  const said = report.sentences.filter((one) => one.section === section.name);
  const known = section.headings.map((one) => one.name);
  const headings = [...known, ...new Set(said.map((one) => one.heading).filter((name) => name && !known.includes(name)))];
  const add = (heading: string) => (texts: string[]) => session.add(texts, section.name, heading);
  const loose = said.filter((one) => !one.heading);
  return (
    <div>
      <h3>{section.name}</h3>
      {headings.map((heading) => {
        const mine = said.filter((one) => one.heading === heading);
        return (
          <div key={heading}>
            {mine.length > 0 && <h4>{heading}</h4>}
            {mine.map((one) => <Line key={one.id} sentence={one} desk={desk} report={report} />)}
            {writes && <Fresh section={section.name} heading={heading} add={add(heading)} />}
          </div>
        );
      })}
      {loose.length > 0 && headings.length > 0 && <h4>Other</h4>}
      {loose.map((one) => <Line key={one.id} sentence={one} desk={desk} report={report} />)}
      {writes && (!ONE_WILL_DO.has(section.name) || !loose.length) && <Fresh section={section.name} heading="" add={add("")} />}
    </div>
  );
}

function Line({ sentence, desk, report }: { sentence: Sentence; desk: Desk; report: Report }) {
  const { session } = desk;
  const doubts = (report.disagreements ?? []).filter((one) => one.sentence === sentence.id);
  const linked = session.found.value.filter((one) => sentence.findings.includes(one.finding.tracking));
  const where = (tracking: string) => report.evidence?.find((one) => one.finding === tracking)?.where;
  const once = linked.filter((one, i) => linked.findIndex((other) => other.number === one.number) === i);
  const links = once.map((one) => (
    <button key={one.number} type="button" class="quiet link" title={where(one.finding.tracking)} onClick={() => desk.jump(one)}>
      <span class="hidden">Jump to finding </span>[{one.number}]<span class="hidden"> {where(one.finding.tracking)}</span>
    </button>
  ));
  const study = session.study.value;
  const leads = study ? leadsOf(sentence, study, desk.hanging.priors.value?.priors ?? []).map((one) => <Leads key={one.href} to={one} desk={desk} />) : null;
  const origin = sentence.machine && <span class="origin" title="A machine's words, untouched" aria-label="machine" role="img">◇</span>;
  if (!session.mine.value) {
    return (
      <div>
        <p class={sentence.machine ? "sentence machine" : "sentence"}>{origin}<Marked text={sentence.text} doubts={doubts} /> {links}{leads}</p>
        <Reasons doubts={doubts} />
      </div>
    );
  }
  return (
    <div class={sentence.machine ? "sentence machine" : "sentence"} data-sentence={sentence.id}>
      {origin}
      <Writing sentence={sentence} doubts={doubts} save={(text) => session.word(sentence.id, text)} jump={() => linked[0] && desk.jump(linked[0])} />
      {links}{leads}
    </div>
  );
}

/** To what a sentence without a finding speaks of: where the images are in this window, without leaving it. */
function Leads({ to: lead, desk }: { to: Lead; desk: Desk }) {
  const { image, prior } = lead;
  if (desk.images && image) return <button type="button" class="quiet link" onClick={() => void desk.show(image.series, image.sop)}><span class="hidden">Show the </span>[{lead.words}]</button>;
  if (desk.images && prior) return <button type="button" class="quiet link" onClick={() => desk.hanging.compare(prior)}><span class="hidden">Hang </span>[{lead.words}]</button>;
  return <a class="link" href={lead.href}>[{lead.words}]</a>;
}
