import { useEffect, useRef } from "preact/hooks";
import { ask } from "../api/door";
import { Source } from "../api/load";
import { Lacking } from "../kit/states";
import { clock } from "../words";

interface Way {
  to: string;
  form: "HL7" | "DICOM";
  state: "at signing" | "waits" | "arrived" | "refused";
  time: string;
  why: string;
}

/** So often it is asked again while something is on its way. */
const AGAIN_MS = 5000;

/** Where the report goes once it is signed: before, to whom; afterwards, how far it has come at each. */
export function Ways({ study, signed }: { study: string; signed: string }) {
  const held = useRef<Source<Way[]>>(null);
  held.current ??= new Source(async (abort) => (await ask<{ ways: Way[] }>(`/api/readings/${study}/gone`, { abort })).ways);
  const source = held.current;
  const ways = source.value;
  const waits = !!ways?.some((one) => one.state === "waits");
  useEffect(() => void source.load(), [signed]);
  useEffect(() => () => source.stop(), []);
  useEffect(() => {
    if (!waits) return;
    const again = setInterval(() => void source.load(), AGAIN_MS);
    return () => clearInterval(again);
  }, [waits]);
  if (!ways) return <Lacking of={source} what="Where the report goes" />;
  if (!ways.length) return <>this archive alone</>;
  return <>{ways.map((one, i) => <span key={one.to + one.form}>{i > 0 && " · "}<One way={one} /></span>)}</>;
}

function One({ way: { to, form, state, time, why } }: { way: Way }) {
  const name = `${to} (${form === "DICOM" ? "report, SR, SEG" : "HL7"})`;
  if (state === "at signing") return <>{name}{why && <span class="soon"> ▲ {why}</span>}</>;
  if (state === "arrived") return <>{name} <span class="fine">✓ {clock(new Date(time))}</span></>;
  if (state === "refused") return <>{name} <span class="soon">▲ not taken: {why}</span></>;
  return <>{name} <span class="soon">⧗ on its way{why && `: ${why}`}</span></>;
}
