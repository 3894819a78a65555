import { useEffect, useRef } from "preact/hooks";
import "../style/report.css";
import { ask } from "../api/door";
import { onHappening, STOPS } from "../api/live";
import { Source } from "../api/load";
import { type Planned, type Prior, type Priors, type Report, type Sentence, type Study, signedAt } from "../api/shapes";
import { bind, keyOf } from "../keys/keyboard";
import { Key } from "../kit/marks";
import { Empty, Show } from "../kit/states";
import { me } from "../me";
import { go, to } from "../router";
import { count, day, moment, person, spoken } from "../words";
import { forOtherImages } from "../analyses/shapes";
import { Marked, Reasons } from "./doubts";
import { usePrintedFoot } from "./foot";
import { type Lead, leadsOf } from "./leads";

interface Whole {
  study: Study;
  report: Report;
  plan: Planned[];
  priors: Prior[];
}

/** The report as it prints: identity on top, state in a frame, sentences, and how it was made. */
export function ReportPage({ study: uid }: { study: string }) {
  const source = useRef<Source<Whole>>(null);
  source.current ??= new Source(async (abort) => {
    const [study, report, plan, earlier] = await Promise.all([
      ask<Study>(`/api/studies/${uid}`, { abort }),
      ask<Report>(`/api/readings/${uid}/report`, { abort }),
      ask<{ analyses: Planned[] }>(`/api/studies/${uid}/plan`, { abort }),
      ask<Priors>(`/api/studies/${uid}/priors`, { abort }).catch(() => null), // without them the report is whole, and leads to none of them
    ]);
    return { study, report, plan: plan.analyses, priors: earlier?.priors ?? [] };
  });
  const whole = source.current;
  useEffect(() => {
    void whole.load();
    const forget = onHappening(({ kind }) => STOPS.has(kind) && void whole.load());
    const unbind = bind("report", { leave: () => go(to.study(uid)), print: () => whole.value && print() });
    return () => (forget(), unbind());
  }, []);
  const signed = isSigned(whole.value?.report);
  return (
    <>
      <header class="bar no-print" data-region tabIndex={-1}>
        <h1>Report</h1>
        <span class="gap" />
        <a class="button" href={to.study(uid)}>Back to the study <Key of={keyOf("report", "leave")} /></a>
        {whole.value && <button type="button" onClick={() => print()}>Print <Key of={keyOf("report", "print")} /></button>}
        {whole.value && <a class="button" href={`/api/readings/${uid}/report.csv`} download>Numbers as CSV</a>}
        {signed && <a class="button primary" href={`/api/readings/${uid}/report.pdf`} target="_blank" rel="noopener">PDF</a>}
      </header>
      <main class="desk" data-region tabIndex={-1}>
        <Show state={whole.state.value} what="the report" again={() => void whole.load()}>{(value) => <Paper {...value} />}</Show>
      </main>
    </>
  );
}

export function isSigned(report: Report | null | undefined): boolean {
  return !!report && (report.state === "signed" || !!report.signed);
}

