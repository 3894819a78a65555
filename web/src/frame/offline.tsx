import { reachable } from "../api/door";
import { heard } from "../api/live";
import { WaitingActs } from "../kit/states";
import { me } from "../me";
import { clock } from "../words";

/** While the server cannot be reached: read-only, and every act that waits by name. What is merely on its way is said where it moves nothing (see foot.tsx). */
export function OfflineBar() {
  if (!me.value || reachable.value) return null;
  return (
    <p class="callout slim offline" role="status">
      <span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span>
      <span>Offline{heard.value && ` since ${clock(heard.value)}`}: what is on screen can be read. <WaitingActs /></span>
    </p>
  );
}
