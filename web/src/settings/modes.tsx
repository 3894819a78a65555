import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../api/door";
import { asTrouble, Source } from "../api/load";
import { Shown } from "../kit/states";
import { may, me, ruleOf } from "../me";
import { to } from "../router";
import { moment, spoken } from "../words";

interface Proposal {
  proposal: string;
  use: string;
  mode: string;
  was: string;
  by: string;
  time: string;
  reason: string;
}

interface Told {
  allowed: Record<string, string[]>;
  default: Record<string, string>;
  analyses: { analysis: string; modes: Record<string, string>; set: Record<string, boolean>; proposals: Proposal[] }[];
}

/** How each analysis is used here. To show more takes two people; to show nothing takes one. */
export function Modes({ wanted }: { wanted: string }) {
  const source = useRef<Source<Told>>(null);
  source.current ??= new Source((abort) => ask<Told>("/api/modes", { abort }));
  const modes = source.current;
  const [asked, setAsked] = useState<{ analysis: string; use: string; mode: string } | null>(null);
  const [refused, setRefused] = useState("");
  useEffect(() => (void modes.load(), () => modes.stop()), []);
  const send = async (path: string, body: object) => {
    try {
      modes.put(await ask<Told>(path, { method: "POST", body }));
      setAsked(null);
      setRefused("");
    } catch (error) {
      setRefused(asTrouble(error).message);
    }
  };
  return (
    <section aria-labelledby="modes">
      <h2 id="modes">How analyses are used</h2>
      <p class="muted">A change takes two people: one proposes with a reason, another agrees. To shadow, where nothing is shown, one is enough. {!may("mode") && ruleOf("mode")}</p>
      {refused && <p class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {refused}</p>}
      <Shown of={modes} what="the modes">
        {(told) => (
          <table class="plain wide">
            <thead><tr><th scope="col">Analysis</th>{Object.keys(told.allowed).map((use) => <th scope="col" key={use}>{spoken(use)}</th>)}</tr></thead>
            <tbody>
              {told.analyses.filter((one) => one.analysis.includes(wanted.replace(/ /g, "_")) || "modes analyses used".includes(wanted)).map((one) => (
                <tr key={one.analysis}>
                  <td><a href={to.analyses(one.analysis)}>{spoken(one.analysis)}</a></td>
                  {Object.entries(told.allowed).map(([use, allowed]) => (
                    <td key={use}>
                      <select aria-label={`${spoken(one.analysis)}, ${use}`} disabled={!may("mode")} value={one.modes[use]} onChange={(event) => (setAsked({ analysis: one.analysis, use, mode: event.currentTarget.value }), (event.currentTarget.value = one.modes[use] ?? ""))}>
                        {allowed.map((mode) => <option key={mode}>{mode}</option>)}
                      </select>
                      <span class="origin"> {one.set[use] ? "set here" : "as shipped"}</span>
                      {asked?.analysis === one.analysis && asked.use === use && <Reason mode={asked.mode} give={(reason) => void send(`/api/modes/${one.analysis}`, { use, mode: asked.mode, reason })} leave={() => setAsked(null)} />}
                      {one.proposals.filter((proposal) => proposal.use === use).map((proposal) => (
                        <p key={proposal.proposal} class="muted">{proposal.by} proposes {proposal.mode}, {moment(proposal.time)} UTC: {proposal.reason} {proposal.by === me.value?.name ? "A second person has to agree." : may("mode") && <button type="button" onClick={() => void send(`/api/modes/${one.analysis}/confirm`, { use, proposal: proposal.proposal })}>Agree</button>}</p>
                      ))}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </Shown>
    </section>
  );
}

function Reason({ mode, give, leave }: { mode: string; give: (reason: string) => void; leave: () => void }) {
  const [reason, setReason] = useState("");
  return (
    <form class="reason" onSubmit={(event) => (event.preventDefault(), give(reason))}>
      <label>Why {mode}?<input required maxLength={1000} autofocus value={reason} onInput={(event) => setReason(event.currentTarget.value)} /></label>
      <button class="primary">Propose</button><button type="button" onClick={leave}>Leave it</button>
    </form>
  );
}
