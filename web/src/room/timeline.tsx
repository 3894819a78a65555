import { useEffect, useState } from "preact/hooks";
import { ask } from "../api/door";
import { asTrouble } from "../api/load";
import { Failed } from "../kit/states";
import { to } from "../router";
import { count } from "../words";
import type { Desk } from "./desk";
import { type Lesions, LesionTable, type Pair } from "./lesion-table";

/** This patient's lesions through their studies, where there are earlier ones. What may not be shown yet is not in it. */
export function Timeline({ desk }: { desk: Desk }) {
  const { session } = desk;
  const { lesions } = session;
  const [refused, setRefused] = useState("");
  useEffect(() => void lesions.load(), [session.results.value]); // decisions change what stands in it
  const state = lesions.state.value;
  if (state.at === "failed" && state.trouble.status !== 403) return <Failed trouble={state.trouble} again={() => void lesions.load()} stands="What became of lesions since earlier studies is not on this page." />;
  const told = lesions.value;
  if (!told || told.studies.length < 2) return null;
  const say = (pair: Pair) => void ask<Lesions>(`/api/studies/${session.uid}/lesions`, { method: "POST", body: pair }).then((now) => lesions.put(now), (error: unknown) => setRefused(asTrouble(error).message));
  return (
    <details class="whole" open={told.lesions.length > 0}>
      <summary>Timeline: {count(told.studies.length, "study", "studies")}, {count(told.lesions.length, "lesion")}</summary>
      {refused && <p class="soon" role="alert">{refused}</p>}
      {told.lesions.length > 0 && <LesionTable told={told} say={session.mine.value ? say : undefined} />}
      <a href={to.patients(session.uid)}>The whole timeline of this patient</a>
    </details>
  );
}
