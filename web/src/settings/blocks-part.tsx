import { useState } from "preact/hooks";
import { keyOf } from "../keys/keyboard";
import { Key } from "../kit/marks";
import { mine, type Mine, type TextBlock } from "./mine";

/** A reader's own text blocks: kept on the server, at hand in every report. */
export function Blocks({ set }: { set: (patch: Partial<Mine>) => void }) {
  const [editing, setEditing] = useState("");
  const all = mine.value.macros;
  const keep = (was: string, now: TextBlock) => {
    set({ macros: [...all.filter((one) => one.name !== was && one.name !== now.name), now].sort((a, b) => a.name.localeCompare(b.name)) });
    setEditing("");
  };
  return (
    <section aria-labelledby="blocks-head">
      <h2 id="blocks-head">Text blocks</h2>
      <p class="muted">In a report, type a block's name and press <Key of={keyOf("room", "blocks")} />: its text takes the name's place. Each line is a sentence; what stands in [brackets] is a blank, and a report with an open blank says so.</p>
      {all.length > 0 && (
        <table class="plain wide">
          <thead><tr><th scope="col">Name</th><th scope="col">Text</th><th scope="col"><span class="hidden">Acts</span></th></tr></thead>
          <tbody>
            {all.map((one) => (
              <tr key={one.name}>
                <td class="id">{one.name}</td>
                <td class="block-text">{one.text}</td>
                <td class="num">
                  <button type="button" class="quiet" onClick={() => setEditing(one.name)}>Change<span class="hidden"> {one.name}</span></button>
                  <button type="button" class="quiet" onClick={() => set({ macros: all.filter((other) => other !== one) })}>Remove<span class="hidden"> {one.name}</span></button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <Block key={editing} block={all.find((one) => one.name === editing) ?? { name: "", text: "" }} keep={keep} leave={editing ? () => setEditing("") : undefined} />
    </section>
  );
}

function Block({ block, keep, leave }: { block: TextBlock; keep: (was: string, now: TextBlock) => void; leave?: () => void }) {
  const [name, setName] = useState(block.name);
  const [text, setText] = useState(block.text);
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    keep(block.name, { name: name.trim(), text: text.trim() });
    setName("");
    setText("");
  };
  return (
    <form class="block" onSubmit={submit} aria-label={block.name ? `Change the text block ${block.name}` : "Add a text block"}>
      <label>Name<input required maxLength={24} pattern={"[\\p{L}\\p{N}_.+\\-]+"} title="Letters, digits and . _ + - without a space" autocomplete="off" value={name} onInput={(event) => setName(event.currentTarget.value)} /></label>
      <label>Text<textarea required maxLength={2000} rows={2} value={text} onInput={(event) => setText(event.currentTarget.value)} /></label>
      <button>{block.name ? "Keep" : "Add the block"}</button>
      {leave && <button type="button" onClick={leave}>Leave as it is</button>}
    </form>
  );
}
