import { signal } from "@preact/signals";
import type { ComponentChildren, Ref } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import "../style/room.css";
import { keep } from "../api/keep";
import { asTrouble } from "../api/load";
import { bind, keyOf } from "../keys/keyboard";
import { Key } from "../kit/marks";
import type { Kind } from "../marks/measuring";
import { SliceBar } from "../room/slice-bar";
import { wordsOf } from "../viewer/deadline";
import { Mouse, type Tool, tool } from "../viewer/mouse";
import { presetsOf } from "../viewer/presets";
import { sidesOn } from "../viewer/edges";
import { StackView } from "../viewer/stack";
import { KINDS, Measured, SharedMarks } from "./measuring";
import type { Door } from "./ways";
import { age, count, day, number, person, unit } from "../words";

export interface SharedStudy {
  uid: string;
  patient: { name: string; id: string; birth_date: string | null; sex: string };
  date: string | null;
  description: string;
  series: { uid: string; modality: string; description: string; instances: { sop_uid: string; frames: number }[] }[];
}

/** What is behind a link: its studies, and what it lets its holder do. */
export interface Shared {
  studies: (SharedStudy & { held_back: number })[];
  may: string[];
  pseudonym: boolean;
  until: string;
}

const NOTHING: ReadonlySet<string> = new Set();
const TOOLS: Record<Tool, string> = { window: "Window", zoom: "Zoom", pan: "Pan" };

/** The images of some studies and nothing else. `closed` is told when they may not be seen any more. */
export function Viewing({ shared, door, closed, top }: { shared: Shared; door: Door; closed: () => void; top?: ComponentChildren }) {
  const [which, setWhich] = useState(0);
  const told = shared.studies[Math.min(which, shared.studies.length - 1)]!;
  // What has no picture (a structure set, a report) cannot be looked at here.
  const study = { ...told, series: told.series.filter((one) => one.instances.some((image) => image.frames > 0)) };
  const place = useRef<HTMLDivElement>(null);
  const view = useRef(signal<StackView | null>(null)).current;
  const [number_, setNumber] = useState(0);
  const [failed, setFailed] = useState("");
  const series = study.series[number_];
  const measures = shared.may.includes("measure");
  const marks = useRef<SharedMarks>(null);
  marks.current ??= new SharedMarks(view, door, () => (measures ? "" : "whoever gave the link did not let you measure (rule 'shared.measure')"));
  const { measuring } = marks.current;
  const toStudy = (number: number) => (setWhich(Math.min(shared.studies.length - 1, Math.max(0, number))), setNumber(0));
  useEffect(() => {
    const made = new StackView(place.current!);
    const mouse = new Mouse(made, () => undefined);
    view.value = made;
    return () => (mouse.destroy(), made.destroy(), (view.value = null));
  }, []);
  useEffect(() => {
    if (!series) return;
    let gone = false;
    setFailed("");
    door.load(study.uid, series.uid).then(
      async (loaded) => {
        if (gone) return;
        await view.peek()?.show(loaded, Math.floor((loaded.pictures.length - 1) / 2));
        const preset = presetsOf(loaded.modality, loaded.unit)[0];
        if (preset?.centre != null && preset.width != null) view.peek()?.setRange({ lower: preset.centre - preset.width / 2, upper: preset.centre + preset.width / 2 });
      },
      (error: unknown) => !gone && (asTrouble(error).status === 403 ? closed() : setFailed(wordsOf(error))),
    );
    return () => void (gone = true);
  }, [series?.uid]);
  const state = view.value?.state.value;
  useEffect(() => {
    if (state?.at === "failed") closed(); // it may have been ended meanwhile: then it says so, and else it stays
  }, [state?.at]);
  useEffect(() => {
    measuring.giveUp();
    const step = (by: number) => setNumber((now) => Math.min(study.series.length - 1, Math.max(0, now + by)));
    const on = (act: (one: StackView) => void) => () => view.peek() && act(view.peek()!);
    const window_ = (n: number) => on((one) => {
      const loaded = one.series.peek();
      const preset = presetsOf(loaded?.modality ?? "", loaded?.unit)[n - 1];
      const range = preset?.centre != null && preset.width != null ? { lower: preset.centre - preset.width / 2, upper: preset.centre + preset.width / 2 } : preset && one.sent();
      if (range) one.setRange(range);
    });
    return bind("shared", {
      "slice+1": () => measuring.nudge(0, 1) || view.peek()?.step(1), "slice-1": () => measuring.nudge(0, -1) || view.peek()?.step(-1), "slice+10": on((one) => one.step(10)), "slice-10": on((one) => one.step(-10)),
      first: on((one) => void one.at(0)), last: on((one) => void one.at(one.count.peek() - 1)), "series+1": () => measuring.nudge(1, 0) || step(1), "series-1": () => measuring.nudge(-1, 0) || step(-1),
      "study+1": () => toStudy(which + 1), "study-1": () => toStudy(which - 1),
      ...Object.fromEntries((Object.keys(KINDS) as Kind[]).map((kind) => [kind, () => measuring.take(kind)])),
      point: () => void measuring.enter(), "give-up": () => void measuring.giveUp(),
      "cross-down": () => void measuring.nudge(0, 10), "cross-up": () => void measuring.nudge(0, -10), "cross-right": () => void measuring.nudge(10, 0), "cross-left": () => void measuring.nudge(-10, 0),
      download: () => shared.may.includes("download") && taking.current?.click(),
      ...Object.fromEntries([1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => [`window-${n}`, window_(n)])),
      "tool-window": () => (tool.value = "window"), "tool-zoom": () => (tool.value = "zoom"), "tool-pan": () => (tool.value = "pan"),
      invert: on((one) => one.turn("invert")), "flip-horizontal": on((one) => one.turn("flip-horizontal")), "flip-vertical": on((one) => one.turn("flip-vertical")), rotate: on((one) => one.turn("rotate")), reset: on((one) => one.reset()),
    }); // prettier-ignore
  }, [study.uid]);
  const { patient } = study;
  const taking = useRef<HTMLButtonElement>(null);
  const years = age(patient.birth_date, study.date);
  return (
    <>
      <header class="bar patient" aria-label="Patient" data-region tabIndex={-1}>
        <h1>{person(patient.name)}</h1>
        <span class="id">{patient.id}</span>
        {patient.birth_date && <span>b. {day(patient.birth_date)}{years && ` (${years})`}</span>}
        {patient.sex && <span>{patient.sex}</span>}
        <span class="what">{study.description} {study.date && day(study.date)}</span>
        <span class="gap" />
        <span class="muted">Shared with you by a link{shared.pseudonym && ", without the person"}: images only. Each look is recorded.</span>
      </header>
      {top}
      <main class="shared">
        <div class="images">
          <div class="tools" role="toolbar" aria-label="Image tools">
            {(Object.keys(TOOLS) as Tool[]).map((one) => <button type="button" key={one} aria-pressed={tool.value === one} onClick={() => (tool.value = one)}>{TOOLS[one]} <Key of={keyOf("shared", `tool-${one}`)} /></button>)}
            <button type="button" class="quiet" onClick={() => view.value?.turn("invert")}>Invert <Key of={keyOf("shared", "invert")} /></button>
            <button type="button" class="quiet" onClick={() => view.value?.reset()}>Reset <Key of={keyOf("shared", "reset")} /></button>
            {measures && (Object.keys(KINDS) as Kind[]).map((kind) => <button type="button" key={kind} aria-pressed={measuring.kind.value === kind} onClick={() => measuring.take(kind)}>{KINDS[kind]} <Key of={keyOf("shared", kind)} /></button>)}
            {shared.may.includes("download") && <Take door={door} button={taking} />}
          </div>
          <div class="stage l1x1">
            <div class="viewport" role="img" aria-label={series ? `${series.modality} ${series.description}, image ${(view.value?.index.value ?? 0) + 1} of ${view.value?.count.value ?? 0}` : "No image"}>
              <div class="canvas" ref={place} />
              {failed ? <p class="note" role="alert"><span class="soon" aria-hidden="true">▲</span> No image: {failed}</p> : view.value && <><Corners view={view.value} about={series} /><Measured of={marks.current} view={view.value} /></>}
            </div>
          </div>
          <nav class="thumbnails" aria-label="Series" data-region tabIndex={-1}>
            {shared.studies.length > 1 && shared.studies.map((one, i) => <button type="button" key={one.uid} aria-pressed={i === which} onClick={() => toStudy(i)}><span><strong>{one.description || `Study ${i + 1}`}</strong><small>{day(one.date)} · {count(one.series.length, "series", "series")}</small></span></button>)}
            {told.held_back > 0 && <p class="muted">{count(told.held_back, "image")} of this study {told.held_back === 1 ? "is" : "are"} not shown: not surely without the person.</p>}
            {study.series.map((one, i) => <button type="button" key={one.uid} aria-pressed={i === number_} onClick={() => setNumber(i)}><span>{one.description.startsWith(one.modality) ? "" : one.modality} {one.description || "without a description"}<small>{count(one.instances.reduce((sum, image) => sum + image.frames, 0), "image")}</small></span></button>)}
            {!study.series.length && <p class="muted">This study has no images that are shared.</p>}
          </nav>
        </div>
      </main>
    </>
  );
}

