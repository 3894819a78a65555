import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../api/door";
import { onHappening } from "../api/live";
import { asTrouble, Source } from "../api/load";
import type { Planned, Research, Study } from "../api/shapes";
import { bind, keyOf } from "../keys/keyboard";
import { Key } from "../kit/marks";
import { Empty, Shown } from "../kit/states";
import { may, ruleOf } from "../me";
import { go, to } from "../router";
import { count, day, moment, spoken } from "../words";

/** The three answers, and the two states before one: each with its own shape and words. */
const ANSWERS: Record<Planned["answer"] | "after", { shape: string; words: string; css: string }> = {
  found: { shape: "◇", words: "found", css: "machine-text" },
  struck: { shape: "⊘", words: "found, struck", css: "muted" },
  none: { shape: "✓", words: "looked, none", css: "fine" },
  declined: { shape: "✗", words: "not looked", css: "soon" },
  waiting: { shape: "…", words: "waiting", css: "muted" },
  failed: { shape: "▲", words: "failed", css: "now" },
  after: { shape: "◇", words: "after your opinion", css: "machine-text" },
};

/** Why was this not analysed: every analysis with its answer on one study, each predicate with the value that was met. */
export function WhyPage({ study }: { study: string }) {
  const plans = useRef<Source<Plan>>(null);
  plans.current ??= new Source((abort) => ask<Plan>(`/api/studies/${study}/plan`, { abort }));
  const about = useRef<Source<Study>>(null);
  about.current ??= new Source((abort) => ask<Study>(`/api/studies/${study}`, { abort }));
  const plan = plans.current;
  const [at, setAt] = useState(0);
  const [told, setTold] = useState("");
  useEffect(() => {
    void plan.load();
    void about.current?.load();
    let due = 0;
    const forget = onHappening(({ subject }) => {
      if (subject !== study) return;
      clearTimeout(due);
      due = window.setTimeout(() => void plan.load(), 250);
    });
    return () => (forget(), clearTimeout(due), plan.stop(), about.current?.stop());
  }, []);
  const lines = sorted(plan.value?.analyses ?? []);
  useEffect(() => bind("why", {
    down: () => setAt((now) => Math.min(lines.length - 1, now + 1)),
    up: () => setAt((now) => Math.max(0, now - 1)),
    open: () => lines[at] && go(to.analyses(lines[at].analysis)),
    replan: () => void again(),
    research: () => lines[at] && void forResearch(lines[at]),
    copy: () => void copy(),
    leave: () => go(to.study(study)),
  }), [lines, at]);
  const again = async () => {
    if (!may("analyse")) return setTold(ruleOf("analyse"));
    try {
      await ask(`/api/studies/${study}/analyse`, { method: "POST" });
      setTold("Promised: it is planned and analysed again. This page follows.");
    } catch (error) {
      setTold(asTrouble(error).message);
    }
  };
  const forResearch = async ({ analysis, near }: Planned) => {
    if (!may("analyse")) return setTold(ruleOf("analyse"));
    if (!near) return setTold(`${spoken(analysis)} cannot be run for research: no series comes near enough to what it needs`);
    try {
      await ask(`/api/studies/${study}/research/${encodeURIComponent(analysis)}`, { method: "POST" });
      setTold(`Promised: ${spoken(analysis)} is run for research. This page follows.`);
    } catch (error) {
      setTold(asTrouble(error).message);
    }
  };
  const copy = async () => {
    await navigator.clipboard.writeText(asText(about.current?.value ?? null, lines));
    setTold("Copied as text for the scanner team");
  };
  const one = about.current.value;
  return (
    <>
      <header class="bar" data-region tabIndex={-1}>
        <a class="button quiet" href={to.study(study)}><span aria-hidden="true">←</span> Study <Key of={keyOf("why", "leave")} /></a>
        <h1>Why was this not analysed?</h1>
        {one && <span class="muted">{one.accession || "no accession"} · {one.description || one.modalities.join(" ")} · <span class="day">{day(one.date)}</span></span>}
        <span class="gap" />
        <span class="muted" role="status">{told}</span>
        <button type="button" onClick={() => void copy()}>Copy reasons <Key of={keyOf("why", "copy")} /></button>
        <button type="button" aria-disabled={!may("analyse")} title={may("analyse") ? undefined : ruleOf("analyse")} onClick={() => void again()}>Plan again <Key of={keyOf("why", "replan")} /></button>
      </header>
      <main class="catalogue" data-region tabIndex={-1}>
        <Shown of={plan} what="the reasons" stands="The study and what is known of it are not touched.">
          {({ analyses: all, ahead, research }) => all.length ? (
            <>
              <p class="ledger muted" role="status">{ledger(all)} {progress(all)}</p>
              <dl class="why">{sorted(all).map((line, i) => <Line key={line.analysis + i} line={line} ahead={ahead} current={i === at} retry={() => void again()} forResearch={() => void forResearch(line)} research={research.filter((one) => one.analysis === line.analysis)} />)}</dl>
            </>
          ) : <Empty title="No analysis is installed">Install a package that brings one; <code>isocenter check</code> tells whether it is a good one.</Empty>}
        </Shown>
      </main>
    </>
  );
}

