import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { ask } from "../api/door";
import { onHappening } from "../api/live";
import { Source } from "../api/load";
import { keyOf } from "../keys/keyboard";
import { Key } from "../kit/marks";
import { Empty, Shown } from "../kit/states";
import { may, ruleOf } from "../me";
import { address, to } from "../router";
import { count, moment, spoken } from "../words";
import { figure, told, Unknown } from "./parts";
import type { Figure, Model, Subgroup, Told } from "./shapes";

/** A test case whose study is here and may be opened. */
export interface TestCase {
  study: string;
  date: string | null;
  modalities: string[];
  truth: string;
  said: string;
  score: number | null;
  /** 0 or 1, or how far an outline agrees. */
  right: number;
  declined: boolean;
  groups: Record<string, string>;
}

interface Judged {
  n: number;
  look: number;
  when: string;
  by: string;
  metrics?: Record<string, Told>;
  subgroups?: Subgroup[];
  calibration?: Model["evidence"]["calibration"];
  errors?: Record<string, number>;
  /** Digest of the cases; not there where those of the look were not kept. */
  cases?: string;
}

interface Way {
  test: { digest: string } | null;
  looks: number;
  opened: number;
  judged: Judged | null;
}

interface Opened {
  words: string;
  n: number;
  elsewhere: number;
  cases: TestCase[];
}

/** Which cases a figure is about, by the beginning of its name; the others are about all. */
const ABOUT: [string, string][] = [["sensitivity", "ill"], ["specificity", "well"], ["ppv", "called"], ["npv", "not called"]];
const about = (name: string) => ABOUT.find(([begins]) => name.startsWith(begins))?.[1] ?? "all";
const ERRORS: Record<string, [shape: string, words: string]> = {
  missed: ["○", "Missed: it said that there is nothing, and there was"],
  "false alarms": ["▲", "False alarms: it said that there is something, and there was not"],
  wrong: ["✕", "Answered wrongly"],
  declined: ["–", "Would be declined"],
};
/** Parts of the address that say which cases are open. */
const ASKED = ["of", "by", "group", "bin"] as const;

/** What the last look at the sealed test showed here; each number opens the test cases behind it. */
export function Tested({ name, at, cases }: { name: string; at: number; cases: { current: readonly { study: string }[] } }) {
  const source = useRef<Source<Way>>(null);
  source.current ??= new Source((abort) => ask<Way>(`/api/models/${encodeURIComponent(name)}/gate`, { abort }));
  const way = source.current;
  useEffect(() => {
    void way.load();
    const forget = onHappening(({ subject }) => subject === name && void way.load());
    return () => (forget(), way.stop());
  }, []);
  const asked = address.value.searchParams;
  return (
    <>
      <h2>Measured here on the sealed test</h2>
      <Shown of={way} what="the sealed test">
        {({ test, looks, opened, judged }) => !judged ? <p><Unknown because={test ? "these weights were not measured on the set that is sealed" : "no test set was sealed here"} /></p> : (
          <>
            <p>{count(judged.n, "test case")}{test && <> of the set <span class="id">{test.digest.slice(0, 12)}</span></>}, look {judged.look} of these weights, by {judged.by} on {moment(judged.when)} UTC. <span class="muted">Single cases of the set were opened {opened === 0 ? "by nobody" : count(opened, "time")}{looks > 1 && `; it was measured ${looks} times`}. Whoever opens them could make a model that fits them: the journal keeps each such look.</span></p>
            {!judged.cases ? <p class="muted">The cases of that look were not kept: measured again, its figures open them.</p> : !may("test_cases") && <p class="muted">{ruleOf("test_cases")}</p>}
            <Numbers name={name} judged={judged} />
            {judged.cases && may("test_cases") && asked.has("of") && <Cases key={asked.toString()} name={name} at={at} cases={cases} />}
          </>
        )}
      </Shown>
    </>
  );
}

