import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { computed } from "../api/computing";
import { ask } from "../api/door";
import { asTrouble, Source } from "../api/load";
import { bind, keyOf } from "../keys/keyboard";
import { Key } from "../kit/marks";
import { Empty, Lacking, Shown } from "../kit/states";
import { may, ruleOf } from "../me";
import { Tabs } from "../kit/tabs";
import { address, go, place, setQuery, to } from "../router";
import { count, moment } from "../words";
import { Compare } from "./compare";
import { Federated } from "./federated";
import { Fields } from "./fields";
import { HandOutPart } from "./hand-out";
import { Chart } from "./figures";
import { Learned } from "./learned";
import { Percentiles } from "./percentiles";
import { Plots } from "./plots";
import { Survival } from "./survival";
import { Choosing, Rows } from "./rows";
import type { Frozen, Table } from "./shapes";

/** What the question that is not frozen, and so has no digest, is called in an address with a part. */
const ASKED = "ask";

const PARTS = [
  { part: "", name: "Table" },
  { part: "plots", name: "Plots" },
  { part: "percentiles", name: "Percentiles" },
  { part: "survival", name: "Survival" },
  { part: "compare", name: "Compare" },
  { part: "train", name: "Train" },
  { part: "federated", name: "Federated" },
  { part: "hand-out", name: "Hand out" },
];

/** From a question to honest numbers. */
export function CohortsPage({ id, part }: { id: string; part: string }) {
  const frozen = id === ASKED ? "" : id;
  return <Question key={frozen} id={frozen} part={parts_of().some((one) => one.part === part) ? part : ""} />;
}

/** A part of a cohort's page; the question and the charts that were chosen go along. */
function at(id: string, part: string): string {
  const along = named(["q", "charts"]).toString();
  return to.cohorts(id || (part ? ASKED : ""), part) + (along && `?${along}`);
}

/** What stands in the address under these names. */
function named(names: readonly string[]): URLSearchParams {
  return new URLSearchParams(names.flatMap((name) => {
    const value = address.value.searchParams.get(name);
    return value ? [[name, value] as [string, string]] : [];
  }));
}

/** Parts for whoever hears numbers and sees no single study. */
const COUNTED = ["", "plots"];
const parts_of = () => (may("cohort_rows") ? PARTS : PARTS.filter(({ part }) => COUNTED.includes(part)));

const asked = () => named(["q", "field", "by", "tag"]);

