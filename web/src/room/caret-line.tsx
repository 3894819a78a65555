import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";

/** The line of the report in which the caret stands, with a bar where it stands; empty while nobody writes. */
export const caretLine = signal("");

const MOST = 90;

/** Follow the caret in the report. */
export function useCaretLine(): void {
  useEffect(() => {
    const look = () => (caretLine.value = lineAt(document.activeElement));
    const left = () => queueMicrotask(look);
    document.addEventListener("selectionchange", look);
    document.addEventListener("input", look);
    document.addEventListener("focusout", left);
    return () => {
      caretLine.value = "";
      document.removeEventListener("selectionchange", look);
      document.removeEventListener("input", look);
      document.removeEventListener("focusout", left);
    };
  }, []);
}

function lineAt(at: Element | null): string {
  if (!(at instanceof HTMLTextAreaElement) || !at.closest("#report")) return "";
  const [text, caret] = [at.value, at.selectionStart];
  const from = Math.max(text.lastIndexOf("\n", caret - 1) + 1, caret - MOST);
  const end = text.indexOf("\n", caret);
  const until = Math.min(end < 0 ? text.length : end, from + MOST);
  const name = at.dataset.heading || at.dataset.section || "Report";
  return `${name}: ${from > 0 && text[from - 1] !== "\n" ? "…" : ""}${text.slice(from, caret)}|${text.slice(caret, until)}`;
}

/** What is being written, under the viewport in hand: the eye stays on the image. A screen reader hears it in the field itself. */
export function CaretLine() {
  return caretLine.value ? <p class="caret-line" aria-hidden="true">{caretLine.value}</p> : null;
}
