import { signal } from "@preact/signals";
import { useState } from "preact/hooks";
import type { Template } from "../api/shapes";
import { Dialog } from "../kit/dialog";
import { to } from "../router";
import { mine } from "../settings/mine";

/** The field into which a text block will go, and what the template offers there; null while nobody chooses. */
export const choosing = signal<{ field: HTMLTextAreaElement; phrases: string[] } | null>(null);

const WORD = /[\p{L}\p{N}_.+-]+$/u;
const BLANK = /\[(?!\s*\d+(?:\s*,\s*\d+)*\s*\])[^[\]]{1,80}\]/g; // "[2]" is a finding and no blank

/** One key at the caret: the name of a text block becomes its text; behind it the next blank is chosen; else one chooses from all. */
export function expandHere(template: Template | undefined): void {
  const field = document.activeElement;
  if (!(field instanceof HTMLTextAreaElement) || !field.dataset.section) return;
  const caret = field.selectionStart;
  const typed = WORD.exec(field.value.slice(0, caret))?.[0].toLowerCase();
  const block = typed && mine.value.macros.find((one) => one.name.toLowerCase() === typed);
  if (block) return put(field, block.text, caret - typed.length);
  if (nextBlank(field, field.selectionEnd)) return;
  choosing.value = { field, phrases: phrasesFor(template, field.dataset.section, field.dataset.heading ?? "") };
}

function phrasesFor(template: Template | undefined, section: string, heading: string): string[] {
  const inside = template?.sections.find((one) => one.name === section);
  if (!inside) return [];
  return heading ? (inside.headings.find((one) => one.name === heading)?.phrases ?? []) : [...inside.phrases, ...inside.headings.flatMap((one) => one.phrases)];
}

/** Text in place of what stands from `from` to the caret, as if it had been typed; its first blank is chosen. */
function put(field: HTMLTextAreaElement, text: string, from: number): void {
  field.focus();
  field.setRangeText(text, from, field.selectionEnd, "end");
  field.dispatchEvent(new Event("input", { bubbles: true }));
  nextBlank(field, from);
}

function nextBlank(field: HTMLTextAreaElement, from: number): boolean {
  const blanks = [...field.value.matchAll(BLANK)];
  const next = blanks.find((one) => one.index >= from) ?? (field.selectionStart === field.selectionEnd ? undefined : blanks[0]);
  if (!next) return false;
  field.setSelectionRange(next.index, next.index + next[0].length);
  return true;
}

/** One's own text blocks and the template's phrases, to be found by typing. */
export function BlockChooser() {
  const now = choosing.value;
  return now ? <Chooser key={now.field.dataset.section} {...now} /> : null;
}

function Chooser({ field, phrases }: { field: HTMLTextAreaElement; phrases: string[] }) {
  const [wanted, setWanted] = useState("");
  const [at, setAt] = useState(0);
  const all = [...mine.value.macros.map((one) => ({ name: one.name, text: one.text })), ...phrases.map((text) => ({ name: "", text }))];
  const fitting = all.filter((one) => `${one.name} ${one.text}`.toLowerCase().includes(wanted.toLowerCase()));
  const close = () => (choosing.value = null);
  const take = (one: { text: string } | undefined) => {
    if (!one) return;
    close();
    requestAnimationFrame(() => put(field, one.text, field.selectionStart)); // the dialog gives the focus back first
  };
  const onKey = (event: KeyboardEvent) => {
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (by) setAt(Math.min(Math.max(0, at + by), Math.max(0, fitting.length - 1)));
    else if (event.key === "Enter") take(fitting[at]);
    else return;
    event.preventDefault();
  };
  return (
    <Dialog title={`Text for ${field.dataset.heading || field.dataset.section}`} close={close}>
      <input type="text" role="combobox" aria-expanded="true" aria-controls="blocks" aria-activedescendant={fitting[at] ? `block-${at}` : undefined} aria-label="Find a text block" placeholder="Find a text block" autocomplete="off" autofocus value={wanted}
        onInput={(event) => (setWanted(event.currentTarget.value), setAt(0))} onKeyDown={onKey} />
      <ul id="blocks" class="blocks" role="listbox" aria-label="Text blocks">
        {fitting.map((one, i) => (
          <li key={one.name + one.text} id={`block-${i}`} role="option" aria-selected={i === at} onClick={() => take(one)}>
            <span class={one.name ? "id" : "faint"}>{one.name || "template"}</span> <span class="words">{one.text}</span>
          </li>
        ))}
      </ul>
      {!fitting.length && <p class="muted" role="status">{all.length ? `None has “${wanted}” in it.` : "No text block yet."}</p>}
      <p class="muted">Blanks stand in [brackets]. Your own blocks: <a href={to.settings()} onClick={close}>Settings</a>.</p>
    </Dialog>
  );
}
