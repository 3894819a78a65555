import { useEffect, useRef, useState } from "preact/hooks";
import type { Doubt, Sentence } from "../api/shapes";
import { choosing } from "./blocks";
import { Marked, Reasons } from "./doubts";

/** Who pauses for so long while they type has what they typed kept. */
export const QUIET_MS = 700;

/** Do this when the page is reloaded or shut: what is typed goes to the server then, too. */
export function useLeaving(act: () => void): void {
  const latest = useRef(act);
  latest.current = act;
  useEffect(() => {
    const last = () => latest.current();
    addEventListener("pagehide", last);
    return () => removeEventListener("pagehide", last);
  }, []);
}

/** A sentence under a person's hands. It is kept as soon as they pause; what is doubted in it is underlined where it stands. */
export function Writing({ sentence, doubts, save, jump }: { sentence: Sentence; doubts: Doubt[]; save: (text: string) => void; jump: () => void }) {
  const [text, setText] = useState(sentence.text);
  const touched = useRef(false);
  const clock = useRef(0);
  useEffect(() => {
    if (!touched.current) setText(sentence.text); // another's newer words, unless we are writing
  }, [sentence.text]);
  const latest = useRef(text);
  latest.current = text;
  const keep = () => {
    clearTimeout(clock.current);
    if (!touched.current) return;
    touched.current = false;
    if (latest.current.trim() !== sentence.text) save(latest.current.trim());
  };
  const leaving = useRef(keep);
  leaving.current = keep;
  useEffect(() => () => leaving.current(), []);
  useLeaving(() => leaving.current());
  const still = text === sentence.text ? doubts : []; // while it is written anew, nobody knows yet
  const because = `doubts-${sentence.id}`;
  return (
    <div class="writing">
      <div class="written">
        <div class="mirror" aria-hidden="true"><Marked text={text} doubts={still} />{"\u200b"}</div>
        <textarea
          rows={1}
          value={text}
          data-section={sentence.section}
          data-heading={sentence.heading}
          aria-label={`${sentence.heading || sentence.section} sentence${sentence.machine ? ", machine's words" : ""}`}
          aria-describedby={still.length ? because : undefined}
          aria-invalid={still.length ? "true" : undefined}
          onInput={(event) => {
            touched.current = true;
            setText(event.currentTarget.value);
            clearTimeout(clock.current);
            clock.current = window.setTimeout(() => leaving.current(), QUIET_MS);
          }}
          onBlur={() => !choosing.peek() && leaving.current()}
          onKeyDown={(event) => {
            if (event.key !== "Enter" || event.ctrlKey || event.shiftKey || event.isComposing) return;
            event.preventDefault(); // a sentence is one line
            leaving.current();
            jump();
          }}
        />
      </div>
      <Reasons doubts={still} id={because} />
    </div>
  );
}

/** Sentences of one's own: Enter keeps what is written, each line of a text block as a sentence of its own. */
export function Fresh({ section, heading, add }: { section: string; heading: string; add: (texts: string[]) => void }) {
  const [text, setText] = useState("");
  const save = () => {
    const lines = text.split("\n").map((line) => line.trim()).filter(Boolean);
    if (!lines.length) return;
    add(lines);
    setText("");
  };
  useLeaving(save);
  return (
    <div class="sentence fresh">
      <textarea
        rows={1}
        value={text}
        data-section={section}
        data-heading={heading}
        placeholder={heading || `Add to ${section}`}
        aria-label={`Add a sentence to ${heading || section}`}
        onInput={(event) => setText(event.currentTarget.value)}
        onBlur={() => !choosing.peek() && save()}
        onKeyDown={(event) => {
          if (event.key !== "Enter" || event.ctrlKey || event.shiftKey) return;
          event.preventDefault();
          save();
        }}
      />
    </div>
  );
}
