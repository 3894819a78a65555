import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../api/door";
import { asTrouble } from "../api/load";
import { keyOf } from "../keys/keyboard";
import { Dialog } from "../kit/dialog";
import { Key } from "../kit/marks";
import { address, go, setQuery, to } from "../router";
import { count, moment, number } from "../words";
import type { Rowed } from "./shapes";

const SHOWN_ROWS = 50;
/** Pictures of one page of the gallery. */
const PAGE = 24;
const asPictures = () => address.value.searchParams.get("view") === "pictures";

/** Which rows of a cohort are chosen, and what the keys do to them. Nothing selected means that nothing happens. */
export class Choosing {
  readonly at = signal(0);
  readonly chosen = signal<ReadonlySet<string>>(new Set());
  /** All of them were chosen, also those that are not on the page. */
  readonly all = signal(false);
  readonly asking = signal(false);
  readonly said = signal("");
  table: Rowed | null = null;
  again: () => void = () => undefined;

  private get rows() {
    return (asPictures() ? this.table?.rows : this.table?.rows.slice(0, SHOWN_ROWS)) ?? [];
  }

  step(by: number): void {
    this.at.value = Math.max(0, Math.min(this.rows.length - 1, this.at.peek() + by));
  }

  /** To the first picture of another page. */
  turn(by: number): void {
    const page = Math.floor(this.at.peek() / PAGE) + by;
    if (asPictures() && page >= 0 && page * PAGE < this.rows.length) this.at.value = page * PAGE;
  }

  /** Rows as pictures or as a table; the address keeps which. */
  view(): void {
    setQuery("view", asPictures() ? "" : "pictures");
  }

  /** Select the row at hand, or let it go. */
  toggle(study = this.rows[this.at.peek()]?.study): void {
    if (!study) return;
    const next = new Set(this.all.peek() ? this.rows.map((row) => row.study) : this.chosen.peek());
    if (!next.delete(study)) next.add(study);
    [this.all.value, this.chosen.value, this.said.value] = [false, next, ""];
  }

  /** Select all, once the number was seen and said yes to. */
  every(): void {
    [this.all.value, this.chosen.value, this.asking.value, this.said.value] = [true, new Set(), false, ""];
  }

  none(): boolean {
    if (!this.all.peek() && !this.chosen.peek().size) return false;
    [this.all.value, this.chosen.value, this.said.value] = [false, new Set(), ""];
    return true;
  }

  /** Give the selected rows a tag; where all of them carry it, take it off. */
  async tag(tag: number): Promise<void> {
    const { table } = this;
    if (!table) return;
    const [all, chosen] = [this.all.peek(), [...this.chosen.peek()]];
    if (!all && !chosen.length) return void (this.said.value = `Nothing is selected, so that nothing was tagged: ${keyOf("cohorts", "select")} selects a row.`);
    if (!table.id) return void (this.said.value = "Tags belong to a frozen cohort: freeze these first, then tag its rows.");
    const held = new Set(table.tags?.find((one) => one.tag === tag)?.studies ?? []);
    const on = all ? held.size < table.n : !chosen.every((study) => held.has(study));
    try {
      const whole = all && !table.tag; // under a tag as filter, all of that tag and not all of the cohort
      const studies = whole ? [] : all ? (table.tags?.find((one) => one.tag === table.tag)?.studies ?? []) : chosen;
      const told = await ask<{ studies: number }>(`/api/cohorts/${table.id}/tags`, { method: "POST", body: { tag, on, studies, all: whole } });
      this.said.value = `Tag ${tag} ${on ? "given to" : "taken off"} ${count(told.studies, "study", "studies")}.`;
      this.again();
    } catch (error) {
      const trouble = asTrouble(error);
      this.said.value = trouble.told;
    }
  }
}

