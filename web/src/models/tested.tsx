import type { ComponentChildren, RefObject } from "preact";
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

/** Figures with the cases behind them, wherever they were measured. */
interface Measured {
  n: number;
  when: string;
  by: string;
  metrics?: Record<string, Told>;
  subgroups?: Subgroup[];
  calibration?: Model["evidence"]["calibration"];
  errors?: Record<string, number>;
  /** Digest of the cases; not there where they were not kept. */
  cases?: string;
  /** Digest of the data, where it is no sealed test. */
  data?: string;
}

interface Judged extends Measured {
  look: number;
}

interface Way {
  test: { digest: string } | null;
  looks: number;
  opened: number;
  judged: Judged | null;
  /** What `isocenter judge` found here on data that are no sealed test. */
  measured?: Measured[];
}

interface Opened {
  words: string;
  n: number;
  elsewhere: number;
  /** Digest of the data that were measured on. */
  test: string;
  start: number;
  page: number;
  cases: TestCase[];
  /** Predictions of cases that are in no study that may be opened here. */
  alone: Omit<TestCase, "study" | "date" | "modalities" | "groups">[];
  /** Whether those are so few that they are not told. */
  withheld: boolean;
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
const ASKED = ["of", "by", "group", "bin", "on"] as const;

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
  const shows = (on: string) => may("test_cases") && asked.has("of") && (asked.get("on") ?? "") === on && <Cases key={asked.toString()} name={name} at={at} cases={cases} />;
  return (
    <>
      <h2>Measured here on the sealed test</h2>
      <Shown of={way} what="the sealed test">
        {({ test, looks, opened, judged }) => !judged ? <p><Unknown because={test ? "these weights were not measured on the set that is sealed" : "no test set was sealed here"} /></p> : (
          <>
            <p>{count(judged.n, "test case")}{test && <> of the set <span class="id">{test.digest.slice(0, 12)}</span></>}, look {judged.look} of these weights, by {judged.by} on {moment(judged.when)} UTC. <span class="muted">Single cases of the set were opened {opened === 0 ? "by nobody" : count(opened, "time")}{looks > 1 && `; it was measured ${looks} times`}. Whoever opens them could make a model that fits them: the journal keeps each such look.</span></p>
            {!judged.cases ? <p class="muted">The cases of that look were not kept: measured again, its figures open them.</p> : !may("test_cases") && <p class="muted">{ruleOf("test_cases")}</p>}
            <Numbers name={name} judged={judged} />
            {judged.cases && shows("")}
          </>
        )}
      </Shown>
      <Shown of={way} what="what was judged here">
        {({ measured }) => (
          <>
            {(measured ?? []).map((one) => (
              <section key={one.data} aria-label={`Judged on data ${one.data!.slice(0, 12)}`}>
                <h2>Judged here on other data</h2>
                <p>{count(one.n, "case")} of data <span class="id">{one.data!.slice(0, 12)}</span>, by {one.by} on {moment(one.when)} UTC. <span class="muted">They are no sealed test: whoever makes models may have seen them.</span></p>
                <Numbers name={name} judged={one} on={one.data!} what="data that were judged on" />
                {one.cases && shows(one.data!)}
              </section>
            ))}
          </>
        )}
      </Shown>
    </>
  );
}

/** What its training claims of its validation; each number opens the cases behind it, where the training kept them. */
export function Claimed({ model, at, cases }: { model: Model; at: number; cases: { current: readonly { study: string }[] } }) {
  const { evidence } = model;
  const kept = evidence.cases;
  const asked = address.value.searchParams;
  if (!evidence.metrics) return null;
  const n = evidence.n ?? 0;
  return (
    <>
      <h2>The cases behind what its maker claims</h2>
      {!kept?.digest ? <p class="muted">{kept ? `They were not kept: there are ${kept.n.toLocaleString("en")} of them, from data ${kept.data.slice(0, 12)}.` : "They were not kept: it was trained before trainings kept them, or elsewhere. Measured on cases of yours (isocenter judge with the folder of this archive), its figures open them."}</p> : (
        <>
          <p>{count(kept.n, "case")} of validation from data <span class="id">{kept.data.slice(0, 12)}</span>. <span class="muted">They are no sealed test: who trained it has seen them.{!may("test_cases") && ` ${ruleOf("test_cases")}`}</span></p>
          <Numbers name={model.name} judged={{ ...evidence, n, cases: kept.digest, errors: kept.errors }} on="claimed" what="its validation" />
          {may("test_cases") && asked.has("of") && asked.get("on") === "claimed" && <Cases key={asked.toString()} name={model.name} at={at} cases={cases} />}
        </>
      )}
    </>
  );
}