function Paper({ study, report, plan, priors }: Whole) {
  const signed = isSigned(report);
  const demo = me.value?.demo;
  usePrintedFoot([demo && "DEMO, of no patient", person(study.patient.name), study.patient.id && `ID ${study.patient.id}`, study.accession && `Accession ${study.accession}`, !signed && "DRAFT, not signed"].filter(Boolean).join(" · "));
  const said = report.sentences.filter((one) => one.text);
  // As on the PDF: the impression is what is always read, then the sections as the template has them.
  const sections = [...new Set(said.map((one) => one.section))].sort((a, b) => Number(b === "Impression") - Number(a === "Impression"));
  const declined = plan.filter((one) => one.answer === "declined" || one.answer === "failed");
  const near = declined.filter((one) => !forOtherImages(one));
  const told = new Set(said.map((one) => one.id));
  return (
    <article class={signed ? "paper" : "paper draft"} aria-label="Report">
      <header>
        <h2 class="title">Report</h2>
        {demo && <strong class="stamp">DEMO, of no patient</strong>}
        <strong class="stamp">{!signed ? "DRAFT, not signed" : report.number > 1 ? `AMENDED, version ${report.number}, signed` : "FINAL, signed"}</strong>
      </header>
      <dl class="identity">
        <div><dt>Patient</dt><dd>{person(study.patient.name)}</dd></div>
        <div><dt>ID</dt><dd>{study.patient.id || "none"}</dd></div>
        <div><dt>Born</dt><dd>{study.patient.birth_date ? day(study.patient.birth_date) : "not stated"}{study.patient.sex ? `, ${study.patient.sex}` : ""}</dd></div>
        <div><dt>Accession</dt><dd>{study.accession || "none"}</dd></div>
        <div><dt>Study</dt><dd>{study.description || study.modalities.join(" ")}</dd></div>
        <div><dt>Date</dt><dd>{day(study.date)}</dd></div>
      </dl>
      {sections.length === 0 && <Empty title="No sentence yet">Open the study to write the report.</Empty>}
      {sections.map((section) => {
        const inside = said.filter((one) => one.section === section);
        const headings = [...new Set(inside.map((one) => one.heading))];
        return (
          <section key={section}>
            <h3>{section}</h3>
            {headings.map((heading) => (
              <div key={heading}>
                {headings.length > 1 || heading ? <h4>{heading || "Other"}</h4> : null}
                {inside.filter((one) => one.heading === heading).map((one) => <Line key={one.id} sentence={one} report={report} study={study.uid} signed={signed} leads={leadsOf(one, study, priors)} />)}
              </div>
            ))}
          </section>
        );
      })}
      <Places report={report} study={study.uid} />
      <section class="made">
        <h3>How this report was made</h3>
        {report.how?.map((line) => <p key={line}>{line}</p>)}
        <p>
          {signed ? `Signed by ${report.signed?.by ?? "a reader"}${report.signed ? ` ${moment(signedAt(report.signed))} UTC` : ""}.` : "Not signed: a draft, not to be acted upon."}{" "}
          {report.sentences.some((one) => one.machine) && "Sentences marked ◇ are a machine's words that a person has not touched. "}
          {near.length > 0 && `Not looked: ${near.map((one) => `${spoken(one.analysis)} (${told.has(`declined-${one.analysis}`) ? "see above" : one.reasons.join("; ")})`).join(", ")}. `}
          {near.length < declined.length && `${count(declined.length - near.length, "analysis", "analyses")} of this site ${declined.length - near.length === 1 ? "is" : "are"} for other kinds of images. `}
          {report.replaces && <>It replaces the signed report <span class="id">{report.replaces.slice(0, 16)}…</span>, which is kept. </>}
          {report.signed?.digest && <>Digest <span class="id">{report.signed.digest.slice(0, 16)}…</span>. </>}
          Research software, not for diagnosis.
        </p>
      </section>
    </article>
  );
}

/** The numbers behind a sentence: each leads to its finding in the reading room. */
function Line({ sentence, report, study, signed, leads }: { sentence: Sentence; report: Report; study: string; signed: boolean; leads: Lead[] }) {
  const doubts = signed ? [] : (report.disagreements ?? []).filter((one) => one.sentence === sentence.id);
  const seen = (report.evidence ?? []).filter((one) => sentence.findings.includes(one.finding));
  return (
    <>
      <p class={sentence.machine && !signed ? "machine" : undefined}>
        {sentence.machine && <span role="img" aria-label="machine">◇ </span>}<Marked text={sentence.text} doubts={doubts} />
        {seen.map((one) => <a key={one.number} class="ref" href={`${to.study(study)}?finding=${encodeURIComponent(one.finding)}`} title={one.where}> [{one.number}]</a>)}
        {leads.map((one) => <a key={one.href} class="ref no-print" href={one.href}> [{one.words}]</a>)}
      </p>
      <Reasons doubts={doubts} />
    </>
  );
}

function Places({ report, study }: { report: Report; study: string }) {
  const tied = new Set(report.sentences.flatMap((one) => one.findings));
  const seen = (report.evidence ?? []).filter((one) => one.where && tied.has(one.finding));
  if (!seen.length) return null;
  return (
    <section>
      <h3>Findings on the images</h3>
      <ol class="places">
        {seen.map((one) => <li key={one.number}><a href={`${to.study(study)}?finding=${encodeURIComponent(one.finding)}`}>[{one.number}] {one.name}</a>: {one.where}</li>)}
      </ol>
    </section>
  );
}
