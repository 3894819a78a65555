import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../api/door";
import { asTrouble } from "../api/load";
import { type Call, Critical, firstCall, isWhole, told } from "../critical/fields";
import { openCriticals, type OpenCriticals } from "../critical/open";
import { Lacking } from "../kit/states";
import { may } from "../me";
import { moment } from "../words";
import type { Session } from "./session";

/** A signed study whose critical result was told to nobody: here it is told, without another report. */
export function Untold({ session }: { session: Session }) {
  const held = useRef<ReturnType<typeof openCriticals>>(null);
  held.current ??= openCriticals(session.uid);
  const { source, follow } = held.current;
  const signed = session.reading.value?.state === "signed";
  useEffect(() => (signed ? follow() : undefined), [signed]);
  const [call, setCall] = useState<Call>(() => firstCall(null));
  const [refused, setRefused] = useState("");
  const [row] = source.value?.rows ?? [];
  if (!signed) return null;
  if (!row) return <Lacking of={source} what="Whether a critical finding was told" />;
  const send = async (event: SubmitEvent) => {
    event.preventDefault();
    try {
      source.put(await ask<OpenCriticals>(`/api/readings/${session.uid}/tell`, { method: "POST", body: { told: told(call, row.findings.map((one) => one.finding)) } }));
      setRefused("");
    } catch (error) {
      const trouble = asTrouble(error);
      setRefused(trouble.told);
    }
  };
  return (
    <section aria-label="Told to nobody yet">
      <form onSubmit={send}>
        <p><span class={row.late ? "now" : "soon"} aria-hidden="true">{row.late ? "⬢" : "▲"}</span> Signed {moment(row.signed)} UTC by {row.by}, told to nobody: {row.why}. {row.late && "Its time has passed."}</p>
        {refused && <p class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {refused}</p>}
        <Critical names={row.findings.map((one) => one.what)} call={call} change={setCall} focus={false} />
        <button class="primary" aria-disabled={!isWhole(call) || !may("sign")} disabled={!isWhole(call)}>It was told</button>
      </form>
    </section>
  );
}
