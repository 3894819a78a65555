import { keyOf } from "../keys/keyboard";
import { Key } from "../kit/marks";
import type { Desk } from "../room/desk";
import { to } from "../router";
import { gradient } from "../viewer/maps";
import { number, quantity, spoken, unit } from "../words";
import { CurveFigure } from "./curve";
import type { Grid, Limits } from "./halves";
import { keyOfMap, type Listed, titleOfMap } from "./maps";

/** Steps of a slider from one end of the colours to the other. */
const STEPS = 240;

/** The map over the images: its unit and colours, limits with the volume between them, the value under the cursor, the curves behind it. */
export function MapPanel({ desk }: { desk: Desk }) {
  const { maps } = desk;
  const [all, listed, state, withheld] = [maps.all.value, maps.listed.value, maps.state.value, maps.withheld.value];
  if (!all.length && !withheld.length) return null;
  const several = new Set(all.map((one) => one.analysis)).size > 1;
  return (
    <section class="map-panel" aria-label="Map" data-state={state.at}>
      <h2>Map {<Key of={keyOf("room", "map")} />}</h2>
      {withheld.map((one) => <Withheld key={keyOfMap(one)} of={one} />)}
      {all.length > 0 && <label class="small">Over the images <select value={maps.chosen.value} onChange={(event) => maps.choose(event.currentTarget.value)}>
        <option value="">none</option>
        {all.map((one) => <option key={keyOfMap(one)} value={keyOfMap(one)}>{titleOfMap(one)}{unit(one.unit) && ` (${unit(one.unit)})`}{several && ` · ${spoken(one.analysis)}`}</option>)}
      </select></label>}
      {state.at === "loading" && <p class="muted" role="status">Loading the map</p>}
      {state.at === "failed" && <p role="alert"><span class="soon" aria-hidden="true">▲</span> No map: {state.words}</p>}
      {listed && state.at === "there" && (
        <>
          <p class="muted">◇ {spoken(listed.analysis)}: {state.grid.told.kind === "sensitivity" ? "where the model was sensitive, not where disease is" : state.grid.told.quantity}</p>
          <Shown desk={desk} grid={state.grid} />
        </>
      )}
      {listed?.curves.map((curve) => <CurveFigure key={curve.name} curve={curve} />)}
    </section>
  );
}

/** A map that exists and is not shown: why, where its tests stand, and what may be looked at in its place. */
function Withheld({ of: one }: { of: Listed }) {
  return (
    <div data-withheld={one.name}>
      <p><span class="soon" aria-hidden="true">▲</span> {spoken(one.name)} of {spoken(one.analysis)} is not shown: {one.withheld}.</p>
      <p class="muted">Such a map looks convincing also where it is wrong, so one that failed a test stays away from the image. The tests and their numbers stand in the <a href={to.analyses(one.analysis)}>evidence of its model</a>. Below are signed cases that look like this one.</p>
    </div>
  );
}

function Shown({ desk, grid }: { desk: Desk; grid: Grid }) {
  const { maps } = desk;
  const [dark, bright] = maps.ends.value;
  const words = unit(grid.told.unit);
  const measured = grid.told.kind !== "sensitivity" && grid.told.reference === "patient";
  return (
    <>
      <p class="colour-bar" role="img" aria-label={`Colours from ${number(dark)} to ${number(bright)} ${words}`}>{number(dark)} <i style={{ background: gradient }} /> {number(bright)} {words}</p>
      <p data-cursor><Cursor desk={desk} grid={grid} /></p>
      <div class="limits-of-map">
        {([0, 1] as const).map((end) => <Limit key={end} end={end} maps={maps} words={words} />)}
        <label><span>Opacity <Key of={keyOf("room", "opacity-1")} /> <Key of={keyOf("room", "opacity+1")} /></span> <input type="range" aria-label="Opacity of the map" min={0} max={1} step={0.05} value={maps.opacity.value} onInput={(event) => (maps.opacity.value = event.currentTarget.valueAsNumber)} /></label>
      </div>
      {measured && (
        <dl class="numbers" aria-live="polite">
          <div><dt>{told(maps.limits.value, words)}</dt><dd data-volume={grid.volume_ml(maps.limits.value)}>{quantity(grid.volume_ml(maps.limits.value), "mL")}</dd></div>
          {(maps.limits.value[0] !== null || maps.limits.value[1] !== null) && <div><dt>with a value</dt><dd>{quantity(grid.volume_ml([null, null]), "mL")}</dd></div>}
        </dl>
      )}
      {measured && grid.told.thresholds.map((rule) => <Rule key={rule.name} name={rule.name} limits={[rule.low, rule.high]} maps={maps} grid={grid} words={words} />)}
    </>
  );
}

