import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import "../style/room.css";
import "../style/opinion.css";
import "../style/report.css";
import { ask, type Trouble } from "../api/door";
import { type Worklist, signedAt } from "../api/shapes";
import { type Acts, bind, keyOf } from "../keys/keyboard";
import { Key } from "../kit/marks";
import { Failed, Loading, Stale } from "../kit/states";
import { MapPanel } from "../maps/panel";
import { FlowPanel } from "../marks/flow-panel";
import { MarkTools, Sets } from "../marks/panel";
import { expandHere } from "../report/blocks";
import { go, to } from "../router";
import { moment } from "../words";
import { rowToTake } from "../worklist/rows";
import { TILT } from "../viewer/cross";
import { Desk } from "./desk";
import { Emergency, GlassBar } from "./emergency";
import { Findings } from "./findings";
import { FirstOpinion } from "./first-opinion";
import { PatientBar, useOnlyStudy } from "./patient-bar";
import { ReportPanel, toCaret } from "./report-panel";
import { Session, waits } from "./session";
import { ConflictDialog, SignDialog } from "./sign";
import { PanelEdge } from "./panel-edge";
import { Similar } from "./similar";
import { Stage } from "./stage";
import { Threads } from "./threads";
import { Thumbnails } from "./thumbnails";
import { HandBar, ToolBar } from "./tool-bar";
import { Untold } from "./untold";
import { Ways } from "./ways";
import { warmPlanes } from "../viewer/warm";
import { whenStill } from "../kit/still";

const otherStudy = signal<string | null>(null); // one window shows one study, so one signal is enough

export { warm, warmPlanes } from "../viewer/warm";

/** So long nobody has done anything until planes are made ready, which takes the page a moment. */
const STILL_MS = 1500;

/** Read, decide and sign, with the eye on the image. */
export function RoomPage({ study: uid }: { study: string }) {
  const [desk] = useState(() => new Desk(new Session(uid)));
  const { session } = desk;
  useEffect(() => {
    void session.begin(() => desk.lightbox.soon());
    desk.speak(() => undefined);
    return () => (session.end(), desk.end());
  }, []);
  useEffect(() => whenStill(STILL_MS, () => desk.lightbox.viewports.peek().some((one) => one.series.peek()?.noVolume === "") && void warmPlanes()), []);
  useOnlyStudy(uid, (other) => (otherStudy.value = other));
  useRoomKeys(desk);
  const state = session.study.state.value;
  if (state.at === "loading") return <main><Loading what="the study" /></main>;
  if (state.at === "failed") return <main><h1 class="hidden">A study that is not shown</h1><Failed trouble={state.trouble} again={() => void session.begin()} />{state.trouble.status === 404 && <Emergency study={uid} again={() => void session.begin()} />}<p class="state"><a href={to.worklist}>Back to the worklist</a></p></main>;
  const trouble = session.acts.trouble.value;
  const frozen = otherStudy.value !== null;
  const away = desk.apart.away.value;
  const maps = desk.maps.all.value.length > 0;
  const flowing = desk.marks.crossing.planes.value.length > 0 || desk.marks.crossing.stands.value;
  return (
    <>
      <PatientBar session={session} study={state.value} frozen={frozen} leave={() => void desk.leave()} sign={() => desk.askToSign()} />
      <GlassBar session={session} />
      {state.stale && <Stale time={state.time} again={() => void session.study.load()} />}
      {trouble && <Refused trouble={trouble} close={() => (session.acts.trouble.value = null)} />}
      {desk.arrangement.ignored.value.length > 0 && <Unheeded desk={desk} />}
      <main class={away ? "room alone" : "room"} inert={frozen}>
        <div class="images">
          <div>{away && <p class="callout slim" role="status">The panel is in another window. <button type="button" onClick={() => desk.movePanel()}>Bring it back {<Key of={keyOf("room", "panel")} />}</button></p>}<div class="benches"><ToolBar desk={desk} /><MarkTools desk={desk} /></div><HandBar desk={desk} /></div>
          <Stage desk={desk} />
          <Thumbnails desk={desk} />
        </div>
        {!away && <PanelEdge />}
        {!away && (
          <aside class="panel" aria-label="Findings and report" data-region tabIndex={-1}>
            <Read desk={desk}><MapPanel desk={desk} /><FlowPanel desk={desk} /><Similar desk={desk} /><Sets desk={desk} /></Read>
          </aside>
        )}
        {away && (maps || flowing) && <aside class="panel" aria-label="Maps and drawing" data-region tabIndex={-1}><MapPanel desk={desk} /><FlowPanel desk={desk} /><Sets desk={desk} /></aside>}
      </main>
      {frozen && <Frozen />}
      <SignDialog desk={desk} away={frozen} />
      <ConflictDialog desk={desk} away={frozen} />
    </>
  );
}

