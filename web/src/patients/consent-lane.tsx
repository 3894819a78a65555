import type { Source } from "../api/load";
import { Shown } from "../kit/states";
import { may, ruleOf } from "../me";
import { to } from "../router";
import { type Consent, inWords } from "../sharing/consent";
import { count, moment } from "../words";
import { Lane } from "./lane";

/** What stands of the whole patient, and of the study from which one came here. */
export function ConsentLane({ consent, study }: { consent: Source<Consent[]>; study: string }) {
  if (!may("consent")) return <Lane name="Consent" told=""><p class="muted">Not shown: {ruleOf("consent")}</p></Lane>;
  return (
    <Lane name="Consent" told={consent.value?.length ? count(consent.value.length, "record") : ""}>
      <Shown of={consent} what="what was agreed to">
        {(all) => (
          <>
            <ol>{all.map((one) => <li key={one.id}><span>{moment(one.given)} <span class="muted">UTC</span></span><span>{one.study ? "This study: " : ""}{inWords(one)} <span class="muted">{one.until ? `until ${moment(one.until)} UTC` : "until withdrawn"}{one.source && `, by ${one.source}`}</span></span></li>)}</ol>
            <p class="muted">{all.length ? "" : "No terms of use are recorded, so the site's setting decides. "}<a href={`${to.sharing("consent")}?study=${study}`}>What may be done, and change it</a></p>
          </>
        )}
      </Shown>
    </Lane>
  );
}
