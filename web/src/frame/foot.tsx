import { reachable } from "../api/door";
import { heard, live } from "../api/live";
import { waitingActs } from "../api/waiting";
import { may, me } from "../me";
import { address, place } from "../router";
import { mine } from "../settings/mine";
import { clock, count } from "../words";
import { Glass } from "./glass";
import { jsonOf } from "./twin";

/** What is true of every page: that this is research software, who reads it, its JSON, and when the server last spoke. */
export function Foot() {
  const json = me.value ? jsonOf(place.value, address.value.searchParams) : "";
  return (
    <footer class="foot">
      {me.value?.demo && <strong class="tag soon">DEMO</strong>}
      {mine.value.vision !== "own" && <strong class="tag soon">Colours as in {mine.value.vision} vision</strong>}
      <span>Research software, not for diagnosis</span>
      <span class="gap" />
      {place.value.page !== "study" && waitingActs.value.length > 0 && <span class="soon" role="status" title={waitingActs.value.join("\n")}>{count(waitingActs.value.length, "act")} of yours being sent</span>}
      <Glass />
      {me.value && <span class="who">{me.value.name} <span class="faint">{me.value.role}</span></span>}
      {json && <a class="json" href={json} target="_blank" rel="noopener">JSON<span class="hidden"> of this page</span></a>}
      <LiveMark />
    </footer>
  );
}

/** Whether the live channel speaks, and when it last did. */
function LiveMark() {
  if (!me.value || !may("events")) return null;
  const at = heard.value;
  if (!reachable.value) return <span class="live soon">▲ offline{at && ` since ${clock(at)}`}</span>;
  if (live.value && at) return <span class="live"><span class="fine" aria-hidden="true">●</span> live · {clock(at)}</span>;
  return <span class="live">{at ? `connecting again · last heard ${clock(at)}` : "live channel connecting"}</span>;
}
