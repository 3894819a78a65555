import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../api/door";
import { asTrouble, Source } from "../api/load";
import { Shown } from "../kit/states";
import { moment } from "../words";

interface Session {
  id: string;
  begun: string;
  seen: string;
  address: string;
  here: boolean;
}

/** Where one's own account is signed in, and the way to end it there. The password is asked once more, since anybody may sit down at an open screen. */
export function Sessions() {
  const source = useRef<Source<Session[]>>(null);
  source.current ??= new Source(async (abort) => (await ask<{ sessions: Session[] }>("/api/me/sessions", { abort })).sessions);
  const sessions = source.current;
  const [told, setTold] = useState<{ done: boolean; words: string } | null>(null);
  const word = useRef<HTMLInputElement>(null);
  useEffect(() => void sessions.load(), []);
  const end = async (ids: string[]) => {
    try {
      const { ended } = await ask<{ ended: number }>("/api/me/sessions/end", { method: "POST", body: { sessions: ids, password: word.current?.value ?? "" } });
      if (word.current) word.current.value = "";
      setTold({ done: true, words: `${ended} ${ended === 1 ? "session has" : "sessions have"} ended.` });
    } catch (error) {
      setTold({ done: false, words: asTrouble(error).told });
    }
    await sessions.load();
  };
  return (
    <section aria-labelledby="sessions">
      <h2 id="sessions">Where you are signed in</h2>
      <p class="muted">Ten sessions at most. One that you do not know: end it, and take another password.</p>
      {told && <p class="callout" role={told.done ? "status" : "alert"}>{!told.done && <><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span></>} {told.words}</p>}
      <Shown of={sessions} what="your sessions">
        {(all) => (
          <>
            <table class="plain">
              <thead><tr><th scope="col">Since (UTC)</th><th scope="col">Used last (UTC)</th><th scope="col">From</th><th scope="col"><span class="hidden">End it</span></th></tr></thead>
              <tbody>
                {all.map((one) => (
                  <tr key={one.id}>
                    <td>{moment(one.begun)}</td><td>{moment(one.seen)}</td><td>{one.address || "this server"}</td>
                    <td>{one.here ? <span class="muted">this one</span> : <button type="button" onClick={() => void end([one.id])} aria-label={`End the session since ${moment(one.begun)} from ${one.address || "this server"}`}>End</button>}</td>
                  </tr>
                ))}
              </tbody>
            </table>
            {all.length > 1 && (
              <form class="add own" onSubmit={(event) => (event.preventDefault(), void end([]))} aria-label="End other sessions">
                <label>Your password, once more<input ref={word} type="password" maxLength={1024} autocomplete="current-password" /></label>
                <button>End all others</button>
              </form>
            )}
          </>
        )}
      </Shown>
    </section>
  );
}
