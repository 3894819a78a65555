import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../api/door";
import { askOrTake } from "../api/early";
import { asTrouble } from "../api/load";
import { keyOf } from "../keys/keyboard";
import { Dialog } from "../kit/dialog";
import { Key } from "../kit/marks";
import { me } from "../me";
import { change, mine, type View } from "../settings/mine";
import { askFor, question } from "./question";

type Shared = View & { by: string };

/** Views that somebody shared with everybody. */
const shared = signal<Shared[]>([]);

export async function fetchShared(): Promise<void> {
  shared.value = (await askOrTake<{ views: Shared[] }>("/api/views")).views;
}

export const pinning = signal(false);

/** The view with which the list opens, where its person chose one and asked for nothing else. */
export function defaultView(): View | undefined {
  return mine.peek().views.find((view) => view.name === mine.peek().default_view);
}

function same(view: View): boolean {
  const now = question();
  return view.q === now.q && view.sort === now.sort && view.ai === now.ai;
}

/** Named questions to the list: one's own, and those that others shared. One of them may be the one that it opens with. */
export function Views() {
  const box = useRef<HTMLDetailsElement>(null);
  useEffect(() => void fetchShared().catch(() => undefined), []);
  const { views, default_view } = mine.value;
  const now = [...views, ...shared.value].find(same);
  const take = (view: View) => {
    askFor({ q: view.q, sort: view.sort, ai: view.ai }, { keep: true });
    box.current!.open = false;
  };
  return (
    <details class="views" ref={box} onKeyDown={(event) => event.key === "Escape" && box.current!.open && (event.stopPropagation(), (box.current!.open = false))}>
      <summary>{now ? now.name : question().q ? "Unnamed view" : "All studies"} <span aria-hidden="true">▾</span></summary>
      <div class="pop">
        <button type="button" class="line" onClick={() => take({ name: "", q: "", sort: "", ai: true })}>All studies</button>
        {views.map((view) => (
          <div class="line" key={view.name}>
            <button type="button" class="line" onClick={() => take(view)}>{view.name} <span class="muted">{view.q || "all"}</span></button>
            <button type="button" class="quiet" aria-pressed={default_view === view.name} onClick={() => void change({ default_view: default_view === view.name ? "" : view.name })} title="Open the list with this view">{default_view === view.name ? "★" : "☆"}<span class="hidden"> open the list with {view.name}</span></button>
            <button type="button" class="quiet" onClick={() => void ask<{ views: Shared[] }>(`/api/views/${encodeURIComponent(view.name)}`, { method: "PUT", body: view }).then((told) => (shared.value = told.views), () => undefined)}>share<span class="hidden"> {view.name}</span></button>
            <button type="button" class="quiet" onClick={() => void change({ views: views.filter((one) => one !== view), ...(default_view === view.name ? { default_view: "" } : {}) })}>✕<span class="hidden"> forget {view.name}</span></button>
          </div>
        ))}
        {shared.value.length > 0 && <p class="muted">Shared</p>}
        {shared.value.map((view) => (
          <div class="line" key={view.name}>
            <button type="button" class="line" onClick={() => take(view)}>{view.name} <span class="muted">{view.q || "all"} · by {view.by}</span></button>
            {view.by === me.value?.name && <button type="button" class="quiet" onClick={() => void ask<{ views: Shared[] }>(`/api/views/${encodeURIComponent(view.name)}`, { method: "DELETE" }).then((told) => (shared.value = told.views), () => undefined)}>take back<span class="hidden"> {view.name}</span></button>}
          </div>
        ))}
        <button type="button" class="line" onClick={() => ((pinning.value = true), (box.current!.open = false))}>Keep this as a view <Key of={keyOf("worklist", "pin")} /></button>
      </div>
    </details>
  );
}

/** Give the present question a name. */
export function PinDialog() {
  const [name, setName] = useState("");
  const [refused, setRefused] = useState("");
  if (!pinning.value) return null;
  const close = () => ((pinning.value = false), setName(""), setRefused(""));
  const now = question();
  const keep = async (event: SubmitEvent) => {
    event.preventDefault();
    const views = [...mine.peek().views.filter((view) => view.name !== name.trim()), { name: name.trim(), ...now }];
    try {
      await change({ views });
      close();
    } catch (error) {
      setRefused(asTrouble(error).message);
    }
  };
  return (
    <Dialog title="Keep this as a view" close={close}>
      <form onSubmit={keep} class="stack">
        <p class="muted">{now.q ? <>Filter: <code>{now.q}</code></> : "All studies"}{now.sort && `, sorted by ${now.sort.replace("-", "")}`}{!now.ai && ", without AI"}</p>
        {refused && <p class="callout" role="alert"><span class="hidden">Important:</span> {refused}</p>}
        <label>Name<input required maxLength={64} value={name} autofocus onInput={(event) => setName(event.currentTarget.value)} /></label>
        <p class="acts"><button class="primary" disabled={!name.trim()}>Keep it</button><button type="button" onClick={close}>Cancel</button></p>
      </form>
    </Dialog>
  );
}
