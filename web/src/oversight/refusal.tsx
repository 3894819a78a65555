import type { Act } from "./act";

/** Why the last act was refused, and what to do. */
export function Refusal({ of }: { of: Act }) {
  const trouble = of.trouble.value;
  if (!trouble) return null;
  return <p class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {trouble.told}</p>;
}
