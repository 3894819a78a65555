import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../api/door";
import { asTrouble } from "../api/load";

/** So often a page that waits asks whether it was confirmed. */
const ASK_MS = 3000;

interface Given {
  /** ``wanted``, ``pending``, ``accepted`` or ``refused``. */
  state: string;
  headers: (code: string) => Record<string, string>;
  stated: (code: string) => void;
  again: () => void;
}

/** The link opens when whoever gave it has confirmed who holds it: say who you are, and wait. */
export function Identity({ state, headers, stated, again }: Given) {
  const [refused, setRefused] = useState("");
  const head = useRef<HTMLHeadingElement>(null);
  const waits = state === "pending";
  useEffect(() => head.current?.focus(), [state]);
  useEffect(() => {
    if (!waits) return;
    const clock = setInterval(again, ASK_MS);
    return () => clearInterval(clock);
  }, [waits, again]);
  const send = (event: SubmitEvent) => {
    event.preventDefault();
    const told = new FormData(event.currentTarget as HTMLFormElement);
    const code = String(told.get("code") ?? "").trim();
    if (state === "accepted") return stated(code);
    ask("/api/shared/identity", { method: "POST", body: { name: String(told.get("name") ?? "") }, headers: headers(code) }).then(() => stated(code), (error: unknown) => setRefused(asTrouble(error).told));
  };
  return (
    <main>
      <h1 class="hidden">Shared with you</h1>
      <section class="state" aria-label="Who holds this link">
        <h2 ref={head} tabIndex={-1}>{waits ? "Check of identity pending" : state === "accepted" ? "Say the code once more" : "Who are you?"}</h2>
        {state === "refused" && <p class="callout" role="alert"><span class="now" aria-hidden="true">⬢</span> <span class="hidden">Important:</span> Whoever gave the link did not confirm what was stated. Speak with them, and state it once more.</p>}
        <p>{waits ? "Whoever gave the link is asked to confirm it. Nothing is shown before; this page opens by itself." : state === "accepted" ? "Who holds this link was confirmed; it opens with the code." : "This link opens when whoever gave it has confirmed who holds it. Say your name and your house, and the code that you were told."}</p>
        {refused && <p class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {refused}</p>}
        {!waits && (
          <form class="stack" onSubmit={send} aria-label="Say who you are">
            {state !== "accepted" && <label>Name and house<input name="name" required maxLength={200} autocomplete="name" /></label>}
            <label>Code<input name="code" required maxLength={40} inputMode="numeric" autocomplete="off" placeholder="0000-0000-0000-0000" /></label>
            <p class="acts"><button class="primary">{state === "accepted" ? "Open" : "Say so"}</button></p>
          </form>
        )}
      </section>
    </main>
  );
}
