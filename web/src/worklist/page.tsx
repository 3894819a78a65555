import { signal } from "@preact/signals";
import { useEffect, useRef } from "preact/hooks";
import { loadRoom } from "../app";
import { ask } from "../api/door";
import { heard, onHappening } from "../api/live";
import { Source } from "../api/load";
import type { Row, Worklist } from "../api/shapes";
import { bind, keyOf } from "../keys/keyboard";
import { Key } from "../kit/marks";
import { Empty, Show } from "../kit/states";
import { mayRead } from "../me";
import { address, go, setQuery, to } from "../router";
import { clock } from "../words";
import { Rows, rowToTake } from "./rows";

const wanted = () => ({ q: address.value.searchParams.get("q") ?? "", ai: address.value.searchParams.get("ai") === "off" ? "off" : "on" });

const focused = signal<string | null>(null);

/** What to read next, and why. */
export function WorklistPage() {
  const { q, ai } = wanted();
  const source = useRef<Source<Worklist>>(null);
  source.current ??= new Source((abort) => wholeList(wanted().q, wanted().ai, abort));
  const list = source.current;
  const field = useRef<HTMLInputElement>(null);

  useEffect(() => void list.load(), [q, ai]);
  useEffect(() => {
    let due = 0;
    const forget = onHappening(() => {
      clearTimeout(due);
      due = window.setTimeout(() => void list.load(), 400); // a burst of arrivals asks once
    });
    const idle = setTimeout(() => void loadRoom(), 2000);
    return () => (forget(), clearTimeout(due), clearTimeout(idle), list.stop());
  }, []);
  useEffect(() => {
    const rows = () => list.value?.rows ?? [];
    const step = (by: number) => {
      const at = rows().findIndex((row) => row.study === focused.value);
      const next = rows()[Math.min(rows().length - 1, Math.max(0, at < 0 ? 0 : at + by))];
      if (next) focused.value = next.study;
    };
    return bind("worklist", {
      filter: () => (field.current?.focus(), field.current?.select()),
      down: () => step(1),
      up: () => step(-1),
      open: () => focused.value && go(to.study(focused.value)),
      next: () => {
        const row = rowToTake(rows());
        if (row) go(to.study(row.study));
      },
      reload: () => void list.load(),
    });
  }, []);

  const state = list.state.value;
  const shown = state.at === "there" ? state.value : null;
  return (
    <>
      <header class="bar" data-region tabIndex={-1}>
        <h1>Worklist</h1>
        <Filter field={field} />
        {shown && (
          <span class="muted" role="status">
            {shown.rows.length === shown.total ? `${shown.total} studies` : `${shown.rows.length} of ${shown.total}`}
            {heard.value && state.at === "there" && ` · ${clock(state.time)}`}
          </span>
        )}
        <span class="gap" />
        <label class="check"><input type="checkbox" checked={ai === "on"} onChange={(event) => setQuery("ai", event.currentTarget.checked ? "" : "off")} /> AI may raise</label>
        {mayRead() && shown && rowToTake(shown.rows) && (
          <button type="button" class="primary" onClick={() => go(to.study(rowToTake(shown.rows)!.study))}>Take the next <Key of={keyOf("worklist", "next")} /></button>
        )}
      </header>
      <main class="list" aria-label="Worklist">
        {ai === "off" && <p class="callout" role="status"><span class="soon" aria-hidden="true">▲</span> Without AI: this is the list in its plain order.</p>}
        <Show state={state} what="the worklist" again={() => void list.load()}>
          {(value) => (value.rows.length ? <Rows rows={value.rows} focused={focused} /> : <NothingHere q={q} />)}
        </Show>
      </main>
    </>
  );
}

/** The list comes in pages; all of them make one list, so that keys and scrolling know no seam. */
async function wholeList(q: string, ai: string, abort: AbortSignal): Promise<Worklist> {
  const rows: Row[] = [];
  let cursor = "";
  for (;;) {
    const ask_for = new URLSearchParams({ limit: "1000", ai });
    if (q) ask_for.set("q", q);
    if (cursor) ask_for.set("cursor", cursor);
    const page = await ask<Worklist>(`/api/worklist?${ask_for}`, { abort });
    rows.push(...page.rows);
    if (page.next === null || page.next === undefined || page.next === "" || !page.rows.length) return { rows, next: null, total: page.total };
    cursor = String(page.next);
  }
}

function Filter({ field }: { field: { current: HTMLInputElement | null } }) {
  const timer = useRef(0);
  const type = (value: string) => {
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => setQuery("q", value.trim()), 180); // one query for a word, not one for a letter
  };
  return (
    <label class="filter">
      <span class="hidden">Filter</span>
      <Key of="/" />
      <input ref={field} type="search" name="q" placeholder="name, id, mod:CT, is:waiting" defaultValue={address.peek().searchParams.get("q") ?? ""} onInput={(event) => type(event.currentTarget.value)} />
    </label>
  );
}

function NothingHere({ q }: { q: string }) {
  if (q) {
    return (
      <Empty title="No study fits the filter">
        <p>Nothing fits “{q}”.</p>
        <button type="button" onClick={() => { setQuery("q", ""); (document.querySelector("input[name=q]") as HTMLInputElement).value = ""; }}>Show all studies</button>
      </Empty>
    );
  }
  return (
    <Empty title="All read">
      <p>New studies appear here by themselves, the most urgent first.</p>
      <p>Send images to the DICOM port, or load a folder with <code>isocenter receive FOLDER</code>.</p>
    </Empty>
  );
}