/** The rows: chosen by keys, tagged by number, left out with a reason. */
export function Rows({ table, choosing }: { table: Rowed; choosing: Choosing }) {
  const columns = table.fields.slice(0, 7);
  const pictures = asPictures();
  const rows = pictures ? table.rows : table.rows.slice(0, SHOWN_ROWS);
  [choosing.table] = [table];
  const [all, chosen, at] = [choosing.all.value, choosing.chosen.value, choosing.at.value];
  const n = all ? table.n : chosen.size;
  const marks = new Map<string, number[]>();
  table.tags?.forEach((one) => one.studies.forEach((study) => marks.set(study, [...(marks.get(study) ?? []), one.tag])));
  const here = useRef<HTMLTableRowElement>(null);
  useEffect(() => here.current?.scrollIntoView({ block: "nearest" }), [at]);
  return (
    <section aria-label="Rows">
      <h2>Rows <span class="muted">the first {rows.length} of {table.n}</span></h2>
      <Tags table={table} />
      <p class="acts">
        <span role="status"><strong>{n}</strong> of {table.n} selected{choosing.said.value && <>. {choosing.said.value}</>}</span>{" "}
        <button type="button" onClick={() => (choosing.asking.value = true)}>Select all {table.n} <Key of={keyOf("cohorts", "select-all")} /></button>{" "}
        <button type="button" aria-pressed={pictures} onClick={() => choosing.view()}>As pictures <Key of={keyOf("cohorts", "view")} /></button>{" "}
        {n > 0 && <button type="button" class="quiet" onClick={() => choosing.none()}>Select none</button>}
        <span class="muted">{keyOf("cohorts", "select")} selects the marked row, 1 to 9 tag what is selected{table.id ? "; tags belong to this cohort and to no other" : ": of a frozen cohort"}.</span>
      </p>
      {table.id && n > 0 && n < table.n && !all && <LeaveOut table={table} studies={[...chosen]} />}
      {pictures ? <Gallery table={table} choosing={choosing} marks={marks} /> : <div class="lesion-scroll" tabIndex={0} role="group" aria-label="Rows of the cohort" data-rows>
        <table class="plain">
          <thead><tr><th scope="col"><span class="hidden">Selected</span></th><th scope="col">Study</th><th scope="col">Tags</th>{columns.map((one) => <th key={one.name} scope="col" class={one.kind === "number" ? "num" : undefined}>{one.title}</th>)}</tr></thead>
          <tbody>{rows.map((row, i) => (
            <tr key={row.study} ref={i === at ? here : undefined} aria-current={i === at ? "true" : undefined}>
              <td><input type="checkbox" checked={all || chosen.has(row.study)} aria-label={`Select row ${i + 1}`} onChange={() => ((choosing.at.value = i), choosing.toggle(row.study))} /></td>
              <td><a href={to.study(row.study)}>open</a></td>
              <td class="num">{marks.get(row.study)?.join(" ") ?? ""}</td>
              {columns.map((one) => <td key={one.name} class={one.kind === "number" ? "num" : undefined}>{typeof row[one.name] === "number" ? number(row[one.name] as number) : (row[one.name] ?? <span class="faint">missing</span>)}</td>)}
            </tr>
          ))}</tbody>
        </table>
      </div>}
      {choosing.asking.value && (
        <Dialog title={`Select all ${table.n}?`} close={() => (choosing.asking.value = false)}>
          <p>{count(table.n, "study", "studies")} of {count(table.people, "person", "people")}{table.tag ? `, all that carry tag ${table.tag}` : ""}: also those that are not among the {rows.length} rows of this page.</p>
          <p class="acts"><button type="button" class="primary" autofocus onClick={() => choosing.every()}>Select all {table.n}</button> <button type="button" onClick={() => (choosing.asking.value = false)}>Not now</button></p>
        </Dialog>
      )}
    </section>
  );
}

