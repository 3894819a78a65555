import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../api/door";
import { Source } from "../api/load";
import { onHappening } from "../api/live";
import { Shown, WithRight } from "../kit/states";
import { me } from "../me";
import { queryOf } from "../room/here";
import { address, go, to } from "../router";
import { moment } from "../words";
import { Act, fields } from "./act";
import { Refusal } from "./refusal";
import { nowhere, Slices, type Spot } from "./slices";
import { Together } from "./together";

interface Thread {
  number: string;
  address: string;
  settled: boolean;
  place: { series: string; image: string; frame: number; window: [number, number] | null; marks: [number, number][] };
  remarks: { number: string; who: string; time: string; words: string; settles: boolean }[];
}

/** `own_first`: this person's own opinion comes before others' words, of which the server has sent none; `blind`: it is given where they review or read double. */
interface Said {
  threads: Thread[];
  own_first: boolean;
  blind: boolean;
}

/** The view that an address holds: UIDs and numbers, no name. */
function spotOf(query: URLSearchParams): Spot {
  const numbers = (text: string | null) => (text ? text.split(",").map(Number) : []);
  const [centre, width] = numbers(query.get("window"));
  return {
    series: query.get("series") ?? "", image: query.get("image") ?? "", frame: Number(query.get("frame") ?? 0) || 0,
    window: centre !== undefined && width !== undefined && width > 0 ? [centre, width] : null,
    marks: (query.get("marks") ?? "").split(";").filter(Boolean).map((one) => numbers(one) as [number, number]).filter(([x, y]) => Number.isFinite(x) && Number.isFinite(y)),
  }; // prettier-ignore
}

/** `together`: whoever opens it looks together with those who do; a reload goes on doing so. */
function addressOf(study: string, at: Spot, together: boolean): string {
  const told = new URLSearchParams();
  if (at.series) told.set("series", at.series);
  if (at.image) told.set("image", at.image);
  if (at.frame) told.set("frame", String(at.frame));
  if (at.window) told.set("window", at.window.join(","));
  if (at.marks.length) told.set("marks", at.marks.map((mark) => mark.join(",")).join(";"));
  if (together) told.set("together", "1");
  const query = told.toString().replaceAll("%2C", ",").replaceAll("%3B", ";");
  return `${to.oversight("view", study)}${query && `?${query}`}`;
}

/** The same image in the reading room. */
function roomQuery(at: Spot): string {
  const [centre, width] = at.window ?? [];
  return at.image ? `?${queryOf({ ...at, window: centre !== undefined && width !== undefined ? { centre, width } : null })}` : "";
}

const marksOf = (marks: unknown[]) => `${marks.length} mark${marks.length === 1 ? "" : "s"}`;

/** One view for two desks: what is on screen is in the address, what is said stays, where one points does not. */
export function ViewPart({ study }: { study: string }) {
  const at = spotOf(address.value.searchParams);
  const move = (next: Spot) => go(addressOf(study, next, together.current!.on.peek()), { replace: true });
  const [copied, setCopied] = useState("");
  const together = useRef<Together>(null);
  together.current ??= new Together(study, () => spotOf(new URL(location.href).searchParams), move);
  const live = together.current;
  useEffect(() => {
    if (address.peek().searchParams.has("together")) live.join();
    return () => live.leave();
  }, []);
  useEffect(() => live.moved(), [address.value.search]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(location.href);
      setCopied("The address is copied. Whoever opens it needs the right to the study; no name is in it.");
    } catch {
      setCopied("Copy the address from the browser's own bar: it holds this very view.");
    }
  };
  return (
    <>
      <header class="bar" data-region tabIndex={-1}>
        <h1>A view for a colleague</h1>
        <button type="button" onClick={() => void copy()}>Copy the address</button>
        <button type="button" aria-pressed={live.on.value} onClick={() => (live.on.value ? live.leave() : live.join(), move(at))}>Look together</button>
        <label class="check"><input type="checkbox" checked={live.follow.value} onChange={(event) => (live.follow.value = event.currentTarget.checked)} /> follow the other</label>
        <span class="muted" role="status">{live.on.value ? (live.people.value.length > 1 ? `here: ${live.people.value.join(", ")}` : "nobody else is here yet") : copied}</span>
        <span class="gap" />
        <a class="button" href={to.headset(study)}>Surfaces</a>
        <a class="button" href={`${to.study(study)}${roomQuery(at)}`}>To the reading room</a>
      </header>
      <main class="oversight" data-region tabIndex={-1}>
        {live.trouble.value && <p class="callout" role="alert"><span class="hidden">Important:</span> {live.trouble.value}</p>}
        <div class="beside">
          <Slices whose study={study} at={at} move={move} point={(place) => live.point(place)} others={live.others.value} />
          <section class="threads" aria-label="What was said"><WithRight verb="consult"><Threads study={study} at={at} move={move} /></WithRight></section>
        </div>
      </main>
    </>
  );
}

