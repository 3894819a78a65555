import { useEffect, useRef } from "preact/hooks";
import { openCriticals } from "../critical/open";
import { Lacking } from "../kit/states";
import { me } from "../me";
import { to } from "../router";
import { moment, waited } from "../words";
import { afterTheList } from "./list";

/** What was signed, cannot wait, and was told to nobody: the signer's at once, everybody's when its time has passed. */
export function CriticalBar() {
  const held = useRef<ReturnType<typeof openCriticals>>(null);
  held.current ??= openCriticals();
  useEffect(() => afterTheList(held.current!.follow), []);
  const rows = (held.current.source.value?.rows ?? []).filter((one) => one.late || one.by === me.value?.name);
  return (
    <>
      <Lacking of={held.current.source} what="Which critical findings were told to nobody" />
      {rows.map((one) => (
        <p key={one.study} class={one.late ? "callout slim late" : "callout slim"} role={one.late ? "alert" : "status"}>
          <span class={one.late ? "now" : "soon"} aria-hidden="true">{one.late ? "⬢" : "▲"}</span> <span class="hidden">Important:</span>
          <strong>{one.findings.map((each) => each.what).join(", ")}: told to nobody</strong> for {waited((Date.now() - Date.parse(one.signed)) / 1000)}.
          <span class="muted">{one.description || one.modalities.join(" ")} {one.accession}, signed {moment(one.signed)} UTC by {one.by}: {one.why}</span>
          <a href={to.study(one.study)}>Tell somebody</a>
        </p>
      ))}
    </>
  );
}