interface Plan {
  analyses: Planned[];
  /** Jobs that run or go before the analyses of this study; null where none of them is promised. */
  ahead: number | null;
  research: Research[];
}

/** When a study's turn comes: "3 jobs go before it". */
function turn(ahead: number): string {
  return ahead ? `${count(ahead, "job")} ${ahead === 1 ? "goes" : "go"} before it` : "it is its turn now";
}

function Line({ line, ahead, current, retry, forResearch, research }: { line: Planned; ahead: number | null; current: boolean; retry: () => void; forResearch: () => void; research: Research[] }) {
  const ref = useRef<HTMLDivElement>(null);
  useEffect(() => {
    if (current) ref.current?.scrollIntoView({ block: "nearest" });
  }, [current]);
  const { shape, words, css } = ANSWERS[line.answer] ?? ANSWERS.waiting;
  return (
    <div ref={ref} aria-current={current ? "true" : undefined}>
      <dt><span class={css}><span aria-hidden="true">{shape}</span> {words}{line.answer === "found" && !!line.findings && ` ${line.findings}`}</span> <span><a href={to.analyses(line.analysis)}>{spoken(line.analysis)}</a> <span class="id">{line.version}</span></span></dt>
      <dd>
        {line.answer === "declined" && line.checks?.length ? (
          <table class="plain checks">
            <colgroup><col class="met" /><col class="need" /><col /><col class="found" /></colgroup>
            <thead class="hidden"><tr><th scope="col">Met</th><th scope="col">Need</th><th scope="col">Wanted</th><th scope="col">Found</th></tr></thead>
            <tbody>
              {line.checks.map((check, i) => (
                <tr key={i}>
                  <td>{check.met ? <span class="fine"><span aria-hidden="true">✓</span><span class="hidden">met</span></span> : <span class={check.optional ? "faint" : "soon"}><span aria-hidden="true">✗</span><span class="hidden">not met</span></span>}</td>
                  <td class="muted">{check.need !== line.checks![i - 1]?.need && <>{spoken(check.need)}{check.optional && " (optional)"}</>}</td>
                  <td>{check.wanted}</td>
                  <td class="muted">{check.found}</td>
                </tr>
              ))}
            </tbody>
          </table>
        ) : line.answer === "failed" ? (
          <><ul>{line.reasons.map((reason) => <li key={reason}>{reason}</li>)}</ul><button type="button" aria-disabled={!may("analyse")} title={may("analyse") ? undefined : ruleOf("analyse")} onClick={retry}>Retry</button></>
        ) : line.answer === "waiting" && ahead !== null ? <span class="muted">{turn(ahead)}</span> : line.reasons.length ? <ul>{line.reasons.map((reason) => <li key={reason}>{reason}</li>)}</ul> : <span class="muted">{line.about}</span>}
        {said(line) && <div class="muted">{said(line)}</div>}
        {line.near && <p><button type="button" class="quiet" aria-disabled={!may("analyse")} title={may("analyse") ? "On the series that comes nearest; marked, never in the report" : ruleOf("analyse")} onClick={forResearch}>Run for research {current && <Key of={keyOf("why", "research")} />}</button></p>}
        {research.map((one) => <Tried key={one.when} of={one} />)}
      </dd>
    </div>
  );
}

