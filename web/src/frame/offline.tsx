import { reachable } from "../api/door";
import { deaf, heard } from "../api/live";
import { WaitingActs } from "../kit/states";
import { me } from "../me";
import { clock } from "../words";

/** While the server cannot be reached: read-only, and every act that waits by name. What is merely on its way is said where it moves nothing (see foot.tsx). */
export function OfflineBar() {
  if (!me.value) return null;
  if (reachable.value) return <DeafBar />;
  return (
    <p class="callout slim offline" role="status">
      <span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span>
      <span>Offline{heard.value && ` since ${clock(heard.value)}`}: what is on screen can be read. <WaitingActs /></span>
    </p>
  );
}

/** The server answers, but nothing is heard of what others do: the page grows old without looking so. */
function DeafBar() {
  if (!deaf.value) return null;
  return (
    <p class="callout slim offline" role="status">
      <span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span>
      <span>No live events{heard.value ? ` since ${clock(heard.value)}` : ""}: what others did may be missing on this page. The channel is tried again by itself.</span>
      <button type="button" onClick={() => location.reload()}>Load the page again</button>
    </p>
  );
}