/** Take the files, all in one ZIP. */
function Take({ door, button }: { door: Door; button: Ref<HTMLButtonElement> }) {
  const [said, setSaid] = useState("");
  const take = () => {
    setSaid("coming");
    door.files().then(
      (blob) => {
        keep(blob, "shared.zip");
        setSaid("taken");
      },
      (error: unknown) => setSaid(asTrouble(error).message),
    );
  };
  return <button ref={button} type="button" onClick={take}>Download <Key of={keyOf("shared", "download")} />{said && <span class="muted" role="status"> {said}</span>}</button>;
}

function Corners({ view, about }: { view: StackView; about: SharedStudy["series"][number] | undefined }) {
  const [state, series, range, sides] = [view.state.value, view.series.value, view.range.value, sidesOn(view)];
  if (state.at === "failed") return <p class="note" role="alert"><span class="soon" aria-hidden="true">▲</span> No image: {state.words}</p>;
  if (!series || state.at !== "there") return <p class="note" role="status">Loading {state.at === "loading" ? state.words : "the series"}</p>;
  return (
    <>
      <span class="corner tl">{series.modality} {about?.description}</span>
      <span class="corner tr">{view.index.value + 1}/{view.count.value}</span>
      <span class="corner bl">{range && `C ${number((range.lower + range.upper) / 2)}  W ${number(range.upper - range.lower)} ${series.colour ? "" : unit(series.unit)}`}</span>
      {sides && (["left", "right", "top", "bottom"] as const).map((edge) => <span key={edge} class={`side ${edge}`}>{sides[edge]}</span>)}
      <SliceBar view={view} seen={NOTHING} />
    </>
  );
}