/** What there is to read, to decide and to write; between the findings and the report what belongs to the images beside them. */
function Read({ desk, children }: { desk: Desk; children?: ComponentChildren }) {
  const { session } = desk;
  return (
    <>
      <Unread session={session} />
      <NotHere session={session} />
      <Threads desk={desk} />
      {session.unaided.value ? <FirstOpinion desk={desk} /> : <Findings desk={desk} />}
      {children}
      <ReportPanel desk={desk} />
      <Signed desk={desk} />
      <Untold session={session} />
      <p class="panel-foot">
        {desk.images && <><button type="button" class="quiet" onClick={() => go(desk.toAsk())}>Ask a colleague <Key of={keyOf("room", "ask")} /></button> <button type="button" class="quiet" onClick={() => go(to.headset(session.uid))}>Surfaces <Key of={keyOf("room", "surfaces")} /></button> </>}
        <button type="button" class="quiet" onClick={() => desk.movePanel()}>{desk.images ? "In a window of its own" : "Back beside the images"} <Key of={keyOf("room", "panel")} /></button>
      </p>
    </>
  );
}

/** The panel alone, for a second screen. It speaks of the study whose images are in the other window, and of nothing without them. */
export function PanelPage({ study: uid }: { study: string }) {
  const [desk] = useState(() => new Desk(new Session(uid), false));
  const { session } = desk;
  useEffect(() => {
    void session.begin();
    desk.speak((study) => go(to.study(study, "panel"), { replace: true }));
    return () => (session.end(), desk.end());
  }, []);
  useOnlyStudy(uid, (other) => (otherStudy.value = other));
  useRoomKeys(desk);
  const state = session.study.state.value;
  if (state.at === "loading") return <main><Loading what="the study" /></main>;
  if (state.at === "failed") return <main><h1 class="hidden">A study that is not shown</h1><Failed trouble={state.trouble} again={() => void session.begin()} /></main>;
  const trouble = session.acts.trouble.value;
  const frozen = otherStudy.value !== null;
  const still = frozen || !desk.apart.images.value;
  return (
    <>
      <PatientBar session={session} study={state.value} frozen={still} leave={() => window.close()} sign={() => desk.askToSign()} alone />
      <GlassBar session={session} />
      {trouble && <Refused trouble={trouble} close={() => (session.acts.trouble.value = null)} />}
      {!frozen && still && <p class="callout slim" role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> The images of this study are not on screen in another window: open it there, and this panel goes on.</p>}
      <main class="panel whole-window" aria-label="Findings and report" data-region tabIndex={-1} inert={still}><Read desk={desk} /></main>
      {frozen && <Frozen />}
      <SignDialog desk={desk} away={still} />
      <ConflictDialog desk={desk} away={still} />
    </>
  );
}

function Frozen() {
  return (
    <div class="frozen" role="alert">
      <h2><span class="soon" aria-hidden="true">▲</span> Another study is open in another window</h2>
      <p>Two studies at once is how a report gets to the wrong patient. Close one of the windows; this one goes on by itself.</p>
    </div>
  );
}

/** An act that was refused, where it moves no image. */
function Refused({ trouble, close }: { trouble: Trouble; close: () => void }) {
  return <p class="callout over" role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> <span>{trouble.told}</span><span class="gap" /><button type="button" onClick={close}>Close</button></p>;
}

/** What the address asked for and cannot be had here. */
function Unheeded({ desk: { arrangement } }: { desk: Desk }) {
  return <p class="callout over" role="status"><span class="soon" aria-hidden="true">▲</span> <span>Of this address not heeded: {arrangement.ignored.value.join("; ")}.</span><span class="gap" /><button type="button" onClick={() => (arrangement.ignored.value = [])}>Close</button></p>;
}