function Question({ id, part }: { id: string; part: string }) {
  const source = useRef<Source<Table>>(null);
  source.current ??= new Source((abort, tell) => computed<Table>("cohort", `/api/cohorts/${id || "ask"}?${asked()}`, abort, tell));
  const frozen = useRef<Source<Frozen[]>>(null);
  frozen.current ??= new Source(async (abort) => (await ask<{ cohorts: Frozen[] }>("/api/cohorts", { abort })).cohorts);
  const table = source.current;
  const field = useRef<HTMLInputElement>(null);
  const choosing = useRef<Choosing>(null);
  choosing.current ??= new Choosing();
  const rows = choosing.current;
  rows.again = () => void table.load();
  const query = asked();
  const q = query.get("q") ?? "";
  const path = query.toString();
  const offered = parts_of();
  const next = (offered.findIndex((one) => one.part === part) + 1) % offered.length;
  useEffect(() => (void rows.none(), (rows.at.value = 0), void table.load()), [path]);
  useEffect(() => (may("cohort_rows") && void frozen.current?.load(), () => (table.stop(), frozen.current?.stop())), []);
  const parts = q.match(/[\w.+-]+:(?:"[^"]*"|\S+)|\S+/g) ?? [];
  const drop = (at: number) => setQuery("q", parts.filter((_, i) => i !== at).join(" "), { keep: true });
  useEffect(() => bind("cohorts", {
    field: () => document.getElementById("cohort-field")?.focus(), filter: () => field.current?.focus(), undo: () => (query.get("tag") ? setQuery("tag", "", { keep: true }) : !id && drop(parts.length - 1)),
    down: () => rows.step(1), up: () => rows.step(-1), "page-on": () => !part && rows.turn(1), "page-back": () => !part && rows.turn(-1), view: () => !part && rows.view(), select: () => !part && rows.toggle(), "select-all": () => !part && table.value && (rows.asking.value = true),
    ...Object.fromEntries([1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => [`tag-${n}`, () => !part && void rows.tag(n)])),
    // the address, not what is drawn: keys may come faster than the page
    tab: () => go(at(id, offered[(offered.findIndex((one) => one.part === place.peek().part) + 1) % offered.length]!.part)), leave: () => rows.none() || (id && go(to.cohorts())), take: () => document.querySelector<HTMLElement>(".hand-out a.primary")?.click(),
  }), [path, part, table.state.value]);
  const told = table.value;
  return (
    <>
      <header class="bar" data-region tabIndex={-1}>
        {id && <a class="button quiet" href={to.cohorts()}><span aria-hidden="true">←</span> All <Key of={keyOf("cohorts", "leave")} /></a>}
        <h1>{told?.name ?? "Cohorts"}</h1>
        <Tabs label="Parts of the cohort" here={part} tabs={offered.map((one, i) => ({ part: one.part, name: one.name, at: at(id, one.part), key: i === next ? keyOf("cohorts", "tab") : "" }))} />
        {!id && (
          <form class="filter" onSubmit={(event) => (event.preventDefault(), setQuery("q", [q, field.current!.value.trim()].filter(Boolean).join(" "), { keep: true }), (field.current!.value = ""))}>
            <Key of={keyOf("cohorts", "filter")} /><input ref={field} type="search" aria-label="Add a filter" placeholder="age:40..80 modality:CT" />
          </form>
        )}
        {!id && <span class="chips">{parts.map((part, i) => <button key={part} type="button" class="chip" onClick={() => drop(i)}>{part} <span aria-hidden="true">✕</span><span class="hidden">: remove</span></button>)}</span>}
        <span class="muted" role="status">{told && (told.may_see_rows ? `${told.n} of ${count(told.of, "study", "studies")}, ${count(told.people, "person", "people")}` : `${told.n ?? `under ${told.few}`} of ${told.of ?? `under ${told.few}`} people, in tens`)}</span>
      </header>
      <main class="desk-list cohort" data-region tabIndex={0}>
        <Lacking of={frozen.current} what="Which cohorts were frozen" />
        {part === "federated" ? <Federated /> : part === "hand-out" ? <HandOutPart id={id} frozen={frozen.current.value ?? []} /> : (
          <Shown of={table} what="the cohort">
            {(value) => {
              if (!value.of) return value.may_see_rows ? <Nobody table={value} frozen={id ? [] : frozen.current?.value ?? []} /> : <Empty title="Fewer than ten people can be asked">Of fewer nothing is told. Only studies with a signed report count.</Empty>;
              return (
                <>
                  <Ledger table={value} />
                  <Part part={part} id={id} q={q} table={value}><Whole table={value} id={id} q={q} frozen={frozen.current?.value ?? []} choosing={rows} /></Part>
                </>
              );
            }}
          </Shown>
        )}
      </main>
    </>
  );
}

/** One part of the cohort's page; its table where it is none of the others. */
function Part({ part, table, children, ...of }: { part: string; id: string; q: string; table: Table; children: ComponentChildren }) {
  if (part === "plots") return <Plots {...of} fields={table.fields} few={table.few} />;
  if (part === "percentiles") return <Percentiles {...of} />;
  if (part === "train") return <Learned {...of} />;
  if (part === "survival") return <Survival {...of} />;
  if (part === "compare") return <Compare {...of} />;
  return <>{children}</>;
}

/** Nothing may be asked: why, what to do, and what was frozen before. */
function Nobody({ table: { closed, unsigned = 0 }, frozen }: { table: Table; frozen: Frozen[] }) {
  return (
    <>
      <Empty title="No study can be asked yet">
        {closed.map((one) => <p key={one.reason}>{one.studies === null ? "Some studies stay" : count(one.studies, "study stays", "studies stay")} out: {one.reason}. What data may be used for is recorded under <a href={to.sharing("consent")}>Consent</a>.</p>)}
        {unsigned > 0 && <p>{count(unsigned, "study waits", "studies wait")} for a signed report. You read here, and a table would tell you what the machine found in a study before your own opinion: sign a first one from the <a href={to.worklist}>worklist</a>. Whoever has an account as a researcher reads nothing and asks about all of them; administrators give one under <a href={to.settings("people")}>People</a>.</p>}
        {!unsigned && !closed.length && <p>No study is here that you may see. Images come by DICOM, or from a folder: <code>isocenter open FOLDER</code>.</p>}
      </Empty>
      <Before of={frozen} />
    </>
  );
}

/** What was frozen, each a cohort of its own. */
function Before({ of }: { of: Frozen[] }) {
  if (!of.length) return null;
  return (
    <section aria-label="Frozen cohorts">
      <h2>Frozen</h2>
      <table class="plain wide">
        <thead><tr><th scope="col">Cohort</th><th scope="col">Question</th><th scope="col" class="num">n</th><th scope="col">Frozen (UTC)</th></tr></thead>
        <tbody>{of.map((one) => <tr key={one.id}><td><a href={to.cohorts(one.id)}>{one.name}</a></td><td><code>{one.q || "everything"}</code></td><td class="num">{one.n}</td><td class="muted">{moment(one.when)} by {one.by}</td></tr>)}</tbody>
      </table>
    </section>
  );
}

/** The table of a frozen cohort as a file; where few people are alike only once there is a reason. */
function TakeOut({ id, few }: { id: string; few: boolean }) {
  const [reason, setReason] = useState("");
  const wanting = few && !reason.trim();
  const why = !may("export") ? ruleOf("export") : wanting ? "Fewer than five people of it are alike in sex, age, year and kind of image: say why it may leave" : "Under pseudonyms; the journal keeps who took it, why, and its digest";
  return (
    <>
      {few && may("export") && <label>Why a table of which fewer than five people are alike may leave <input value={reason} maxLength={500} autocomplete="off" placeholder="empty: it may not" onInput={(event) => setReason(event.currentTarget.value)} /></label>}
      {["csv", "parquet"].map((form) => <a key={form} class="button" href={may("export") && !wanting ? `/api/cohorts/${id}/export?form=${form}&reason=${encodeURIComponent(reason.trim())}` : undefined} download aria-disabled={!may("export") || wanting} title={why}>Take out as {form === "csv" ? "CSV" : "Parquet"}</a>)}
    </>
  );
}

function Whole({ table, id, q, frozen, choosing }: { table: Table; id: string; q: string; frozen: Frozen[]; choosing: Choosing }) {
  const chosen = table.fields.find((one) => one.name === table.chart?.field);
  const words = table.fields.filter((one) => one.kind === "words");
  return (
    <>
      {id ? (
        <p class="acts">Frozen {table.frozen && moment(table.frozen)} UTC by the question <code>{table.q || "everything"}</code> · digest <span class="id">{id.slice(0, 16)}…</span>
          {!!table.gone && <span class="soon"> · {count(table.gone, "study", "studies")} of it may not be seen any more, or is gone</span>}
          {" "}<TakeOut id={id} few={!!table.few_alike} />
        </p>
      ) : table.may_see_rows ? <Freeze q={q} n={table.n} /> : <p class="acts muted">You may hear how many people there are, and see no single study ({ruleOf("cohort_rows").replace(/^Refused: /, "").replace(/\.$/, "")}). People are counted in tens; of fewer than {table.few} nothing is told, and a filter that would leave out fewer is not applied.</p>}
      <div class="cohort-grid">
        <Fields of={table.fields} few={table.few} chosen={chosen ? [chosen.name] : []} choose={(name) => setQuery("field", name, { keep: true })} />
        <div>
          {table.chart ? (
            <>
              {chosen?.kind === "number" && (
                <label class="template muted">In groups by
                  <select value={address.value.searchParams.get("by") ?? ""} onChange={(event) => setQuery("by", event.currentTarget.value, { keep: true })}>
                    <option value="">nothing</option>{words.map((one) => <option key={one.name} value={one.name}>{one.title}</option>)}
                  </select>
                </label>
              )}
              <Chart of={table.chart} column={chosen} />
            </>
          ) : table.n === 0 ? <Emptied by={table.ledger} /> : table.n === null ? <Empty title="Fewer than ten people">Of so few nothing is told: take off a filter.</Empty> : <Empty title="Choose a field">Its figures stand here: a histogram, groups beside each other, and the table of both.</Empty>}
          {!id && <Before of={frozen} />}
          {table.may_see_rows && <Rows table={table} choosing={choosing} />}
        </div>
      </div>
    </>
  );
}

/** Nothing is left, and by which filter: each leaves out of what those before it kept. */
function Emptied({ by }: { by: Table["ledger"] }) {
  const last = by.findLast((one) => one.left_out);
  return <Empty title="No study meets every filter">{last ? <>The filter <code>{last.filter}</code> leaves out the last of them: take it off, or widen it.</> : "Take off a filter, or widen it."}</Empty>;
}

/** Who is not in it, and why: beside every figure of the cohort. */
function Ledger({ table }: { table: Table }) {
  const out = table.ledger.filter((one) => one.applied !== false && one.left_out !== 0);
  const idle = table.ledger.filter((one) => one.applied === false);
  const { unsigned = 0 } = table;
  if (!out.length && !idle.length && !table.closed.length && !table.demonstrated && !unsigned) return null;
  return <ul class="bullets">{unsigned > 0 && <li><strong>{count(unsigned, "study stays", "studies stay")}</strong> out until a report is signed: you read here, and may still read with an opinion of your own</li>}{table.demonstrated > 0 && <li><strong>{count(table.demonstrated, "phantom")}</strong> of the demonstration among these: the table that is taken out says so in each row, and the images stay here</li>}{table.closed.map((one) => <li key={one.reason}><strong>{one.studies ?? `under ${table.few}`}</strong> stay out: {one.reason} (<a href={to.sharing("consent")}>consent</a>)</li>)}{out.map((one) => <li key={one.filter}><strong>{one.left_out ?? `under ${table.few}`}</strong> left out by <code>{one.filter}</code>{!!one.missing && <span class="muted">, {one.missing} of them because they do not have it</span>}</li>)}{idle.map((one) => <li key={one.filter}><code>{one.filter}</code> was not applied: it would leave out fewer than {table.few} people, or nobody</li>)}</ul>;
}

function Freeze({ q, n }: { q: string; n: number }) {
  const [name, setName] = useState("");
  const [refused, setRefused] = useState("");
  const freeze = async (event: SubmitEvent) => {
    event.preventDefault();
    try {
      const { id } = await ask<{ id: string }>("/api/cohorts", { method: "POST", body: { name: name.trim(), q } });
      go(to.cohorts(id));
    } catch (error) {
      setRefused(asTrouble(error).message);
    }
  };
  return (
    <form class="freeze" onSubmit={freeze} aria-label="Freeze this cohort">
      {refused && <p class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {refused}</p>}
      <label>Freeze these {n} under the name<input required maxLength={120} value={name} disabled={!n} autocomplete="off" onInput={(event) => setName(event.currentTarget.value)} /></label>
      <button disabled={!n}>Freeze</button>
      <span class="muted">Who it was on this day, kept by its digest; the journal says who froze it.</span>
    </form>
  );
}