/** A threshold by which the analysis judged: its name, the volume by it alone, and a press that sets the limits to it. */
function Rule({ name, limits, maps, grid, words }: { name: string; limits: Limits; maps: Desk["maps"]; grid: Grid; words: string }) {
  const now = maps.limits.value;
  const set = now[0] === limits[0] && now[1] === limits[1];
  return (
    <p class="rule-of-map">
      <button type="button" class="quiet" aria-pressed={set} onClick={() => (maps.limits.value = set ? [null, null] : limits)}>{name}</button>
      <span class="num" title="Voxels of the map by this threshold alone; the findings leave out small and unconnected parts">{told(limits, words)}: {quantity(grid.volume_ml(limits), "mL")}</span>
    </p>
  );
}

function told([low, high]: Limits, words: string): string {
  const behind = words && ` ${words}`;
  if (low !== null && high !== null) return `${number(low)} to ${number(high)}${behind}`;
  if (low !== null) return `at least ${number(low)}${behind}`;
  return high !== null ? `at most ${number(high)}${behind}` : "all values";
}

/** One limit, as a slider along the colours and as a number; at its outer end there is none. */
function Limit({ end, maps, words }: { end: 0 | 1; maps: Desk["maps"]; words: string }) {
  const ends = maps.ends.value;
  const value = maps.limits.value[end];
  const name = end ? "Upper limit" : "Lower limit";
  const step = Number(((ends[1] - ends[0]) / STEPS).toPrecision(6));
  const shown = value ?? ends[end];
  const slide = (to: number) => maps.limit(end, Math.abs(to - ends[end]) < step / 2 ? null : to);
  return (
    <label>{end ? "Up to" : "From"}
      <input type="range" aria-label={`${name}, slider`} aria-valuetext={value === null ? "no limit" : `${number(value)} ${words}`} min={ends[0]} max={ends[1]} step={step} value={Math.min(ends[1], Math.max(ends[0], shown))} onInput={(event) => slide(event.currentTarget.valueAsNumber)} />
      <input type="number" aria-label={name} step="any" placeholder="none" value={value === null ? "" : Number(value.toPrecision(6))} onChange={(event) => maps.limit(end, Number.isFinite(event.currentTarget.valueAsNumber) ? event.currentTarget.valueAsNumber : null)} />
    </label>
  );
}

/** The voxel under the cursor, else at the point that the planes share, and what lies around it in its slice. */
function Cursor({ desk: { maps, lightbox }, grid }: { desk: Desk; grid: Grid }) {
  const [cursor, point] = [maps.cursor.value, lightbox.layout.value === "planes" ? lightbox.point.value : null];
  const index = cursor?.index ?? (point && maps.indexOf(point));
  const name = cursor || !point ? "Cursor" : "Crosshair";
  const value = index && grid.at(index);
  if (!index || value === null) return <>{name} <span class="muted">{index ? "no value here" : "point at the image"}</span></>;
  const around = grid.around(index);
  return <>{name} <strong>{quantity(value, grid.told.unit)}</strong>{around && <span class="muted"> · 3 × 3 voxels {number(around.mean)} ± {number(around.deviation)}</span>}</>;
}
