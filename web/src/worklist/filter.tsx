import { useEffect, useRef } from "preact/hooks";
import { address } from "../router";
import { keyOf } from "../keys/keyboard";
import { Key } from "../kit/marks";
import { askFor, question, without } from "./question";

const MEANINGS: [RegExp, (value: string) => string][] = [
  [/^mod:(.+)/i, (value) => value.toUpperCase()],
  [/^is:due$/i, () => "past its limit"],
  [/^is:raised$/i, () => "raised by AI"],
  [/^is:mine$/i, () => "mine"],
  [/^is:(.+)/i, (value) => value],
  [/^level:(.+)/i, (value) => value],
  [/^to:me$/i, () => "for me"],
  [/^to:nobody$/i, () => "for nobody"],
  [/^to:(.+)/i, (value) => `for ${value}`],
  [/^from:(.+)/i, (value) => `from ${value}`],
  [/^until:(.+)/i, (value) => `until ${value}`],
];

/** One field; its words combine. What is filtered is also shown as chips, so that nobody forgets a filter that is on. */
export function Filter({ field }: { field: { current: HTMLInputElement | null } }) {
  const timer = useRef(0);
  const fresh = useRef(true); // the first change of a visit to the field is a step in the history; further letters are not
  const { q } = question();
  useEffect(() => {
    // Back, a chip or a view changed what is asked: the field shows it, unless somebody is typing in it.
    if (field.current && document.activeElement !== field.current) field.current.value = q;
  }, [q, address.value]);
  const type = (value: string) => {
    clearTimeout(timer.current);
    timer.current = window.setTimeout(() => {
      askFor({ q: value }, { keep: fresh.current });
      fresh.current = false;
    }, 180); // one query for a word, not one for a letter
  };
  return (
    <>
      <label class="filter">
        <span class="hidden">Filter</span>
        <Key of={keyOf("worklist", "filter")} />
        <input ref={field} type="search" name="q" placeholder="name, id, mod:CT, is:waiting" autocomplete="off" spellcheck={false} defaultValue={q} onFocus={() => (fresh.current = true)} onInput={(event) => type(event.currentTarget.value)} />
      </label>
      {q && (
        <ul class="chips" aria-label="Filters that are on">
          {q.split(/\s+/).filter(Boolean).map((word) => (
            <li key={word}><button type="button" class="chip" onClick={() => askFor({ q: without(q, word) }, { keep: true })}>{meaning(word)} <span aria-hidden="true">✕</span><span class="hidden">: take this filter off</span></button></li>
          ))}
        </ul>
      )}
    </>
  );
}

function meaning(word: string): string {
  for (const [pattern, words] of MEANINGS) {
    const match = pattern.exec(word);
    if (match) return words(match[1] ?? "");
  }
  return `“${word}”`;
}
