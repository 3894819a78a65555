import { useLayoutEffect } from "preact/hooks";
import { change, mine } from "../settings/mine";

const [LEAST_PX, MOST_PX, SHIPPED_PX, STEP_PX] = [320, 800, 384, 16];

/** Width of the panel beside the images, in pixels, as this person left it. */
export function panelPx(): number {
  const kept = mine.value.room["panel_px"];
  return typeof kept === "number" && Number.isFinite(kept) ? fit(kept) : SHIPPED_PX;
}

const wide = (px: number) => document.documentElement.style.setProperty("--panel-width", `${px}px`);
const fit = (px: number) => Math.round(Math.min(MOST_PX, Math.max(LEAST_PX, px)));

function keep(px: number): void {
  if (fit(px) !== panelPx()) void change({ room: { ...mine.peek().room, panel_px: fit(px) } }).catch(() => undefined); // a width that is not kept is back at the next reload
}

/** The edge between images and panel: dragged, or moved by the arrows; a double click gives back the shipped width. */
export function PanelEdge() {
  const px = panelPx();
  useLayoutEffect(() => {
    wide(px);
    return () => document.documentElement.style.removeProperty("--panel-width");
  }, [px]);
  const by: Record<string, number> = { ArrowLeft: px + STEP_PX, ArrowRight: px - STEP_PX, Home: LEAST_PX, End: MOST_PX };
  const drag = (event: PointerEvent) => {
    const edge = event.currentTarget as HTMLElement;
    const room = edge.parentElement!;
    const width = (at: PointerEvent) => fit(room.getBoundingClientRect().right - at.clientX);
    edge.setPointerCapture(event.pointerId);
    let moved = false; // a press alone is no wish for another width
    edge.onpointermove = (at) => ((moved = true), wide(width(at)));
    edge.onpointerup = (at) => ((edge.onpointermove = edge.onpointerup = null), moved && keep(width(at)));
  };
  return (
    <div
      class="panel-edge"
      role="separator"
      aria-orientation="vertical"
      aria-label="Width of the panel"
      aria-valuenow={px}
      aria-valuemin={LEAST_PX}
      aria-valuemax={MOST_PX}
      aria-valuetext={`${px} pixels`}
      tabIndex={0}
      onPointerDown={drag}
      onDblClick={() => keep(SHIPPED_PX)}
      onKeyDown={(event) => {
        const next = by[event.key];
        if (next === undefined || event.ctrlKey || event.shiftKey || event.altKey) return;
        event.preventDefault();
        event.stopPropagation();
        keep(next);
      }}
    />
  );
}