function Numbers({ name, judged }: { name: string; judged: Judged }) {
  const open = !!judged.cases && may("test_cases");
  const groups = judged.subgroups ?? [];
  const bins = judged.calibration?.bins ?? [];
  const whole = bins.reduce((n, bin) => n + bin.n, 0) === judged.n; // else a bin is not of cases, but of findings in them
  const shares = [...new Set(groups.flatMap((group) => Object.keys(group.metrics ?? {})))];
  return (
    <div class="tested">
      {judged.metrics && (
        <table class="plain">
          <caption class="hidden">Figures of the sealed test</caption>
          <thead><tr><th scope="col">Figure</th><th scope="col">Value (95{"\u2009"}%)</th><th scope="col">Cases</th></tr></thead>
          <tbody>{Object.entries(judged.metrics).map(([one, value]) => <tr key={one}><td>{spoken(one)}</td><td>{told(value)}</td><td><Open of={{ of: about(one) }} name={name} can={open} label={`${WHICH[about(one)]}: cases behind ${spoken(one)}`}>{WHICH[about(one)]}</Open></td></tr>)}</tbody>
        </table>
      )}
      {judged.errors && (
        <table class="plain">
          <caption class="hidden">Errors on the sealed test</caption>
          <thead><tr><th scope="col">Errors</th><th scope="col" class="num">Cases</th></tr></thead>
          <tbody>{Object.entries(judged.errors).map(([one, n]) => <tr key={one}><td><span aria-hidden="true">{ERRORS[one]?.[0]}</span> {ERRORS[one]?.[1] ?? spoken(one)}</td><td class="num"><Open of={{ of: one }} name={name} can={open && n > 0} label={`${n}: ${ERRORS[one]?.[1] ?? one}`}>{n}</Open></td></tr>)}</tbody>
        </table>
      )}
      {groups.length > 0 && (
        <table class="plain">
          <caption class="hidden">Groups of people in the sealed test</caption>
          <thead><tr><th scope="col">Group</th><th scope="col" class="num">n</th><th scope="col" class="num">Events</th>{shares.map((one) => <th scope="col" key={one}>{spoken(one)} (95{"\u2009"}%)</th>)}</tr></thead>
          <tbody>
            {groups.map((group) => {
              const within = { by: String(group.by), group: String(group.name) };
              const can = open && !group.insufficient;
              return (
                <tr key={`${within.by} ${within.group}`}>
                  <td>{within.by} {within.group}</td>
                  <td class="num"><Open of={{ of: "all", ...within }} name={name} can={can} label={`${group.n}: all cases of ${within.by} ${within.group}`}>{group.n}</Open></td>
                  <td class="num">{group.events === undefined ? <span class="muted">not told</span> : <Open of={{ of: "ill", ...within }} name={name} can={can} label={`${group.events}: cases of ${within.by} ${within.group} in which there is something`}>{group.events}</Open>}</td>
                  {group.insufficient ? <td colSpan={shares.length} class="muted">withheld: {group.insufficient}</td> : shares.map((one) => <td key={one}>{group.metrics?.[one] ? <Open of={{ of: about(one), ...within }} name={name} can={can} label={`${figure(group.metrics[one] as Figure)}: cases behind ${spoken(one)} of ${within.by} ${within.group}`}>{figure(group.metrics[one] as Figure)}</Open> : <Unknown because={group.without || "too few such cases"} />}</td>)}
                </tr>
              );
            })}
          </tbody>
        </table>
      )}
      {bins.length > 0 && (
        <table class="plain">
          <caption class="hidden">Calibration on the sealed test</caption>
          <thead><tr><th scope="col" class="num">Stated</th><th scope="col" class="num">True</th><th scope="col" class="num">n</th></tr></thead>
          <tbody>{bins.map((bin, i) => <tr key={bin.stated}><td class="num">{bin.stated.toFixed(3)}</td><td class="num">{bin.true.toFixed(3)}</td><td class="num"><Open of={{ of: "all", bin: String(i) }} name={name} can={open && whole} label={`${bin.n} cases of which ${bin.stated.toFixed(3)} was stated`}>{bin.n}</Open></td></tr>)}</tbody>
        </table>
      )}
    </div>
  );
}

