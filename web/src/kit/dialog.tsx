import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

/** The browser's own modal dialog: it holds the focus and gives it back; Escape closes it. While it is `away` it is off the screen and keeps what was typed. */
export function Dialog({ title, close, away = false, children }: { title: string; close: () => void; away?: boolean; children: ComponentChildren }) {
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const before = document.activeElement as HTMLElement | null;
    return () => before?.focus?.();
  }, []);
  useEffect(() => {
    if (away) ref.current?.close();
    else ref.current?.showModal();
  }, [away]);
  return (
    <dialog ref={ref} aria-label={title} onClose={() => away || close()} onCancel={(event) => (event.preventDefault(), close())}>
      <h2>{title}</h2>
      {children}
    </dialog>
  );
}
