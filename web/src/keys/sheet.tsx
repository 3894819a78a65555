import { signal } from "@preact/signals";
import { Dialog } from "../kit/dialog";
import { keysOf, scope, setSingleKeys, shown, singleKeys } from "./keyboard";

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
        <input type="checkbox" checked={singleKeys.value} onChange={(event) => setSingleKeys(event.currentTarget.checked)} /> Single keys act (switch off when you dictate)
      </label>
      <p><button type="button" class="primary" onClick={() => (sheetOpen.value = false)}>Close</button></p>
    </Dialog>
  );
}
