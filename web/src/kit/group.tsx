import { signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";

/** From which width of the window on a group of tools finds room in the one row of the reading room. */
export type Room = 1400 | 1800;

const narrow = (from: Room) => {
  const wide = matchMedia(`(min-width: ${from}px)`);
  const told = signal(!wide.matches);
  wide.addEventListener("change", () => (told.value = !wide.matches));
  return told;
};
const under = { 1400: narrow(1400), 1800: narrow(1800) };

/**
 * Tools that stand in the row where there is room for all of them, and behind their common name where there is not: a
 * second row would take its height from the images. Their keys work in either case.
 */
export function Group({ name, from, taken, children }: { name: string; from: Room; taken: string; children: ComponentChildren }) {
  if (!under[from].value) return <>{children}</>;
  return <Menu name={taken || name} label={taken ? `${name}: ${taken}` : name} mark={<span class="muted" aria-hidden="true">▾</span>} pressed={!!taken}>{children}</Menu>;
}

/** A list of acts behind a name: it shuts when one is chosen, at Escape, and when the focus goes elsewhere. */
export function Menu({ name, label, mark, pressed = false, children }: { name: string; label?: string; mark?: ComponentChildren; pressed?: boolean; children: ComponentChildren }) {
  const menu = useRef<HTMLDetailsElement>(null);
  const shut = () => menu.current && (menu.current.open = false);
  const leave = (event: KeyboardEvent) => {
    if (event.key !== "Escape" || !menu.current?.open) return;
    event.stopPropagation();
    shut();
    menu.current.querySelector("summary")?.focus();
  };
  return (
    <details class="menu" ref={menu} onKeyDown={leave} onFocusOut={(event) => event.relatedTarget && !menu.current?.contains(event.relatedTarget as Node) && shut()}>
      <summary data-on={pressed ? "" : undefined} aria-label={label}>{name} {mark}</summary>
      <div onClick={(event) => (event.target as HTMLElement).closest("button") && shut()}>{children}</div>
    </details>
  );
}
