import { useState } from "preact/hooks";
import { asTrouble } from "../api/load";
import { nameOf, ownerOf, ownKeys, keysOf, SCOPES, SCREENS, type Scope, shown, type Bound } from "../keys/keyboard";
import { Blocks } from "./blocks-part";
import type { Buttons } from "../viewer/mouse";
import { change, changed, mine, type Mine } from "./mine";
import { Password } from "./password";
import { Sessions } from "./sessions";

interface Choice<K extends keyof Mine> {
  name: K;
  title: string;
  about: string;
  of: { value: Mine[K]; words: string }[];
}

const choices = [
  { name: "theme", title: "Theme", about: "Dark is made for reading images; light serves lists in a bright room.", of: [{ value: "screen", words: "By screen: light for Cohorts and Oversight" }, { value: "dark", words: "Dark" }, { value: "light", words: "Light" }, { value: "system", words: "As the system" }] } satisfies Choice<"theme">,
  { name: "density", title: "Rows", about: "How high the rows of lists are.", of: [{ value: "compact", words: "Compact, 28 px" }, { value: "regular", words: "Regular, 32 px" }, { value: "roomy", words: "Roomy, 40 px" }] } satisfies Choice<"density">,
  { name: "vision", title: "Colour vision", about: "A preview: the pages as somebody sees them who tells fewer colours apart. Nothing here is told by colour alone, and this shows it.", of: [{ value: "own", words: "My own" }, { value: "protan", words: "Protan: red is dark" }, { value: "deutan", words: "Deutan: red and green alike" }, { value: "tritan", words: "Tritan: blue and green alike" }] } satisfies Choice<"vision">,
  { name: "motion", title: "Motion", about: "Nothing moves in the reading room in any case.", of: [{ value: "system", words: "As the system" }, { value: "none", words: "None" }] } satisfies Choice<"motion">,
];

/** One's own settings: on the server, the same in every browser. */
export function MinePart({ wanted }: { wanted: string }) {
  const [trouble, setTrouble] = useState("");
  const set = (patch: Partial<Mine>) => void change(patch).then(() => setTrouble(""), (error: unknown) => setTrouble(asTrouble(error).message));
  const fits = (text: string) => text.toLowerCase().includes(wanted);
  return (
    <>
      {trouble && <p class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {trouble}</p>}
      <section aria-labelledby="looks">
        <h2 id="looks">How it looks</h2>
        {choices.filter((one) => fits(`${one.title} ${one.about}`)).map((one) => (
          <fieldset key={one.name} class="setting">
            <legend>{one.title}</legend>
            <p class="muted">{one.about} <Origin name={one.name as keyof Mine} /></p>
            <div class="radios">
              {one.of.map((option) => (
                <label key={String(option.value)} class="radio"><input type="radio" name={one.name} checked={mine.value[one.name as keyof Mine] === option.value} onChange={() => set({ [one.name]: option.value })} /> {option.words}</label>
              ))}
            </div>
          </fieldset>
        ))}
        {fits("views default opens worklist") && mine.value.views.length > 0 && (
          <div class="setting">
            <label class="name" for="default-view">The worklist opens with</label>
            <select id="default-view" value={mine.value.default_view} onChange={(event) => set({ default_view: event.currentTarget.value })}>
              <option value="">All studies</option>
              {mine.value.views.map((view) => <option key={view.name} value={view.name}>{view.name}</option>)}
            </select>
          </div>
        )}
      </section>
      {fits("mouse buttons wheel left middle right") && <MouseButtons set={set} />}
      {fits("text blocks macros report") && <Blocks set={set} />}
      {fits("password sign in account") && <Password />}
      {fits("where you are signed in sessions") && <Sessions />}
      <section aria-labelledby="keys">
        <h2 id="keys">Keys</h2>
        {fits("single keys") && (
          <label class="check"><input type="checkbox" checked={mine.value.single_keys} onChange={(event) => set({ single_keys: event.currentTarget.checked })} /> Single keys act. <span class="muted">Switch them off when you dictate or use a switch: Ctrl+K finds every act.</span></label>
        )}
        <KeyTable wanted={wanted} set={set} />
      </section>
    </>
  );
}

