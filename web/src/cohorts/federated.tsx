import { useEffect, useRef } from "preact/hooks";
import { ask } from "../api/door";
import { onHappening } from "../api/live";
import { Source } from "../api/load";
import { Empty, Shown } from "../kit/states";
import { address, setQuery, to } from "../router";
import { count, moment, spoken } from "../words";

interface Round {
  round: number;
  when: string;
  sites: string[] | null;
  lost: string[] | null;
  bytes: number | Record<string, number> | null;
  aside: number | Record<string, number> | null;
  pictures: number | null;
  epsilon: number | null;
  seconds: number | null;
}

interface Run {
  run: string;
  role: "site" | "coordinator";
  agreement: Record<string, string | number | boolean>;
  begun: string | null;
  ended: string | null;
  why: string;
  rounds: Round[];
}

const KINDS = ["FederationJoined", "FederationRound", "FederationDone"];

/** Federations of which the journal of this archive knows: rounds, sites, who was lost, bytes, the loss of privacy, what was set aside. */
export function Federated() {
  const source = useRef<Source<Run[]>>(null);
  source.current ??= new Source(async (abort) => (await ask<{ federations: Run[] }>("/api/federations", { abort })).federations);
  const runs = source.current;
  useEffect(() => {
    void runs.load();
    const forget = onHappening(({ kind }) => KINDS.includes(kind) && void runs.load());
    return () => (forget(), runs.stop());
  }, []);
  return (
    <Shown of={runs} what="the federations">
      {(all) => {
        if (!all.length) return <None />;
        const chosen = all.find((one) => one.run === address.value.searchParams.get("run")) ?? all[0]!;
        return <><Runs all={all} chosen={chosen} /><Rounds run={chosen} /></>;
      }}
    </Shown>
  );
}

function None() {
  return (
    <Empty title="This archive has taken part in no federation">
      <p>Several sites train one model; no image leaves its site, and nobody sees more than the sum of their updates. Its rounds stand here then: sites, who was lost, bytes, the loss of privacy, pictures set aside.</p>
      <ol class="steps-of-federation">
        <li>One side makes the authority, and an identity for each site: <code>isocenter federate authority FOLDER</code>, <code>isocenter federate identity NAME --authority FOLDER --out SITE</code></li>
        <li>It coordinates, and keeps the rounds here: <code>isocenter federate coordinate RECIPE --identity FOLDER --out RUN --archive ARCHIVE</code></li>
        <li>Each site takes part, after its terms of use were asked: <code>isocenter federate join https://… --data EXAMPLES --identity SITE --out RUN --archive ARCHIVE</code></li>
      </ol>
      <p>Whether images may be used so is recorded under <a href={to.sharing("consent")}>Consent</a>.</p>
    </Empty>
  );
}

const state = (run: Run) => (run.ended ? (run.why ? "stopped" : "finished") : "under way");

