import { signal } from "@preact/signals";
import { place } from "../router";

/** What broke in the page itself: a fault of ours that nothing above it caught. */
const fault = signal("");

/** A page that failed half-way may lack a part, and what is missing looks like what was never there: so it is said. */
export function watchFaults(): void {
  addEventListener("error", (event) => {
    // A browser reports a late layout so; nothing is missing then.
    if (event.message && !event.message.startsWith("ResizeObserver")) fault.value = event.message.replace(/^Uncaught /, "").slice(0, 200);
  });
  place.subscribe(() => (fault.value = ""));
}

export function FaultBar() {
  if (!fault.value) return null;
  return (
    <p class="callout slim" role="alert">
      <span class="now" aria-hidden="true">⬢</span> <span class="hidden">Important:</span>
      <span><strong>This page has a fault, and a part of it may be missing.</strong> What was saved stays saved. <span class="muted">{fault.value}</span></span>
      <button type="button" onClick={() => location.reload()}>Load it again</button>
    </p>
  );
}