const DRAGS: Record<string, string> = { window: "sets the window", zoom: "zooms", pan: "moves the image", scroll: "scrolls" };
const MOUSE: [keyof Buttons, string, string[]][] = [
  ["left", "Left button, until another tool is taken", ["window", "zoom", "pan"]],
  ["middle", "Middle button", ["window", "zoom", "pan", "scroll"]],
  ["right", "Right button", ["window", "zoom", "pan", "scroll"]],
  ["wheel", "Wheel (with Ctrl the other of the two)", ["scroll", "zoom"]],
];

/** What a drag with each button does over an image, and what the wheel does. */
function MouseButtons({ set }: { set: (patch: Partial<Mine>) => void }) {
  const { mouse } = mine.value;
  return (
    <section aria-labelledby="mouse">
      <h2 id="mouse">Mouse</h2>
      <p class="muted">Over an image. Every drag has a key as well. <Origin name="mouse" /></p>
      {MOUSE.map(([part, title, of]) => (
        <div key={part} class="setting">
          <label class="name" for={`mouse-${part}`}>{title}</label>
          <select id={`mouse-${part}`} value={mouse[part]} onChange={(event) => set({ mouse: { ...mouse, [part]: event.currentTarget.value } as Buttons })}>
            {of.map((drag) => <option key={drag} value={drag}>{DRAGS[drag]}</option>)}
          </select>
        </div>
      ))}
    </section>
  );
}

function Origin({ name }: { name: keyof Mine }) {
  return <span class="origin">{changed.value.includes(name) ? "Changed by you." : "As shipped."}</span>;
}

function KeyTable({ wanted, set }: { wanted: string; set: (patch: Partial<Mine>) => void }) {
  const [hearing, setHearing] = useState<{ where: Scope; act: string } | null>(null);
  const [refused, setRefused] = useState("");
  const give = (where: Scope, bound: Bound, key: string) => {
    setHearing(null);
    const owner = ownerOf(where, bound.act, key);
    if (owner) return setRefused(`${shown(key)} is not given to “${bound.words}”: on the screen ${SCREENS[owner.where]} it is “${owner.bound.words}”.`);
    setRefused("");
    set({ keys: { ...mine.value.keys, [`${where}.${bound.act}`]: key } });
  };
  const back = (where: Scope, bound: Bound) => {
    const { [`${where}.${bound.act}`]: _, ...rest } = mine.value.keys;
    setRefused("");
    set({ keys: rest });
  };
  return (
    <>
      <p class={refused ? "callout" : "muted"} role={refused ? "alert" : "status"}>{refused || "Choose a key, then press the new one. Esc leaves it as it is."}</p>
      {SCOPES.map((where) => {
        const fitting = keysOf(where).filter((bound) => `${bound.words} ${shown(bound.key)} ${SCREENS[where]}`.toLowerCase().includes(wanted));
        return fitting.length > 0 && (
          <details key={where} open={wanted !== "" || where === "everywhere" || where === "worklist"}>
            <summary>{SCREENS[where]} <span class="muted">{fitting.length}</span></summary>
            <ul class="keys">
              {fitting.map((bound) => {
                const now = hearing?.where === where && hearing.act === bound.act;
                const own = `${where}.${bound.act}` in ownKeys.value;
                return (
                  <li key={bound.act}>
                    <button type="button" class="key" aria-label={`${bound.words}: ${shown(bound.key)}. Change`} aria-pressed={now} onClick={() => setHearing(now ? null : { where, act: bound.act })}
                      onKeyDown={(event) => {
                        if (!now || event.key === "Tab" || event.key === "Shift" || event.key === "Control" || event.key === "Alt" || !nameOf(event)) return;
                        event.preventDefault();
                        event.stopPropagation();
                        if (event.key === "Escape") return setHearing(null);
                        const sequence = bound.key.startsWith("g ") ? `g ${nameOf(event)}` : nameOf(event);
                        give(where, bound, sequence);
                      }}>{now ? "press a key" : shown(bound.key)}</button>
                    <span>{bound.words}</span>
                    {own && <button type="button" class="quiet" onClick={() => back(where, bound)}>as shipped<span class="hidden">: {bound.words}</span></button>}
                  </li>
                );
              })}
            </ul>
          </details>
        );
      })}
    </>
  );
}
