import { signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ask } from "../api/door";
import { onHappening } from "../api/live";
import { keyOf, type Scope } from "../keys/keyboard";
import { Key } from "../kit/marks";
import { me } from "../me";
import { change, mine } from "../settings/mine";

interface Steps {
  steps: { step: string; done: boolean }[];
}

const WORDS: Record<string, { words: string; where: Scope; act: string }> = {
  take: { words: "Take the next case", where: "worklist", act: "next" },
  opinion: { words: "Give your own opinion first, and lock it", where: "room", act: "lock" },
  strike: { words: "See what AI says: one finding is wrong, strike it", where: "room", act: "strike" },
  sign: { words: "Sign, and find your act in Oversight", where: "room", act: "sign" },
};

const steps = signal<Steps["steps"]>([]);

async function look(): Promise<void> {
  steps.value = (await ask<Steps>("/api/demo/steps")).steps;
}

/** The first four acts of the demonstration. What is ticked is what the journal knows, not what a page remembers. */
export function Checklist() {
  useEffect(() => {
    void look().catch(() => undefined);
    return onHappening(({ who }) => who === me.peek()?.name && void look().catch(() => undefined));
  }, []);
  if (mine.value.checklist === "closed" || !steps.value.length) return null;
  const next = steps.value.findIndex((one) => !one.done);
  return (
    <aside class="checklist" aria-label="First steps">
      <strong>Demonstration</strong> <span class="muted">synthetic phantoms and public samples, no patient</span>
      <ol>
        {steps.value.map(({ step, done }, i) => (
          <li key={step} aria-current={i === next ? "step" : undefined} class={done ? "done" : undefined}>
            <span class={done ? "fine" : i === next ? "link" : "faint"} aria-hidden="true">{done ? "✓" : i === next ? "●" : "○"}</span>
            <span class="hidden">{done ? "done: " : ""}</span>{WORDS[step]?.words ?? step} {WORDS[step] && <Key of={keyOf(WORDS[step].where, WORDS[step].act)} />}
          </li>
        ))}
      </ol>
      <span class="gap" />
      <button type="button" class="quiet" onClick={() => void change({ checklist: "closed" })}>{next < 0 ? "All done: close" : "Close"}</button>
    </aside>
  );
}