function Threads({ study, at, move }: { study: string; at: Spot; move: (to: Spot) => void }) {
  const source = useRef<Source<Said>>(null);
  source.current ??= new Source((abort) => ask<Said>(`/api/studies/${study}/remarks`, { abort }));
  const act = useRef(new Act()).current;
  const path = `/api/studies/${study}/remarks`;
  useEffect(() => {
    void source.current!.load();
    return onHappening((one) => (one.kind === "Remarked" || one.kind === "OpinionLocked") && one.subject === study && void source.current!.load());
  }, []);
  const say = async (event: SubmitEvent, thread = "", place: Spot = at) => {
    const form = event.currentTarget as HTMLFormElement;
    const told = await act.send<Said>(path, { ...fields(event), thread, ...place });
    if (told) (source.current!.put(told), form.reset());
  };
  const settle = async (number: string) => {
    const told = await act.send<Said>(`${path}/${number}/settle`, {});
    if (told) source.current!.put(told);
  };
  return (
    <>
      <form onSubmit={(event) => void say(event)}>
        <label>About this view{at.marks.length > 0 && ` and its ${marksOf(at.marks)}`}<textarea name="words" rows={3} required maxLength={4000} placeholder="Click into the image to mark a place, then ask" /></label>
        <button type="submit" class="primary" disabled={act.busy.value}>Say it</button>
      </form>
      <Refusal of={act} />
      <Shown of={source.current} what="what was said">
        {({ threads, own_first: ownFirst, blind }) => threads.length === 0 && !ownFirst ? <p class="muted">Nobody has said anything about this study.</p> : (
          <>{ownFirst && <p class="muted">Your own opinion comes first here: what colleagues say of this study, and where they look, is shown once you have {blind ? <>given it under <a href={to.oversight("double")}>Double reading</a> or <a href={to.oversight("peer")}>Peer learning</a></> : <>locked it in <a href={to.study(study)}>the reading room</a></>}. Until then you see your own words alone.</p>}{threads.map((thread) => (
            <article key={thread.number} class={thread.settled ? "thread settled" : "thread"}>
              <p><a href={thread.address} onClick={(event) => (event.preventDefault(), move({ ...nowhere, ...thread.place }))}>Show the place</a>{thread.place.marks.length > 0 && <span class="muted"> {marksOf(thread.place.marks)}</span>}{thread.settled && <span class="muted"> · settled</span>}</p>
              {thread.remarks.filter((one) => !one.settles).map((one) => <p key={one.number}><strong>{one.who === me.value?.name ? "You" : one.who}</strong> <span class="muted">{moment(one.time)} UTC</span><br />{one.words}</p>)}
              <form class="acts" onSubmit={(event) => void say(event, thread.number, { ...nowhere, ...thread.place })}>
                <label><span class="hidden">Answer</span><input name="words" required maxLength={4000} placeholder="Answer" /></label>
                <button type="submit">Answer</button>
                {!thread.settled && <button type="button" class="quiet" onClick={() => void settle(thread.number)}>Settled</button>}
              </form>
            </article>
          ))}</>
        )}
      </Shown>
    </>
  );
}