function Runs({ all, chosen }: { all: Run[]; chosen: Run }) {
  return (
    <table class="plain wide">
      <thead><tr><th scope="col">Task</th><th scope="col">Here</th><th scope="col">State</th><th scope="col" class="num">Rounds</th><th scope="col" class="num">ε</th><th scope="col">Begun</th><th scope="col">Run</th></tr></thead>
      <tbody>
        {all.map((one) => (
          <tr key={one.run} aria-current={one === chosen ? "true" : undefined}>
            <td><button type="button" class="quiet link" onClick={() => setQuery("run", one.run, { keep: true })}>{spoken(String(one.agreement.task ?? "not told"))}</button></td>
            <td>{one.role === "coordinator" ? "coordinates" : "takes part"}</td>
            <td>{one.ended && one.why ? <span class="soon">▲ stopped</span> : state(one)}</td>
            <td class="num">{one.rounds.length}{one.agreement.rounds !== undefined && ` of ${one.agreement.rounds}`}</td>
            <td class="num">{epsilon(one)}</td>
            <td class="muted">{one.begun ? `${moment(one.begun)} UTC` : "not told"}</td>
            <td class="id">{one.run.slice(0, 12)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** What privacy has lost so far, of what this site allows where it set a limit; without noise nothing is promised, and nothing counted. */
function epsilon(run: Run): string {
  if (!run.agreement.privacy) return "no noise agreed";
  const told = run.rounds.map((one) => one.epsilon).filter((one) => one !== null);
  const most = Number(run.agreement.most_epsilon ?? 0);
  return `${told.length ? Math.max(...told).toFixed(2) : "0"}${most > 0 ? ` of ${most}` : ""}`;
}

function Rounds({ run }: { run: Run }) {
  const { agreement, rounds } = run;
  return (
    <section aria-label="Rounds">
      <h2>{spoken(String(agreement.task ?? ""))}: {state(run)}{run.ended && `, ${moment(run.ended)} UTC`}</h2>
      {run.why && <p class="callout"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {run.why}</p>}
      <p class="muted">{[agreement.method, agreement.at_least !== undefined && `sums of at least ${agreement.at_least} sites`, agreement.privacy ? `noise hides each ${agreement.privacy}, δ ${agreement.delta}` : "no noise agreed: a site is hidden in the sum, and nowhere else", agreement.ground && `ground: ${agreement.ground}`].filter(Boolean).join(" · ")}</p>
      {run.role === "site" && <p class="muted">A site's journal holds its own part: who else was in a round is known to the coordinator. Set aside when it joined: {String(agreement.aside ?? 0)}.</p>}
      {rounds.length ? (
        <div class="lesion-scroll" tabIndex={0} role="group" aria-label="Rounds of the federation">
          <table class="plain wide">
            <thead>
              {run.role === "site" ? <tr><th scope="col" class="num">Round</th><th scope="col">Sent</th><th scope="col" class="num">Pictures</th><th scope="col" class="num">Set aside</th><th scope="col" class="num">Bytes sent</th><th scope="col" class="num">ε so far</th></tr>
                : <tr><th scope="col" class="num">Round</th><th scope="col">Ended</th><th scope="col">Sites in the sum</th><th scope="col">Lost</th><th scope="col">Set aside</th><th scope="col">Bytes by site</th><th scope="col" class="num">All bytes</th><th scope="col" class="num">ε so far</th></tr>}
            </thead>
            <tbody>
              {rounds.map((one) => (
                <tr key={one.round + one.when}>
                  <td class="num">{one.round}</td>
                  <td class="muted">{moment(one.when)} UTC</td>
                  {run.role === "site" ? <><td class="num">{one.pictures ?? "–"}</td><td class="num">{all(one.aside)}</td></> : (
                    <>
                      <td>{one.sites?.join(", ") ?? "–"}</td>
                      <td>{one.lost?.length ? <span class="soon">▲ {one.lost.join(", ")}</span> : <span class="muted">nobody</span>}</td>
                      <td>{each(one.aside, String) || <span class="muted">nothing</span>}</td>
                      <td class="muted">{each(one.bytes, size)}</td>
                    </>
                  )}
                  <td class="num">{size(all(one.bytes))}</td>
                  <td class="num">{agreement.privacy && one.epsilon !== null ? one.epsilon.toFixed(2) : <span class="muted">–</span>}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      ) : <p>No round is finished yet.</p>}
      {rounds.length > 0 && <p class="muted">{count(rounds.length, "round")}, {size(rounds.reduce((sum, one) => sum + all(one.bytes), 0))} in all. An update has the size of the network, however many pictures a site has.</p>}
    </section>
  );
}

const all = (told: number | Record<string, number> | null) => (typeof told === "number" ? told : Object.values(told ?? {}).reduce((sum, one) => sum + one, 0));
const each = (told: number | Record<string, number> | null, words: (n: number) => string) => (told && typeof told === "object" ? Object.entries(told).map(([site, n]) => `${site} ${words(n)}`).join(", ") : "");

/** Bytes as people read them. */
function size(bytes: number): string {
  const step = bytes >= 1e6 ? ([1e6, "MB"] as const) : bytes >= 1e3 ? ([1e3, "kB"] as const) : ([1, "B"] as const);
  return `${(bytes / step[0]).toFixed(step[0] > 1 ? 1 : 0)}\u2009${step[1]}`;
}
