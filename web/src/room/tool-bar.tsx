import { keyOf } from "../keys/keyboard";
import { Group, Menu } from "../kit/group";
import { Key } from "../kit/marks";
import { BrushOptions } from "../marks/panel";
import { gradient } from "../viewer/maps";
import { buttons, type Drag } from "../viewer/mouse";
import { presetsOf } from "../viewer/presets";
import type { Blend } from "../viewer/plane";
import type { Range } from "../viewer/viewport";
import { unit } from "../words";
import type { Desk } from "./desk";
import { Hanging } from "./hanging";

const blends: Record<Blend, string> = { mip: "MIP (largest)", mean: "Mean", minip: "MinIP (smallest)" };
/** Residual of a registration (mm) from which on it is no basis for a comparison. */
const MOST_MM = 5;
const key = (act: string) => <Key of={keyOf("room", act)} />;

/** Tools with their keys. What cannot work here says why. */
export function ToolBar({ desk }: { desk: Desk }) {
  const { lightbox } = desk;
  const active = lightbox.active.value;
  const series = active?.series.value;
  const presets = presetsOf(series?.modality ?? "", series?.unit);
  const many = active?.kind === "stack" && (series?.pictures.length ?? 0) > 1;
  // The button stays where another viewport can run: a row that breaks anew at a press moves the images under the hand.
  const runs = lightbox.viewports.value.some((one) => (one.series.value?.pictures.length ?? 0) > 1);
  const flat = series?.noVolume ?? "";
  const planes = lightbox.cutting.value;
  const solid = lightbox.cells.value.some((one) => one.kind === "volume");
  const taken = lightbox.hand.value === lightbox.cross ? "Crosshair" : lightbox.laidOver.value ? "Fuse" : planes && lightbox.slab.value ? "Slab" : planes ? "Planes" : solid ? "3D" : "";
  return (
    <div class="tools" role="toolbar" aria-label="Image tools" data-region tabIndex={-1}>
      {(["window", "zoom", "pan"] as const).map((tool) => (
        <button type="button" key={tool} aria-pressed={!lightbox.hand.value && lightbox.tool.value === tool} onClick={() => desk.takeTool(tool)}>{{ window: "Window", zoom: "Zoom", pan: "Pan" }[tool]} {key(`tool-${tool}`)}</button>
      ))}
      {presets.length > 1 && (
        <Menu name="Presets" mark={<kbd aria-hidden="true">1–{presets.length}</kbd>}>{presets.map((preset, i) => <button type="button" class="quiet" key={preset.name} onClick={() => lightbox.window(preset)}>{preset.name} {key(`window-${i + 1}`)}</button>)}</Menu>
      )}
      <Menu name="Turn">
        <button type="button" class="quiet" onClick={() => active?.turn("invert")}>Invert {key("invert")}</button>
        <button type="button" class="quiet" onClick={() => active?.turn("flip-horizontal")}>Flip left and right {key("flip-horizontal")}</button>
        <button type="button" class="quiet" onClick={() => active?.turn("flip-vertical")}>Flip top and bottom {key("flip-vertical")}</button>
        <button type="button" class="quiet" onClick={() => active?.turn("rotate")}>Rotate {key("rotate")}</button>
        <button type="button" class="quiet" onClick={() => active?.reset()}>Reset {key("reset")}</button>
      </Menu>
      <span class="rule" />
      {runs && <button type="button" class="quiet" aria-pressed={lightbox.cine.playing.value} aria-disabled={!many} title={!many ? "No cine: choose a stack of images" : series?.durations_ms ? "In the true time of the images" : "The images state no time: ten a second"} onClick={() => many && lightbox.cine.play(lightbox.viewports.value, active)}>{lightbox.cine.playing.value ? "Stop" : "Cine"} {key("cine")}</button>}
      <Group name="Views" from={1800} taken={taken}>
        <button type="button" class="quiet" aria-pressed={planes} aria-disabled={!!flat} title={flat ? `No planes: ${flat}` : undefined} onClick={() => (flat ? undefined : lightbox.togglePlanes())}>Planes {key("planes")}</button>
        <button type="button" class="quiet" aria-pressed={lightbox.hand.value === lightbox.cross} aria-disabled={!!flat} title={flat ? `No planes: ${flat}` : "A press moves the point; a press on a line turns its plane"} onClick={() => !flat && lightbox.toggleCross()}>Crosshair {key("cross")}</button>
        <button type="button" class="quiet" aria-pressed={!!lightbox.slab.value} aria-disabled={!!flat} title={flat ? `No slab: ${flat}` : undefined} onClick={() => !flat && lightbox.nextSlab()}>Slab {key("slab")}</button>
        {desk.overlays.value.length > 0 && <button type="button" class="quiet" aria-pressed={!!lightbox.laidOver.value} title="Lay another series over the planes, of this study or of an earlier one" onClick={() => desk.fuse()}>Fuse {key("fuse")}</button>}
        <button type="button" class="quiet" aria-pressed={solid} aria-disabled={!!flat} title={flat ? `No 3D: ${flat}` : undefined} onClick={() => !flat && lightbox.toggleBody()}>3D {key("body")}</button>
        <button type="button" class="quiet" onClick={() => desk.nextLayout()}>Layout {key("layout")}</button>
      </Group>
      {desk.maps.all.value.length > 0 && <button type="button" class="quiet" aria-pressed={!!desk.maps.listed.value} onClick={() => desk.maps.next()}>Map {key("map")}</button>}
    </div>
  );
}