/** A page of the rows as thumbnails, chosen and tagged as the rows are. No word of a picture names a person. */
function Gallery({ table, choosing, marks }: { table: Rowed; choosing: Choosing; marks: ReadonlyMap<string, number[]> }) {
  const [at, chosen, all] = [choosing.at.value, choosing.chosen.value, choosing.all.value];
  const [page, pages] = [Math.floor(at / PAGE), Math.ceil(table.rows.length / PAGE)];
  const here = useRef<HTMLLIElement>(null);
  useEffect(() => here.current?.scrollIntoView({ block: "nearest" }), [at]);
  return (
    <>
      <ul class="cohort-pictures" aria-label="Pictures of the cohort">
        {table.rows.slice(page * PAGE, (page + 1) * PAGE).map((row, i) => {
          const n = page * PAGE + i;
          const words = [row.modality, row.year].filter(Boolean).join(", ");
          const tags = marks.get(row.study);
          return (
            <li key={row.study} ref={n === at ? here : undefined} aria-current={n === at ? "true" : undefined}>
              <label>
                <img src={`/dicom-web/studies/${row.study}/thumbnail?viewport=128,128`} alt={`Row ${n + 1}: ${words || "a study"}`} loading="lazy" width={128} height={128} onError={(event) => event.currentTarget.classList.add("gone")} />
                <span class="none muted">no picture</span>
                <span><input type="checkbox" checked={all || chosen.has(row.study)} aria-label={`Select row ${n + 1}`} onChange={() => ((choosing.at.value = n), choosing.toggle(row.study))} /> {words}{tags && <strong> · tag {tags.join(" ")}</strong>}</span>
              </label>
              <a href={to.study(row.study)}>open<span class="hidden"> row {n + 1}</span></a>
            </li>
          );
        })}
      </ul>
      <p class="acts">
        <button type="button" disabled={page === 0} onClick={() => choosing.turn(-1)}>Page before <Key of={keyOf("cohorts", "page-back")} /></button>{" "}
        <button type="button" disabled={page + 1 >= pages} onClick={() => choosing.turn(1)}>Next page <Key of={keyOf("cohorts", "page-on")} /></button>{" "}
        <span class="muted" role="status">page {page + 1} of {pages}{table.rows.length < table.n && `, of the first ${table.rows.length} of ${table.n}`}</span>
      </p>
    </>
  );
}

/** The tags of this cohort: each is a filter, and says who gave it last and when. */
function Tags({ table }: { table: Rowed }) {
  if (!table.tags?.length) return null;
  return (
    <table class="plain">
      <caption class="hidden">Tags of this cohort</caption>
      <thead><tr><th scope="col">Tag</th><th scope="col" class="num">Studies</th><th scope="col">Given last (UTC)</th><th scope="col">Filter</th></tr></thead>
      <tbody>{table.tags.map((one) => <tr key={one.tag} aria-current={one.tag === table.tag ? "true" : undefined}><td class="num">{one.tag}</td><td class="num">{one.n}</td><td class="muted">{moment(one.when)} by {one.by}</td><td><button type="button" class="quiet link" onClick={() => setQuery("tag", one.tag === table.tag ? "" : String(one.tag), { keep: true })}>{one.tag === table.tag ? "show all again" : `only tag ${one.tag}`}</button></td></tr>)}</tbody>
    </table>
  );
}

/** Go on without the selected rows: a frozen cohort never changes, so that this is another one, whose ledger says why. */
function LeaveOut({ table, studies }: { table: Rowed; studies: string[] }) {
  const [reason, setReason] = useState("");
  const [typed, type] = useState<string | null>(null);
  const name = typed ?? `${table.name} without ${studies.length}`;
  const [refused, setRefused] = useState("");
  const send = async (event: SubmitEvent) => {
    event.preventDefault();
    try {
      const { id } = await ask<{ id: string }>(`/api/cohorts/${table.id}/without`, { method: "POST", body: { name: name.trim(), reason: reason.trim(), studies } });
      go(to.cohorts(id));
    } catch (error) {
      setRefused(asTrouble(error).message);
    }
  };
  return (
    <form class="freeze" onSubmit={send} aria-label="Freeze without the selected rows">
      {refused && <p class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {refused}</p>}
      <label>Leave these {studies.length} out, because<input required maxLength={500} value={reason} autocomplete="off" onInput={(event) => setReason(event.currentTarget.value)} /></label>
      <label>under the name<input required maxLength={120} value={name} autocomplete="off" onInput={(event) => type(event.currentTarget.value)} /></label>
      <button>Freeze without them</button>
    </form>
  );
}
