import { keyOf } from "../keys/keyboard";
import { Key } from "../kit/marks";
import { presetsOf } from "../viewer/presets";
import type { Desk } from "./desk";

/** Tools with their keys. What cannot work here says why. */
export function ToolBar({ desk }: { desk: Desk }) {
  const stack = desk.stack;
  const series = stack?.series.value;
  const key = (act: string) => <Key of={keyOf("room", act)} />;
  const presets = presetsOf(series?.modality ?? "");
  const many = (series?.pictures.length ?? 0) > 1;
  return (
    <div class="tools" role="toolbar" aria-label="Image tools" data-region tabIndex={-1}>
      {(["window", "zoom", "pan"] as const).map((tool) => (
        <button type="button" key={tool} aria-pressed={stack?.tool.value === tool} onClick={() => stack?.take(tool)}>{{ window: "Window", zoom: "Zoom", pan: "Pan" }[tool]} {key(`tool-${tool}`)}</button>
      ))}
      <span class="rule" />
      {presets.length > 1 && presets.map((preset, i) => <button type="button" class="quiet" key={preset.name} onClick={() => stack?.window(preset)}>{preset.name} {key(`window-${i + 1}`)}</button>)}
      <button type="button" class="quiet" onClick={() => stack?.invert()}>Invert {key("invert")}</button>
      <button type="button" class="quiet" onClick={() => stack?.reset()}>Reset {key("reset")}</button>
      <span class="rule" />
      {many && <button type="button" class="quiet" aria-pressed={stack?.playing.value} onClick={() => stack?.play()}>{stack?.playing.value ? "Stop" : "Cine"} {key("cine")}</button>}
      <button type="button" class="quiet" aria-pressed={desk.layout.value === "planes"} aria-disabled={!!series?.noVolume} title={series?.noVolume ? `No planes: ${series.noVolume}` : undefined} onClick={() => (series?.noVolume ? undefined : desk.toggleLayout())}>
        Planes {key("layout")}
      </button>
      {desk.maps.value.length > 0 && <button type="button" class="quiet" aria-pressed={!!desk.map.value} onClick={() => desk.nextMap()}>Map {key("map")}</button>}
    </div>
  );
}