/** What goes with the tool in hand and with the planes. Its row is always there, so that no image moves under the hand when a tool is taken. */
export function HandBar({ desk }: { desk: Desk }) {
  const { lightbox, marks } = desk;
  const { registration } = desk;
  const idle = !registration.lacking.value && !registration.proposal.value && !registration.busy.value && !registration.trouble.value && !marks.painting.how.value && !lightbox.laidOver.value && !(lightbox.slab.value && lightbox.cutting.value);
  return (
    <div class="tools hand" role="group" aria-label="Of the tool in hand">
      <Registering desk={desk} />
      <BrushOptions desk={desk} />
      <Slab desk={desk} />
      <Fusion desk={desk} />
      {idle && <span class="muted">{inHand(desk)}</span>}
    </div>
  );
}

/** What the mouse does now, in words. */
function inHand({ lightbox, marks }: Desk): string {
  const kind = marks.measuring.kind.value;
  if (kind) return `Left: ${kind} by drag or by clicks · arrows move the cross, Enter sets a point · Esc puts it back`;
  if (lightbox.hand.value === lightbox.cross) return "Left: press moves the point, press on a line turns its plane · Esc puts it back";
  const { middle, right, wheel } = buttons.value;
  return `Left: ${DRAGS[lightbox.tool.value]} · middle: ${DRAGS[middle]} · right: ${DRAGS[right]} · wheel: ${wheel} · Ctrl and wheel: ${wheel === "zoom" ? "scroll" : "zoom"}`;
}

const DRAGS: Record<Drag, string> = { window: "window", zoom: "zoom", pan: "move the image", scroll: "scroll" };

function Slab({ desk }: { desk: Desk }) {
  const { lightbox } = desk;
  const slab = lightbox.slab.value;
  if (!slab || !lightbox.cutting.value) return null;
  return (
    <span class="with">
      <select aria-label="What a slab shows" value={slab.blend} onChange={(event) => (lightbox.slab.value = { ...slab, blend: event.currentTarget.value as Blend })}>
        {(Object.keys(blends) as Blend[]).map((blend) => <option key={blend} value={blend}>{blends[blend]}</option>)}
      </select>
      <label>Slab <input type="number" aria-label="Slab thickness in mm" min={1} max={500} step={1} value={slab.thickness_mm} onChange={(event) => lightbox.setThickness(Math.min(500, Math.max(1, Number(event.currentTarget.value) || 1)))} /> mm</label>
    </span>
  );
}

/** What lies over the planes, by what it lies there, and how it is coloured. */
function Fusion({ desk }: { desk: Desk }) {
  const { lightbox, overlays } = desk;
  const [over, fused, colours] = [lightbox.laidOver.value, desk.fused.value, lightbox.tint.range.value];
  if (!over) return null;
  return (
    <span class="with">
      {overlays.value.length > 1 && (
        <label>Over <select aria-label="What lies over the planes" value={over} onChange={(event) => desk.layOver(overlays.value.find((one) => one.series.uid === event.currentTarget.value))}>
          {overlays.value.map(({ series, prior, how }) => <option key={series.uid} value={series.uid}>{prior && `PRIOR ${Hanging.said(prior)} · `}{series.description.startsWith(series.modality) ? "" : `${series.modality} `}{series.description || `#${series.number ?? "?"}`} · {how}</option>)}
        </select></label>
      )}
      {fused && colours && <Colours key={fused.volume.series.uid} desk={desk} colours={colours} words={unit(fused.volume.series.unit)} />}
    </span>
  );
}

