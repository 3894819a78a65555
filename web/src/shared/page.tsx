import { useEffect, useMemo, useState } from "preact/hooks";
import { ask, type Trouble } from "../api/door";
import { asTrouble } from "../api/load";
import { Empty, Loading } from "../kit/states";
import { address } from "../router";
import { Identity } from "./identity";
import { type Shared, Viewing } from "./viewing";
import { behind } from "./ways";

type Headers = Record<string, string>;

/** So often an open page asks whether its link still opens. */
const ASK_MS = 5000;

/** What somebody shares by a link: the images of one study, without an account. The secret stands behind `#` and travels in a header only. */
export function SharedPage() {
  const secret = address.value.hash.slice(1);
  const [said, setSaid] = useState<Said>(() => ({ word: "", code: keptCode(secret) }));
  const [shown, setShown] = useState<Shared | null>(null);
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const [identity, setIdentity] = useState("");
  const open = (now: Said) => {
    setSaid(now);
    const headers = headersOf(secret, now);
    ask<Shared>("/api/shared", { headers, deadline_s: 60 }).then(
      (told) => (setShown(told), setTrouble(null), setIdentity("")),
      async (error: unknown) => {
        setShown(null);
        setTrouble(asTrouble(error));
        // Whoever holds the link is told that it waits for them; to everybody else it opens nothing.
        const { identity: how } = await ask<{ identity: string }>("/api/shared/identity", { headers }).catch(() => ({ identity: "" }));
        setIdentity(how === "not asked" ? "" : how);
      },
    );
  };
  useEffect(() => {
    if (secret) open(said);
  }, [secret]);
  useEffect(() => (shown ? whileItOpens(headersOf(secret, said), (ended) => (setShown(null), setTrouble(ended))) : undefined), [shown, said]);
  const door = useMemo(() => behind(headersOf(secret, said)), [secret, said]);
  if (!secret) return <main><h1 class="hidden">Shared with you</h1><Empty title="This link is not whole">What opens a study stands behind the sign # of its link, and here is nothing. Copy the whole of it, to its end.</Empty></main>;
  if (trouble && identity) return <Identity state={identity} headers={(code) => headersOf(secret, { ...said, code })} stated={(code) => (keepCode(secret, code), open({ ...said, code }))} again={() => open(said)} />;
  if (trouble) return <Closed trouble={trouble} again={(word) => open({ ...said, word })} />;
  if (!shown) return <main><Loading what="the study" /></main>;
  return <Viewing shared={shown} door={door} closed={() => open(said)} />;
}

/** What has to be said with a link, where it asks. */
interface Said {
  word: string;
  code: string;
}

/** The code stays for as long as this tab: a page that is loaded again does not ask for it once more. */
function keptCode(secret: string): string {
  return sessionStorage.getItem(`code ${secret.slice(-6)}`) ?? "";
}

function keepCode(secret: string, code: string): void {
  sessionStorage.setItem(`code ${secret.slice(-6)}`, code);
}

/** What is on screen leaves it when the link is taken back, and at the second at which it ends, also where the server cannot be reached. */
function whileItOpens(headers: Headers, ended: (trouble: Trouble) => void): () => void {
  let clock = 0;
  let end = Infinity;
  const look = () =>
    ask<{ left_s: number }>("/api/shared/left", { headers }).then(
      ({ left_s }) => ((end = performance.now() + left_s * 1000), again()),
      (error: unknown) => (asTrouble(error).status === 403 || performance.now() >= end ? ended(asTrouble(error)) : again()),
    );
  const again = () => (clock = window.setTimeout(() => void look(), Math.max(0, Math.min(ASK_MS, end - performance.now()))));
  void look();
  return () => clearTimeout(clock);
}

/** A header carries bytes: of a word in other letters those of UTF-8. */
function headersOf(secret: string, { word, code }: Said): Headers {
  return { "X-Isocenter-Link": secret, ...(code && { "X-Isocenter-Code": code.replace(/[^\x20-\x7e]/g, "") }), ...(word && { "X-Isocenter-Word": String.fromCharCode(...new TextEncoder().encode(word)) }) };
}

/** The link opens nothing: never given, ended, or it wants a word. Which of these is nobody's business who does not hold it. */
function Closed({ trouble, again }: { trouble: Trouble; again: (word: string) => void }) {
  const said = (event: SubmitEvent) => {
    event.preventDefault();
    again(String(new FormData(event.currentTarget as HTMLFormElement).get("word") ?? ""));
  };
  if (trouble.unreached) return <main><h1 class="hidden">Shared with you</h1><section class="state" role="alert"><h2>{trouble.what}</h2><p class="muted">{trouble.why}</p><button type="button" onClick={() => again("")}>Try again</button></section></main>;
  return (
    <main>
      <h1 class="hidden">Shared with you</h1>
      <section class="state" role="alert" aria-label="Closed">
        <h2>This link opens nothing</h2>
        <p>It was never given, it has ended, or a word has to be said with it. Nothing else can be told here.</p>
        <p class="muted">{trouble.status === 403 ? "Ask whoever gave it to you." : trouble.told}</p>
        <form class="acts" onSubmit={said}>
          <label>The word, if you were told one <input name="word" type="password" autocomplete="off" required /></label>
          <button class="primary">Open</button>
        </form>
      </section>
    </main>
  );
}
