import { signal } from "@preact/signals";
import { Dialog } from "../kit/dialog";
import { change } from "../settings/mine";
import { to } from "../router";
import { keysOf, scope, shown, singleKeys } from "./keyboard";

export const sheetOpen = signal(false);

/** The keys of this screen, from the same table that the keyboard obeys. */
export function KeySheet() {
  if (!sheetOpen.value) return null;
  const parts = scope.value === "everywhere" ? (["everywhere"] as const) : ([scope.value, "everywhere"] as const);
  return (
    <Dialog title="Keys of this screen" close={() => (sheetOpen.value = false)}>
      <div class="sheet">
        {parts.map((part) => (
          <dl key={part} aria-label={part === "everywhere" ? "Everywhere" : "This screen"}>
            {keysOf(part).map((bound) => (
              <div key={bound.act}>
                <dt><kbd>{shown(bound.key)}</kbd></dt>
                <dd>{bound.words}</dd>
              </div>
            ))}
          </dl>
        ))}
      </div>
      <label class="check">
        <input type="checkbox" checked={singleKeys.value} onChange={(event) => void change({ single_keys: event.currentTarget.checked })} /> Single keys act (switch off when you dictate; every act stays in the palette)
      </label>
      <p class="acts">
        <button type="button" class="primary" onClick={() => (sheetOpen.value = false)}>Close</button>
        <a class="button" href={to.settings()} onClick={() => (sheetOpen.value = false)}>Change keys</a>
      </p>
    </Dialog>
  );
}
