import { signal } from "@preact/signals";
import type { Hand, Point2, Viewport } from "./viewport";

export type Tool = "window" | "zoom" | "pan";

/** What a drag of a button does. */
export type Drag = Tool | "scroll";

/** What the mouse does over an image, as its person wants it; `left` is the tool with which the left button begins. */
export interface Buttons {
  left: Tool;
  middle: Drag;
  right: Drag;
  wheel: "scroll" | "zoom";
}

export const buttons = signal<Buttons>({ left: "window", middle: "pan", right: "window", wheel: "scroll" });

/** What a drag with the left button does, in every viewport alike. */
export const tool = signal<Tool>("window");

/** A tool that draws has the left button while it is set (see `Hand`). */
export const hand = signal<Hand | null>(null);

/** How many pixels of a drag double the width of a window, and its size on screen. */
const DRAG_PX = 250;
const CLICK_PX = 3;
/** How many pixels of a drag are one image further. */
const IMAGE_PX = 8;

/** Mouse, pen and wheel of one viewport: left is the tool in hand, the others do what `buttons` says. Every drag has a key as well. */
export class Mouse {
  private drag: { tool: Drag | "hand"; at: Point2; began: Point2; moved: boolean } | null = null;
  private wheel = 0;
  private readonly ended = new AbortController();

  constructor(private readonly viewport: Viewport, private readonly chosen: () => void) {
    const { element } = viewport;
    const on = <K extends keyof HTMLElementEventMap>(kind: K, act: (event: HTMLElementEventMap[K]) => void, passive = true) => element.addEventListener(kind, act, { signal: this.ended.signal, passive });
    on("pointerdown", (event) => this.down(event), false);
    on("pointermove", (event) => this.move(event));
    on("pointerup", (event) => this.up(event));
    on("pointercancel", (event) => this.up(event));
    on("wheel", (event) => this.scroll(event), false);
    on("contextmenu", (event) => event.preventDefault(), false);
  }

  destroy(): void {
    this.ended.abort();
  }

  private down(event: PointerEvent): void {
    this.chosen();
    const at = this.where(event);
    const taken = event.button === 0 && hand.peek()?.down(this.viewport, at, event);
    const left = hand.peek() ? null : tool.peek();
    const does = taken ? "hand" : event.button === 0 ? left : event.button === 1 ? buttons.peek().middle : event.button === 2 ? buttons.peek().right : null;
    if (!does) return;
    if (event.button === 1) event.preventDefault(); // else the browser scrolls
    this.drag = { tool: does, at, began: at, moved: false };
    this.viewport.element.setPointerCapture(event.pointerId);
  }

  private move(event: PointerEvent): void {
    const at = this.where(event);
    const { drag, viewport } = this;
    if (!drag) return hand.peek()?.over?.(viewport, at, event);
    const [dx, dy] = [at[0] - drag.at[0], at[1] - drag.at[1]];
    const from = drag.at;
    drag.moved ||= Math.hypot(at[0] - drag.began[0], at[1] - drag.began[1]) > CLICK_PX;
    if (!drag.moved && drag.tool !== "hand") return; // a hand that shakes is a click, not a drag
    if (drag.tool === "scroll") return this.leaf(drag, at);
    drag.at = at;
    if (drag.tool === "hand") return hand.peek()?.move?.(viewport, at, event);
    if (drag.tool === "pan") viewport.pan(dx, dy);
    else if (drag.tool === "zoom") viewport.zoom(2 ** (-dy / DRAG_PX), from);
    else this.window(dx, dy);
  }

  /** Down is on, up is back, an image for each few pixels. */
  private leaf(drag: { at: Point2 }, at: Point2): void {
    const steps = Math.trunc((at[1] - drag.at[1]) / IMAGE_PX);
    if (!steps) return;
    drag.at = [at[0], drag.at[1] + steps * IMAGE_PX];
    this.viewport.step(steps);
  }

  private up(event: PointerEvent): void {
    const { drag } = this;
    this.drag = null;
    if (drag?.tool === "hand") hand.peek()?.up?.(this.viewport, this.where(event), event);
    else if (drag && !drag.moved && event.button === 0) this.viewport.point?.(this.where(event));
  }

  /** To the right wider, down darker, both in steps of the window itself, so that SUV and HU feel alike. */
  private window(dx: number, dy: number): void {
    const range = this.viewport.range.peek();
    if (!range) return;
    const width = range.upper - range.lower;
    const centre = (range.upper + range.lower) / 2 + (dy * width) / DRAG_PX;
    const half = (width * 2 ** (dx / DRAG_PX)) / 2;
    this.viewport.setRange({ lower: centre - half, upper: centre + half });
  }

  private scroll(event: WheelEvent): void {
    event.preventDefault();
    if (event.ctrlKey !== (buttons.peek().wheel === "zoom")) return this.viewport.zoom(2 ** (-event.deltaY / DRAG_PX), this.where(event));
    this.wheel += event.deltaMode === 0 ? event.deltaY / 100 : event.deltaY / 3; // a notch of a wheel is 100 pixels or 3 lines; a touch pad sends less, more often
    const steps = Math.trunc(this.wheel) || (Math.abs(event.deltaY) >= 40 ? Math.sign(event.deltaY) : 0);
    if (!steps) return;
    this.wheel = 0;
    this.viewport.step(steps);
  }

  private where(event: MouseEvent): Point2 {
    const box = this.viewport.element.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }
}