/** On which series it answered, and how many numbers of the whole it gave. */
function said({ answer, on = [], numbers }: Planned): string {
  if (answer !== "found" && answer !== "struck" && answer !== "none") return "";
  return [...on, numbers ? count(numbers, "number") + " of the whole study" : ""].filter(Boolean).join(" · ");
}

/** How far the plan of the study has come, while any analysis of it waits. */
function progress(lines: Planned[]): string {
  const fitting = lines.filter((line) => line.answer !== "declined" && line.answer !== "after");
  const waiting = fitting.filter((line) => line.answer === "waiting").length;
  return waiting ? `Analysing: ${fitting.length - waiting} of ${fitting.length} that fit have answered.` : "";
}

const TRIED: Record<Research["answer"], string> = { found: "found", none: "looked, none", declined: "declined on the pixels", refused: "it was not run" };

/** What it said for research: marked as such, with what the images are not, so that nobody takes it for an answer. */
function Tried({ of: { answer, findings, said, unmet, on, by, when, version } }: { of: Research }) {
  return (
    <section class="research" aria-label="For research">
      <p><strong>For research only, never in the report:</strong> {TRIED[answer]}{answer === "found" && !!findings && ` ${findings}`} <span class="muted">· {[version && `version ${version}`, on.join(", "), `${by}, ${moment(when)} UTC`].filter(Boolean).join(" · ")}</span></p>
      {said.length > 0 && <ul>{said.map((words, i) => <li key={i}>{words}</li>)}</ul>}
      {unmet.length > 0 && <p class="soon">Not shown to hold here: {unmet.join("; ")}</p>}
    </section>
  );
}

/** What needs an eye first: what was not looked at, then what failed or waits, then the answers. */
function sorted(lines: Planned[]): Planned[] {
  const order: Record<string, number> = { failed: 0, declined: 1, waiting: 2, found: 3, after: 3, struck: 4, none: 5 };
  return [...lines].sort((a, b) => (order[a.answer] ?? 6) - (order[b.answer] ?? 6));
}

/** Each answer counted in a clause of its own: "looked, none" and "not looked" never share one. What is withheld until the
 * own opinion may be either: nobody "found nothing" then. */
function ledger(lines: Planned[]): string {
  const of = (answer: string) => new Set(lines.filter((line) => line.answer === answer).map((line) => line.analysis)).size; // one may answer on several series
  const analyses = (answer: string) => count(of(answer), "analysis", "analyses");
  const after = of("after");
  const said = [...(after ? [] : [`${analyses("found")} found something.`, `${analyses("none")} looked and found none.`]), `${analyses("declined")} did not look.`];
  if (after) said.push(`What ${analyses("after")} said stands here after your own opinion.`);
  if (of("struck")) said.push(`Of ${analyses("struck")} a reader struck what was found.`);
  if (of("waiting")) said.push(`${analyses("waiting")} ${of("waiting") === 1 ? "waits" : "wait"}.`);
  if (of("failed")) said.push(`${analyses("failed")} failed.`);
  return said.join(" ");
}

function asText(study: Study | null, lines: Planned[]): string {
  const head = study ? `Accession ${study.accession || "none"}, ${study.description || study.modalities.join(" ")}, ${day(study.date)}` : "";
  return [head, ...lines.filter((line) => line.answer === "declined" || line.answer === "failed").map((line) => `${line.analysis}: ${line.answer === "failed" ? "failed" : "not looked"}, because ${line.reasons.join("; ")}`)].filter(Boolean).join("\n");
}
