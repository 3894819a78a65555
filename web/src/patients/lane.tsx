import type { ComponentChildren } from "preact";

/** One lane of a patient's past, which can be folded. */
export function Lane({ name, told, children }: { name: string; told: string; children: ComponentChildren }) {
  return (
    <section class="lane" aria-label={name}>
      <details open>
        <summary><h2>{name} <span class="muted">{told}</span></h2></summary>
        {children}
      </details>
    </section>
  );
}