/** What was found did not come: an empty panel would say that nothing was. */
function Unread({ session }: { session: Session }) {
  const state = session.results.state.value;
  return state.at === "failed" ? <Failed trouble={state.trouble} again={() => void session.results.load()} stands="What was found on this study is not on this page: that is not to say that nothing was." /> : null;
}

/** All else that did not come, in one place: no earlier study, nothing that was not looked for and no outline are findings of their own. */
function NotHere({ session }: { session: Session }) {
  const asked = [["what was not looked for", session.plan], ["the report", session.report], ["how your opinion compares", session.comparison]] as const;
  const failed = asked.flatMap(([what, source]) => {
    const state = source.state.value;
    return state.at === "failed" && state.trouble.status !== 403 ? [{ what, why: state.trouble.message, again: () => void source.load() }] : [];
  });
  const parts = [...failed, ...session.absent.parts.value.values()];
  if (!parts.length) return null;
  return (
    <div class="callout" role="alert">
      <span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span>
      <span><strong>Not on this page, because it could not be read: {[...new Set(parts.map((one) => one.what))].join("; ")}.</strong> That is not to say that there is nothing. <span class="muted">{[...new Set(parts.map((one) => one.why))].join("; ")}.</span></span>
      <button type="button" onClick={() => parts.forEach((one) => one.again())}>Try again</button>
    </div>
  );
}

function Signed({ desk }: { desk: Desk }) {
  const { session } = desk;
  const signed = session.report.value?.signed;
  if (session.reading.value?.state !== "signed" || !signed) return null;
  return (
    <section class="signed" aria-label="Signed" role="status">
      <h2 class="fine"><span aria-hidden="true">✓</span> Signed by {signed.by}</h2>
      <p class="muted">{moment(signedAt(signed))} UTC · digest <span class="id">{signed.digest.slice(0, 12)}…</span></p>
      <p class="muted" role="status">Goes to: <Ways study={session.uid} signed={signed.digest} /></p>
      <div class="acts">
        <button type="button" class="primary" onClick={() => onward(desk)}>Next study <kbd aria-hidden="true">N</kbd></button>
        <a class="button" href={`/api/readings/${session.uid}/report.pdf`} target="_blank" rel="noopener">PDF</a>
        <a class="button" href={to.report(session.uid)}>As it prints</a>
      </div>
    </section>
  );
}

/** From a signed study to the next: the window of the images goes there, and a panel of its own goes along. */
function onward(desk: Desk): void {
  if (desk.images) void nextStudy();
  else desk.apart.tell({ kind: "act", act: "next", released: false });
}

/** The study to read next; where the list cannot be asked for, its page says so. */
async function nextStudy(): Promise<void> {
  const list = await ask<Worklist>("/api/worklist?limit=50&q=is:waiting").catch(() => ({ rows: [] }));
  const row = rowToTake(list.rows);
  go(row ? to.study(row.study) : to.worklist);
}

