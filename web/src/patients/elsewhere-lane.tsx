import { type Signal, useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { ask } from "../api/door";
import { asTrouble } from "../api/load";
import { keyOf } from "../keys/keyboard";
import { Key } from "../kit/marks";
import { may, ruleOf } from "../me";
import { count, day, sentence } from "../words";
import { Lane } from "./lane";

interface There {
  peer: string;
  study: string;
  date: string;
  description: string;
  modalities: string[];
  images: number | null;
  /** Why it may be another person's; empty where nothing speaks for that. */
  doubt: string;
}

interface Told {
  studies: There[];
  silent: { peer: string; why: string }[];
  asked: string[];
}

/** What is known of other systems: not asked yet, being asked, told, or why not. */
export type Asked = { at: "not" } | { at: "asking" } | { at: "told"; told: Told } | { at: "refused"; words: string };

/** Ask the peers; whom one asks learns that the patient is examined here, so nobody is asked unasked. */
export async function lookElsewhere(study: string, asked: Signal<Asked>): Promise<void> {
  if (asked.peek().at === "asking") return;
  if (!may("fetch")) return void (asked.value = { at: "refused", words: ruleOf("fetch") });
  asked.value = { at: "asking" };
  try {
    asked.value = { at: "told", told: await ask<Told>(`/api/patients/${study}/elsewhere`, { method: "POST", deadline_s: 120 }) };
  } catch (error) {
    asked.value = { at: "refused", words: asTrouble(error).message };
  }
}

/** Studies of this patient that are known elsewhere and not held here. */
export function ElsewhereLane({ study, asked, again }: { study: string; asked: Signal<Asked>; again: () => void }) {
  const state = asked.value;
  const told = state.at === "told" ? state.told : null;
  return (
    <Lane name="Held elsewhere" told={told ? count(told.studies.length, "study", "studies") : ""}>
      {state.at === "not" && <p><button type="button" aria-disabled={!may("fetch")} title={may("fetch") ? "The peers learn that this patient is examined here; the journal keeps who asked" : ruleOf("fetch")} onClick={() => void lookElsewhere(study, asked)}>Ask the other systems <Key of={keyOf("timeline", "elsewhere")} /></button> <span class="muted">Nobody was asked yet.</span></p>}
      {state.at === "asking" && <p class="muted" role="status">Asking the other systems</p>}
      {state.at === "refused" && <p role="alert"><span class="soon" aria-hidden="true">▲</span> {sentence(state.words)}.</p>}
      {told && (
        <>
          <ol>{told.studies.map((one) => <Row key={one.peer + one.study} study={study} one={one} again={again} />)}</ol>
          {told.silent.map((one) => <p key={one.peer}><span class="soon" aria-hidden="true">▲</span> {sentence(one.why)}.</p>)}
          <p class="muted">{told.asked.length ? `${told.asked.join(", ")} answered${told.studies.length ? "." : ": nothing that is not here."}` : told.silent.length ? "" : "No other system that can be asked is known here."}</p>
        </>
      )}
    </Lane>
  );
}

interface Going {
  peer: string;
  study: string;
  state: "waiting" | "running" | "ended";
  came: number;
  /** Objects in all; 0 where the peer has not told. */
  of: number;
  failed: number;
  why: string;
}

/** How often a row asks how far its study is, in milliseconds. */
const EVERY = 1000;

function Row({ study, one, again }: { study: string; one: There; again: () => void }) {
  const said = useSignal("");
  const going = useSignal(false);
  const promised = useSignal(false);
  const mine = ({ fetching }: { fetching: Going[] }) => fetching.find((other) => other.study === one.study && other.peer === one.peer);
  const tell = (at: Going) => {
    said.value = at.state !== "ended" ? (at.of ? `Fetching ${at.came} of ${at.of}` : at.state === "waiting" ? "Waiting for its turn" : "Fetching")
      : at.came || !at.why ? `${count(at.came, "object")} came${at.failed || at.why ? `, ${at.failed} failed: ${at.why}` : ""}` : `▲ ${sentence(at.why)}`;
    if (at.state === "ended" && at.came) again();
    going.value = at.state !== "ended";
  };
  useEffect(() => {
    // What was asked for before this page was opened, also before the server was started anew, goes on.
    void ask<{ fetching: Going[] }>(`/api/patients/${study}/fetch`).then((told) => { const at = mine(told); if (at && at.state !== "ended") { promised.value = true; tell(at); } }, () => undefined);
    const clock = setInterval(() => {
      if (going.peek()) void ask<{ fetching: Going[] }>(`/api/patients/${study}/fetch`).then((told) => { const at = mine(told); if (at && going.peek() && (promised.peek() || at.state !== "ended")) tell(at); }, () => undefined);
    }, EVERY);
    return () => clearInterval(clock);
  }, []);
  const fetchIt = async () => {
    if (going.peek()) return;
    going.value = true;
    promised.value = false; // what is known as ended was another try
    said.value = "Fetching";
    try {
      const told = await ask<{ promised: boolean; came?: number; failed?: number; why?: string }>(`/api/patients/${study}/fetch`, { method: "POST", body: { peer: one.peer, study: one.study }, deadline_s: 600 });
      if (told.promised) promised.value = true;
      else tell({ peer: one.peer, study: one.study, state: "ended", came: told.came ?? 0, of: 0, failed: told.failed ?? 0, why: told.why ?? "" });
    } catch (error) {
      going.value = false;
      said.value = `▲ ${sentence(asTrouble(error).message)}`;
    }
  };
  const stop = async () => {
    try {
      const at = mine(await ask<{ fetching: Going[] }>(`/api/patients/${study}/fetch/stop`, { method: "POST", body: { peer: one.peer, study: one.study } }));
      if (at) tell(at);
    } catch (error) {
      said.value = `▲ ${sentence(asTrouble(error).message)}`;
    }
  };
  const of = <span class="hidden"> the study of {one.date ? day(one.date) : "no date"} from {one.peer}</span>;
  return (
    <li>
      <span>{one.date ? day(one.date) : "no date"}</span>
      <span>
        {one.description || `${one.modalities.join(" ")} study`} <span class="muted">{one.modalities.join("/")} · {one.peer}{one.images !== null && ` · ${count(one.images, "image")}`}</span>{" "}
        {one.doubt ? <span><span class="soon" aria-hidden="true">▲</span> {one.doubt}</span>
          : going.value ? <button type="button" onClick={() => void stop()}>Stop{of}</button>
          : <button type="button" onClick={() => void fetchIt()}>Fetch{of}</button>} <span role="status">{said.value}</span>
      </span>
    </li>
  );
}