function Colours({ desk: { lightbox }, colours, words }: { desk: Desk; colours: Range; words: string }) {
  const step = 10 ** Math.floor(Math.log10((colours.upper - colours.lower) / 20 || 1));
  const set = (change: Partial<Range>) => {
    const next = { ...colours, ...change };
    if (next.upper > next.lower) lightbox.tint.range.value = next;
  };
  const end = (name: keyof Range, label: string) => <input type="number" aria-label={label} step={step} value={colours[name]} onChange={(event) => event.currentTarget.value !== "" && set({ [name]: Number(event.currentTarget.value) })} />;
  return (
    <>
      <span class="colour-bar" role="group" aria-label={`Colours from ${colours.lower} to ${colours.upper} ${words}`}>{end("lower", "The darkest colour")} <i style={{ background: gradient }} /> {end("upper", "The brightest colour")} {words}</span>
      <label>Opacity {key("opacity-1")}{key("opacity+1")} <input type="range" min={0} max={1} step={0.05} value={lightbox.tint.opacity.value} onInput={(event) => (lightbox.tint.opacity.value = Number(event.currentTarget.value))} /></label>
      <label>From <input type="number" aria-label="Nothing is drawn below" step={step} value={lightbox.tint.threshold.value} onChange={(event) => (lightbox.tint.threshold.value = Number(event.currentTarget.value) || 0)} /></label>
    </>
  );
}

/** Two series of two frames of reference: register them, see how well it fits, and keep it or not. */
function Registering({ desk: { registration, session } }: { desk: Desk }) {
  const [pair, proposal, busy, part, trouble] = [registration.pair.value, registration.proposal.value, registration.busy.value, registration.part.value, registration.trouble.value];
  const words = trouble && <span class="soon">▲ {trouble}</span>;
  if (proposal) {
    return (
      <span class="with" role="status">
        <span><span class="soon" aria-hidden="true">▲</span> Proposed: residual {proposal.residual_mm.toFixed(2)} mm, overlap {Math.round(100 * proposal.overlap)} %{proposal.residual_mm > MOST_MM && <span class="soon"> · too large to compare by</span>}</span>
        <button type="button" id="accept-registration" class="primary" disabled={busy} title="Keep it with the study, for everybody" onClick={() => void registration.accept()}>Accept {key("register")}</button>
        <button type="button" disabled={busy} onClick={() => registration.discard()}>Discard {key("leave")}</button>
        {words}
      </span>
    );
  }
  if (part !== null) {
    return (
      <span class="with" role="status">
        <progress aria-label="Registering" max={1} value={part} /> Registering, {Math.round(100 * part)} % of the longest way
        <button type="button" onClick={() => registration.stop()}>Stop {key("leave")}</button>
      </span>
    );
  }
  if (!pair || (!registration.lacking.value && !trouble)) return words ? <span class="with" role="status">{words}</span> : null;
  return (
    <span class="with" role="status">
      {!trouble && `${pair.moving.modality} and ${pair.fixed.modality} share no frame of reference`}
      <button type="button" disabled={busy || !session.mine.value} title={session.mine.value ? "Rigid, by mutual information; some seconds" : "read-only: this study is not open with you"} onClick={() => void registration.propose()}>Register {key("register")}</button>
      {words}
    </span>
  );
}

/** By which protocol this study hangs, how much of it was met, and which stage is up. */
export function Hung({ desk }: { desk: Desk }) {
  const { hanging } = desk;
  const { short, long } = hanging.words.value;
  const stages = hanging.stages.value;
  if (!short) return null;
  return (
    <details class="menu end">
      <summary title={long}>{short}</summary>
      <div>
        <ul>{hanging.hang.value!.rules.map((rule) => <li key={rule.words}><span class={rule.met ? "fine" : "soon"}>{rule.met ? "✓" : "✗"}</span> {rule.words}</li>)}</ul>
        <p class="muted">Stages {key("stage-1")} {key("stage+1")}</p>
        {stages.map((stage, i) => <button type="button" class="quiet" key={stage.name} aria-pressed={i === hanging.stage.value} onClick={() => ((hanging.stage.value = i), hanging.show())}>{stage.name}</button>)}
        <button type="button" disabled={hanging.kept} onClick={() => hanging.keep()}>{hanging.kept ? "Kept as mine" : "Keep this stage as mine"}</button>
      </div>
    </details>
  );
}