function useRoomKeys(desk: Desk): void {
  const bound = useRef(desk);
  useEffect(() => {
    const { session, lightbox, marks } = bound.current;
    const active = () => lightbox.active.value;
    // With no finding in hand, a key takes the first that waits for a word: what it would do is seen on its card before it is done.
    const on = (act: (one: NonNullable<ReturnType<Desk["current"]>>) => void) => () => {
      const one = desk.current();
      if (one) return act(one);
      const waiting = session.left.value[0];
      if (waiting) desk.choose(waiting.first);
    };
    const decide = (act: Parameters<typeof on>[0]) => on((one) => session.mine.value && one.finding.verdict !== "struck" && act(one));
    return bind(
      "room",
      bound.current.apart.keys(whileAlone({
        "slice+1": () => marks.nudge(0, 1) || active()?.step(1),
        "slice-1": () => marks.nudge(0, -1) || active()?.step(-1),
        "slice+10": () => active()?.step(10),
        "slice-10": () => active()?.step(-10),
        first: () => void active()?.at(0),
        last: () => void active()?.at(Math.max(0, active()!.count.value - 1)),
        "series+1": () => marks.nudge(1, 0) || desk.nextSeries(1),
        "series-1": () => marks.nudge(-1, 0) || desk.nextSeries(-1),
        ...Object.fromEntries([1, 2, 3, 4, 5, 6, 7, 8, 9].map((n) => [`window-${n}`, () => desk.preset(n)])),
        "tool-window": () => desk.takeTool("window"),
        "tool-zoom": () => desk.takeTool("zoom"),
        "tool-pan": () => desk.takeTool("pan"),
        invert: () => active()?.turn("invert"),
        "flip-horizontal": () => active()?.turn("flip-horizontal"),
        "flip-vertical": () => active()?.turn("flip-vertical"),
        rotate: () => active()?.turn("rotate"),
        reset: () => active()?.reset(),
        cine: () => lightbox.cine.play(lightbox.viewports.value, active()),
        layout: () => desk.nextLayout(),
        planes: () => lightbox.togglePlanes(),
        cross: () => lightbox.toggleCross(),
        "tilt-left": () => marks.nudge(-10, 0) || lightbox.cross.tilt(active(), -TILT),
        "tilt-right": () => marks.nudge(10, 0) || lightbox.cross.tilt(active(), TILT),
        slab: () => lightbox.nextSlab(),
        fuse: () => desk.fuse(),
        "opacity+1": () => desk.stepOpacity(1),
        "opacity-1": () => desk.stepOpacity(-1),
        body: () => lightbox.toggleBody(),
        pin: () => lightbox.pin(),
        register: () => bound.current.register(),
        "stage+1": () => desk.hanging.step(1),
        "stage-1": () => desk.hanging.step(-1),
        "viewport+1": () => lightbox.choose((lightbox.activeNumber.value + 1) % Math.max(1, lightbox.viewports.value.length)),
        peek: () => (desk.peeking.value = true),
        hide: () => (desk.hidden.value = true),
        ...Object.fromEntries((["length", "bidirectional", "angle", "ellipse", "probe", "freehand", "flow"] as const).map((kind) => [kind, () => marks.take(kind)])),
        ...Object.fromEntries((["brush", "threshold", "click", "box"] as const).map((how) => [`seg-${how}`, () => marks.paint(how)])),
        "seg-turn": () => (marks.painting.add.value = !marks.painting.add.value),
        "cross-down": () => marks.nudge(0, 10),
        "cross-up": () => marks.nudge(0, -10),
        pick: () => desk.pick(),
        map: () => desk.maps.next(),
        "finding+1": () => desk.step(1),
        "finding-1": () => desk.step(-1),
        jump: () => marks.enter() || on((one) => desk.jump(one))(),
        keep: decide((one) => waits(session.cardOf(one)) && desk.keep(one)),
        change: decide((one) => desk.edit(one, "changed")),
        strike: decide((one) => desk.edit(one, "struck")),
        nothing: () => desk.nothing(),
        lock: () => desk.lock(),
        panel: () => desk.movePanel(),
        "lesion-1": () => void desk.lesionSteps.step(-1, desk.active.value),
        "lesion+1": () => void desk.lesionSteps.step(1, desk.active.value),
        undo: () => session.mine.value && session.undo(),
        add: () => session.mine.value && (desk.adding.value = true),
        report: () => toCaret(),
        blocks: () => expandHere(session.report.value?.template),
        sign: () => desk.askToSign(),
        why: () => go(to.why(session.uid)),
        ask: () => go(desk.toAsk()),
        surfaces: () => go(to.headset(session.uid)),
        "take-over": () => session.heldByOther.value && session.open(),
        amend: () => session.amendable.value && session.open(),
        next: () => {
          if (!session.mine.value) onward(bound.current);
          else desk.askToSign(); // an open study is signed or left first, never lost by one key
        },
        leave: () => outOfText() || marks.giveUp() || desk.registration.giveUp() || (desk.adding.value || desk.editing.value ? (desk.stopAdding(), (desk.editing.value = null)) : desk.images ? void desk.leave() : window.close()),
      })),
      bound.current.apart.letGo({ hide: () => (desk.hidden.value = false), peek: () => (desk.peeking.value = false) }),
    );
  }, []);
}

/** With another study in another window no key does anything here but leave: what is typed may be meant for the other patient. */
function whileAlone(acts: Acts): Acts {
  return Object.fromEntries(Object.entries(acts).map(([name, act]) => [name, name === "leave" ? act : (event) => otherStudy.peek() === null && act(event)]));
}

/** Whoever writes puts the pen down first, and leaves the study by another press. */
function outOfText(): boolean {
  const at = document.activeElement;
  if (!(at instanceof HTMLTextAreaElement)) return false;
  at.blur();
  return true;
}
