import { keyOf } from "../keys/keyboard";
import { Key } from "../kit/marks";
import { presetsOf } from "../viewer/presets";
import type { Desk } from "./desk";

/** Tools with their keys. What cannot work here says why. */
export function ToolBar({ desk }: { desk: Desk }) {
  const { lightbox } = desk;
  const active = lightbox.active.value;
  const series = active?.series.value;
  const key = (act: string) => <Key of={keyOf("room", act)} />;
  const presets = presetsOf(series?.modality ?? "");
  const many = (series?.pictures.length ?? 0) > 1;
  return (
    <div class="tools" role="toolbar" aria-label="Image tools" data-region tabIndex={-1}>
      {(["window", "zoom", "pan"] as const).map((tool) => (
        <button type="button" key={tool} aria-pressed={lightbox.tool.value === tool} onClick={() => (lightbox.tool.value = tool)}>{{ window: "Window", zoom: "Zoom", pan: "Pan" }[tool]} {key(`tool-${tool}`)}</button>
      ))}
      <span class="rule" />
      {presets.length > 1 && presets.map((preset, i) => <button type="button" class="quiet" key={preset.name} onClick={() => lightbox.window(preset)}>{preset.name} {key(`window-${i + 1}`)}</button>)}
      <button type="button" class="quiet" onClick={() => active?.turn("invert")}>Invert {key("invert")}</button>
      <button type="button" class="quiet" onClick={() => active?.reset()}>Reset {key("reset")}</button>
      <span class="rule" />
      {many && <button type="button" class="quiet" aria-pressed={lightbox.cine.playing.value} onClick={() => lightbox.cine.play(lightbox.viewports.value, active)}>{lightbox.cine.playing.value ? "Stop" : "Cine"} {key("cine")}</button>}
      <button type="button" class="quiet" aria-pressed={lightbox.layout.value === "planes"} aria-disabled={!!series?.noVolume} title={series?.noVolume ? `No planes: ${series.noVolume}` : undefined} onClick={() => (series?.noVolume ? undefined : desk.togglePlanes())}>
        Planes {key("planes")}
      </button>
      <button type="button" class="quiet" onClick={() => desk.nextLayout()}>Layout {key("layout")}</button>
      {desk.maps.value.length > 0 && <button type="button" class="quiet" aria-pressed={!!desk.map.value} onClick={() => desk.nextMap()}>Map {key("map")}</button>}
    </div>
  );
}
