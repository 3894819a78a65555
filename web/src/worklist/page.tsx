import { useEffect, useRef } from "preact/hooks";
import { signal } from "@preact/signals";
import { Checklist } from "../frame/checklist";
import { Lazy } from "../frame/lazy";
import { bind, keyOf } from "../keys/keyboard";
import { Key } from "../kit/marks";
import { whenStill } from "../kit/still";
import { Empty, Show } from "../kit/states";
import { may, mayRead, me } from "../me";
import { address, go, setQuery, to } from "../router";
import { clock, count } from "../words";
import { AssignDialog, assigning } from "./assign";
import { CriticalBar } from "./critical";
import { BroughtBar } from "./brought";
import { EffectLine } from "./effect";
import { Filter } from "./filter";
import { rowToTake, WorkList } from "./list";
import { menuOf, RowMenu, type RowAct } from "./menu";
import { sortOf, textOf } from "./order";
import { Preview } from "./preview";
import { askFor, question } from "./question";
import { Rows } from "./rows";
import { Stops } from "./stops";
import { defaultView, PinDialog, pinning, Views } from "./views";

const ACTS: RowAct[] = [
  { words: "Read the study", key: "open", act: (row) => go(to.study(row.study)) },
  { words: "Preview", key: "preview", act: (row) => setQuery("preview", row.study) },
  { words: "Assign", key: "assign", act: (row) => (assigning.value = row) },
  { words: "Share with somebody outside", key: "share", act: (row) => go(`${to.sharing()}?study=${row.study}`) },
  { words: "Why it was not analysed", key: "why", act: (row) => go(to.why(row.study)) },
];

/** Whether the page has opened with its person's own view once; whoever takes all filters off shall not get them back. */
const began = signal(false);

/** What to read next, and why. */
export function WorklistPage() {
  const ref = useRef<WorkList>(null);
  ref.current ??= new WorkList();
  const list = ref.current;
  const field = useRef<HTMLInputElement>(null);
  const { q, ai, sort } = question();
  const preview = address.value.searchParams.get("preview") ?? "";

  useEffect(() => {
    const view = defaultView();
    if (!began.value && view && !q && !sort) askFor({ q: view.q, sort: view.sort, ai: view.ai });
    began.value = true;
    // The reader's code and its drawing engine are made ready in a pause, so that no step through the list waits for them.
    let busy = whenStill(1500, () => void import("../room/page").then(async (room) => {
      await room.warm();
      busy = whenStill(1500, () => void room.warmPlanes());
    }).catch(() => undefined));
    return () => (busy(), list.end());
  }, []);
  useEffect(() => void list.begin({ q: question().q, ai }), [q, ai]);
  useEffect(() => list.setSort(sortOf(sort)), [sort]);
  useEffect(() => list.sort.subscribe((now) => textOf(now) !== question().sort && askFor({ sort: textOf(now) })), []);
  useEffect(() => {
    if (preview && !list.focused.peek()) list.focused.value = preview;
  }, [preview]);
  useEffect(() => list.focused.subscribe((study) => {
    // The preview follows the row, and its address with it.
    if (study && new URL(location.href).searchParams.has("preview")) setQuery("preview", study);
  }), []);
  useEffect(() => {
    const take = () => {
      const row = rowToTake(list.shown.peek(), me.peek()?.name);
      if (row) go(to.study(row.study));
    };
    const withRow = (act: (row: NonNullable<ReturnType<WorkList["row"]>>) => void) => () => {
      if (!list.row()) list.step(0);
      const row = list.row();
      if (row) act(row);
    };
    return bind("worklist", {
      filter: () => (field.current?.focus(), field.current?.select()),
      down: () => list.step(1),
      up: () => list.step(-1),
      open: withRow((row) => go(to.study(row.study))),
      preview: withRow((row) => setQuery("preview", address.peek().searchParams.has("preview") ? "" : row.study)),
      next: take,
      assign: withRow((row) => may("assign") && (assigning.value = row)),
      why: withRow((row) => go(to.why(row.study))),
      effect: withRow((row) => void (row.moved_up > 0 && may("oversight") && go(to.oversight("triage")))),
      pin: () => (pinning.value = true),
      menu: withRow((row) => (menuOf.value = row)),
      show: () => list.settle(),
      reload: () => void list.reload(),
      leave: () => {
        setQuery("preview", "");
        (document.activeElement as HTMLElement | null)?.blur();
        list.focused.value = null;
        list.keep(false);
      },
    });
  }, []);

  const state = list.source.state.value;
  const rows = list.shown.value;
  const told = state.at === "there" ? state.value : null;
  const next = rowToTake(rows, me.value?.name);
  const shown = preview ? rows.find((row) => row.study === list.focused.value) : undefined;
  return (
    <>
      <header class="bar" data-region tabIndex={-1}>
        <h1>Worklist</h1>
        <Filter field={field} />
        {told && <span class="muted" role="status">{rows.length < told.total && `${rows.length} of `}{count(Math.max(rows.length, told.total), "study", "studies")} · {clock(list.time.value)}</span>}
        {list.moved.value > 0 && <button type="button" class="moved" onClick={() => list.settle()}>{list.moved.value} moved · show <Key of={keyOf("worklist", "show")} /></button>}
        <span class="gap" />
        <Views />
        <label class="check"><input type="checkbox" checked={ai} onChange={(event) => askFor({ ai: event.currentTarget.checked }, { keep: true })} /> AI may raise</label>
        {mayRead() && next && (
          <button type="button" class="primary" onClick={() => go(to.study(next.study))}>Take the next <Key of={keyOf("worklist", "next")} /></button>
        )}
      </header>
      <p class="hidden" role="status" aria-live="polite">{list.said.value}</p>
      {me.value?.demo && <Checklist />}
      <main class="list" aria-label="Worklist">
        {!ai && <p class="callout slim" role="status"><span class="soon" aria-hidden="true">▲</span> Without AI: this is the list in its plain order.</p>}
        <CriticalBar />
        <Stops />
        {told?.without && <p class="callout slim" role="status"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {told.without}.</p>}
        {list.missing.value && <p class="callout slim" role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {list.missing.value}.</p>}
        {list.sort.value && <p class="callout slim" role="status"><span class="soon" aria-hidden="true">▲</span> Sorted by {list.sort.value.by}, not by urgency. <button type="button" class="link" onClick={() => list.setSort(null)}>In the order in which to read</button></p>}
        <Show state={state} what="the worklist" stands="Nothing is lost: the studies are in the archive, and can be found from Patients." again={() => void list.reload()} cancel={() => list.source.cancel()}>
          {() => (rows.length ? <><BroughtBar /><Rows list={list} menu={() => (menuOf.value = list.row() ?? null)} /></> : <NothingHere q={q} />)}
        </Show>
        {shown && <Preview row={shown} close={() => setQuery("preview", "")} />}
        <EffectLine />
      </main>
      <AssignDialog done={() => void list.refresh()} />
      <RowMenu acts={ACTS} />
      <PinDialog />
    </>
  );
}

function NothingHere({ q }: { q: string }) {
  if (q.split(" ").includes("is:waiting")) return <Lazy key={q} load={() => import("./all-read").then((module) => module.AllRead)} what="what is expected next" with={{ q }} />;
  if (q) {
    return (
      <Empty title="No study fits the filter">
        <p>Nothing fits “{q}”.</p>
        <button type="button" onClick={() => askFor({ q: "" }, { keep: true })}>Show all studies</button>
      </Empty>
    );
  }
  return <Lazy load={() => import("./first-run").then((module) => module.FirstRun)} what="how to begin" with={{}} />;
}