const WHICH: Record<string, string> = { all: "all", ill: "with the finding", well: "without it", called: "called", "not called": "not called" };

/** A number that leads to the cases behind it; only the number where they cannot be opened. */
function Open({ of, name, can, label, children }: { of: Partial<Record<(typeof ASKED)[number], string>>; name: string; can: boolean; label: string; children: ComponentChildren }) {
  if (!can) return <>{children}</>;
  const here = address.value.searchParams;
  return <a href={`${to.models(name, "evidence")}?${new URLSearchParams(of)}`} aria-label={label} aria-current={ASKED.every((one) => (here.get(one) ?? "") === (of[one] ?? "")) ? "true" : undefined}>{children}</a>;
}

function Cases({ name, at, cases }: { name: string; at: number; cases: { current: readonly { study: string }[] } }) {
  const asked = new URLSearchParams(ASKED.flatMap((one) => (address.peek().searchParams.has(one) ? [[one, address.peek().searchParams.get(one)!]] : [])));
  const source = useRef<Source<Opened>>(null);
  source.current ??= new Source((abort) => ask<Opened>(`/api/models/${encodeURIComponent(name)}/cases?${asked}`, { abort }));
  const held = source.current;
  cases.current = held.value?.cases ?? [];
  const head = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    void held.load().then(() => head.current?.scrollIntoView({ block: "start" }));
    return () => (held.stop(), (cases.current = []));
  }, []);
  const marked = useRef<HTMLTableRowElement>(null);
  useEffect(() => marked.current?.scrollIntoView({ block: "nearest" }), [at]);
  const within = asked.get("by") ? `, ${asked.get("by")} ${asked.get("group")}` : asked.has("bin") ? ", one bin of the calibration" : "";
  return (
    <Shown of={held} what="the test cases">
      {(opened) => (
        <>
          <h2 ref={head}>{opened.words[0]!.toUpperCase()}{opened.words.slice(1)}{within}</h2>
          <p role="status">{count(opened.n, "test case")}; {opened.elsewhere === 0 ? "all can be opened here" : `${opened.elsewhere} of them ${opened.elsewhere === 1 ? "is" : "are"} not listed: in no archive here, not yours to see, or not signed yet`}{opened.cases.length < opened.n - opened.elsewhere && `; the ${opened.cases.length} that it was most wrong in are shown`}.{opened.cases.length > 0 && <> The most wrong first. <Key of={keyOf("models", "open")} /> opens the marked one in the reading room.</>}</p>
          {opened.cases.length === 0 ? <Empty title="None of these cases can be opened here">A case can be opened where its image is in this archive under a signed report, in a project of yours.</Empty> : (
            <table class="plain wide">
              <thead><tr><th scope="col">Study</th><th scope="col">True</th><th scope="col">Said</th><th scope="col" class="num">Certainty</th><th scope="col">Right</th><th scope="col">Group</th></tr></thead>
              <tbody>
                {opened.cases.map((one, i) => (
                  <tr key={`${one.study} ${i}`} ref={i === at ? marked : undefined} aria-current={i === at ? "true" : undefined}>
                    <td><a href={to.study(one.study)}>{one.modalities.join(", ") || "study"}{one.date && ` of ${one.date}`}</a></td>
                    <td>{one.truth}</td>
                    <td>{one.said}{one.declined && <span class="muted"> would be declined</span>}</td>
                    <td class="num">{one.score === null ? "" : one.score.toFixed(3)}</td>
                    <td>{one.right === 1 ? <><span aria-hidden="true">✓</span> right</> : one.right === 0 ? <><span aria-hidden="true">✕</span> wrong</> : one.right.toFixed(3)}</td>
                    <td>{Object.entries(one.groups).map(([by, group]) => `${by} ${group}`).join(", ")}</td>
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </>
      )}
    </Shown>
  );
}