function Numbers({ name, judged, on = "", what = "the sealed test" }: { name: string; judged: Pick<Measured, "n" | "metrics" | "subgroups" | "calibration" | "errors" | "cases">; on?: string; what?: string }) {
  const from = on ? { on } : {};
  const open = !!judged.cases && may("test_cases");
  const groups = judged.subgroups ?? [];
  const bins = judged.calibration?.bins ?? [];
  const whole = bins.reduce((n, bin) => n + bin.n, 0) === judged.n; // else a bin is not of cases, but of findings in them
  const shares = [...new Set(groups.flatMap((group) => Object.keys(group.metrics ?? {})))];
  return (
    <div class="tested">
      {judged.metrics && (
        <table class="plain">
          <caption class="hidden">Figures of {what}</caption>
          <thead><tr><th scope="col">Figure</th><th scope="col">Value (95{"\u2009"}%)</th><th scope="col">Cases</th></tr></thead>
          <tbody>{Object.entries(judged.metrics).map(([one, value]) => <tr key={one}><td>{spoken(one)}</td><td>{told(value)}</td><td><Open of={{ of: about(one), ...from }} name={name} can={open} label={`${WHICH[about(one)]}: cases behind ${spoken(one)}`}>{WHICH[about(one)]}</Open></td></tr>)}</tbody>
        </table>
      )}
      {judged.errors && (
        <table class="plain">
          <caption class="hidden">Errors on {what}</caption>
          <thead><tr><th scope="col">Errors</th><th scope="col" class="num">Cases</th></tr></thead>
          <tbody>{Object.entries(judged.errors).map(([one, n]) => <tr key={one}><td><span aria-hidden="true">{ERRORS[one]?.[0]}</span> {ERRORS[one]?.[1] ?? spoken(one)}</td><td class="num"><Open of={{ of: one, ...from }} name={name} can={open && n > 0} label={`${n}: ${ERRORS[one]?.[1] ?? one}`}>{n}</Open></td></tr>)}</tbody>
        </table>
      )}
      {groups.length > 0 && (
        <table class="plain">
          <caption class="hidden">Groups of people in {what}</caption>
          <thead><tr><th scope="col">Group</th><th scope="col" class="num">n</th><th scope="col" class="num">Events</th>{shares.map((one) => <th scope="col" key={one}>{spoken(one)} (95{"\u2009"}%)</th>)}</tr></thead>
          <tbody>
            {groups.map((group) => {
              const within = { by: String(group.by ?? ""), group: String(group.name), ...from };
              const can = open && !group.insufficient && (group.n ?? 0) >= FEW;
              return (
                <tr key={`${within.by} ${within.group}`.trim()}>
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
          <caption class="hidden">Calibration on {what}</caption>
          <thead><tr><th scope="col" class="num">Stated</th><th scope="col" class="num">True</th><th scope="col" class="num">n</th></tr></thead>
          <tbody>{bins.map((bin, i) => <tr key={bin.stated}><td class="num">{bin.stated.toFixed(3)}</td><td class="num">{bin.true.toFixed(3)}</td><td class="num"><Open of={{ of: "all", bin: String(i), ...from }} name={name} can={open && whole} label={`${bin.n} cases of which ${bin.stated.toFixed(3)} was stated`}>{bin.n}</Open></td></tr>)}</tbody>
        </table>
      )}
    </div>
  );
}

const WHICH: Record<string, string> = { all: "all", ill: "with the finding", well: "without it", called: "called", "not called": "not called" };

/** Cases of a group below which they are not opened by group (`isocenter.methods.subgroups.FEW`). */
const FEW = 10;

/** A number that leads to the cases behind it; only the number where they cannot be opened. */
function Open({ of, name, can, label, children }: { of: Partial<Record<(typeof ASKED)[number], string>>; name: string; can: boolean; label: string; children: ComponentChildren }) {
  if (!can) return <>{children}</>;
  const here = address.value.searchParams;
  return <a href={`${to.models(name, "evidence")}?${new URLSearchParams(of)}`} aria-label={label} aria-current={ASKED.every((one) => (here.get(one) ?? "") === (of[one] ?? "")) ? "true" : undefined}>{children}</a>;
}

/** A case that is told with its study, or a prediction alone. */
type Line = Opened["alone"][number] & Partial<TestCase>;

function Cases({ name, at, cases }: { name: string; at: number; cases: { current: readonly { study: string }[] } }) {
  const asked = new URLSearchParams(ASKED.flatMap((one) => (address.peek().searchParams.has(one) ? [[one, address.peek().searchParams.get(one)!]] : [])));
  const start = useRef(0);
  const source = useRef<Source<Opened>>(null);
  source.current ??= new Source((abort) => ask<Opened>(`/api/models/${encodeURIComponent(name)}/cases?${asked}&start=${start.current}`, { abort }));
  const held = source.current;
  cases.current = held.value?.cases ?? [];
  const head = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    void held.load().then(() => head.current?.scrollIntoView({ block: "start" }));
    return () => (held.stop(), (cases.current = []));
  }, []);
  const marked = useRef<HTMLTableRowElement>(null);
  useEffect(() => marked.current?.scrollIntoView({ block: "nearest" }), [at]);
  const turn = (to: number) => ((start.current = to), void held.load());
  const on = asked.get("on") ?? "";
  const within = asked.get("group") ? `, ${asked.get("by")} ${asked.get("group")}` : asked.has("bin") ? ", one bin of the calibration" : "";
  return (
    <Shown of={held} what="the cases">
      {(opened) => {
        const here = opened.n - opened.elsewhere;
        const last = Math.max(here, opened.withheld ? 0 : opened.elsewhere);
        return (
          <>
            <h2 ref={head}>{opened.words[0]!.toUpperCase()}{opened.words.slice(1)}{within}</h2>
            <p role="status">{count(opened.n, on ? "case" : "test case")}; {opened.elsewhere === 0 ? "all can be opened here" : `${opened.elsewhere} of them ${opened.elsewhere === 1 ? "is" : "are"} not listed: in no archive here, not yours to see, or not signed yet`}{here > opened.page && `; ${opened.page} are on a page`}.{opened.cases.length > 0 && <> The most wrong first. <Key of={keyOf("models", "open")} /> opens the marked one in the reading room.</>}</p>
            {opened.cases.length > 0 ? <Lines of={opened.cases} at={at} marked={marked} /> : here === 0 && <Empty title="None of these cases can be opened here">A case can be opened where its image is in this archive under a signed report, in a project of yours.</Empty>}
            {opened.elsewhere > 0 && (
              <>
                <h3>Cases that are not in this archive, or not to be opened</h3>
                <p>{opened.elsewhere.toLocaleString("en")}, from data <span class="id">{opened.test.slice(0, 12)}</span>.{opened.withheld && " Fewer than ten cases of the set are elsewhere: what was predicted of them is not told, since one of them may be waiting to be read."}</p>
                {opened.alone.length > 0 && <Lines of={opened.alone} />}
              </>
            )}
            {last > opened.page && (
              <p class="buttons">
                <button type="button" disabled={opened.start === 0} onClick={() => turn(Math.max(0, opened.start - opened.page))}>Page before</button>
                <span class="muted">{opened.start + 1} to {Math.min(last, opened.start + opened.page)} of {last.toLocaleString("en")}</span>
                <button type="button" disabled={opened.start + opened.page >= last} onClick={() => turn(opened.start + opened.page)}>Next page</button>
              </p>
            )}
          </>
        );
      }}
    </Shown>
  );
}

function Lines({ of: lines, at = -1, marked }: { of: Line[]; at?: number; marked?: RefObject<HTMLTableRowElement | null> }) {
  const here = lines.some((one) => one.study);
  return (
    <table class="plain wide">
      <caption class="hidden">{here ? "Cases that can be opened" : "Predictions without their images"}</caption>
      <thead><tr>{here && <th scope="col">Study</th>}<th scope="col">True</th><th scope="col">Said</th><th scope="col" class="num">Certainty</th><th scope="col">Right</th>{here && <th scope="col">Group</th>}</tr></thead>
      <tbody>
        {lines.map((one, i) => (
          <tr key={`${one.study} ${i}`} ref={i === at ? marked : undefined} aria-current={i === at ? "true" : undefined}>
            {here && <td><a href={to.study(one.study!)}>{one.modalities?.join(", ") || "study"}{one.date && ` of ${one.date}`}</a></td>}
            <td>{one.truth}</td>
            <td>{one.said}{one.declined && <span class="muted"> would be declined</span>}</td>
            <td class="num">{one.score === null ? "" : one.score.toFixed(3)}</td>
            <td>{one.right === 1 ? <><span aria-hidden="true">✓</span> right</> : one.right === 0 ? <><span aria-hidden="true">✕</span> wrong</> : one.right.toFixed(3)}</td>
            {here && <td>{Object.entries(one.groups ?? {}).map(([by, group]) => `${by} ${group}`.trim()).join(", ")}</td>}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
