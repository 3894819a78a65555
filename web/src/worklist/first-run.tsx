import { useEffect, useRef, useState } from "preact/hooks";
import { asTrouble, Source } from "../api/load";
import { ask, Trouble } from "../api/door";
import { filesOf } from "../kit/drops";
import { may, me, ruleOf } from "../me";
import { to } from "../router";
import { count } from "../words";
import { brought, type Ledger, Sum } from "./brought";

const TOGETHER = 20;
const BYTES = 32e6;

interface Told {
  analyses: { analysis: string; modes: Record<string, string> }[];
}

/** An empty archive: how the first study comes in, and what to do then. The list itself takes this place when it is there. */
export function FirstRun() {
  const [unread, setUnread] = useState(""); // why what was dropped could not be read
  const ledger = brought.value;
  const busy = !!ledger?.busy;
  const trouble = unread || ledger?.trouble;
  const modes = useRef<Source<Told>>(null);
  modes.current ??= new Source((abort) => ask<Told>("/api/modes", { abort }));
  useEffect(() => (may("modes") && void modes.current?.load(), () => modes.current?.stop()), []);
  const folder = useRef<HTMLInputElement>(null);
  useEffect(() => folder.current?.setAttribute("webkitdirectory", ""), []); // no attribute that the types know
  const bring = async (files: File[]) => {
    if (!files.length || brought.peek()?.busy) return;
    setUnread("");
    const told: Ledger = { expected: files.length, stored: 0, rejected: [], busy: true, trouble: "" };
    brought.value = { ...told };
    try {
      for (const some of batches(files)) {
        await store(some, told);
        brought.value = { ...told };
      }
    } catch (error) {
      told.trouble = `${asTrouble(error).message}. Bring them again: what is stored already is not stored twice.`;
    }
    brought.value = { ...told, busy: false };
  };
  return (
    <section class="state first-run" aria-label="Set up" onDragOver={(event) => event.preventDefault()} onDrop={(event) => (event.preventDefault(), event.dataTransfer && void filesOf(event.dataTransfer).then(bring, (error) => setUnread(asTrouble(error).message)))}>
      <h2>The archive is empty</h2>
      <ol>
        <li><strong><span class="fine" aria-hidden="true">✓</span> You are signed in as {me.value?.name}.</strong> <span class="muted">{may("people") ? <>Others get their accounts in <a href={to.settings("people")}>Settings</a>.</> : ruleOf("people")}</span></li>
        <li>
          <strong><span class="link" aria-hidden="true">●</span> Bring the first images.</strong> Choose a folder or files, or drop them here.
          <p class="acts">
            <label class="button">A folder<input ref={folder} type="file" multiple class="hidden" disabled={busy || !may("receive")} onChange={(event) => void bring([...(event.currentTarget.files ?? [])])} /></label>
            <label class="button">Files<input type="file" multiple class="hidden" disabled={busy || !may("receive")} onChange={(event) => void bring([...(event.currentTarget.files ?? [])])} /></label>
          </p>
          {ledger && (
            <div role="status">
              <Sum of={ledger} />
            </div>
          )}
          {trouble && <p class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {trouble}</p>}
          <p class="muted">A scanner sends to the DICOM port of this machine once it is known here: <code>isocenter peer</code> adds it. A large folder is quickest by <code>isocenter receive FOLDER</code>.</p>
        </li>
        {may("modes") && (modes.current.value ? <Analyses of={modes.current.value} /> : <li class="muted">Analyses are being counted.</li>)}
        <li><strong><span class="faint" aria-hidden="true">○</span> Read the first study.</strong> <span class="muted">It appears here by itself, as soon as its first image is stored; what fits it is analysed when it has been quiet.</span></li>
      </ol>
    </section>
  );
}

/** How many analyses are here, and how they are used until people say otherwise: of the list and of reading apart. */
function Analyses({ of }: { of: Told }) {
  const all = of.analyses.length;
  const used = (use: string) => {
    const many = new Map<string, number>();
    for (const one of of.analyses) many.set(one.modes[use] ?? "", (many.get(one.modes[use] ?? "") ?? 0) + 1);
    return [...many].sort((a, b) => b[1] - a[1]).map(([mode, n]) => `${n === all ? "all" : n} ${mode}`).join(", ");
  };
  const shadow = of.analyses.filter(({ modes }) => modes.worklist === "shadow").length;
  return (
    <li>
      <strong><span class="fine" aria-hidden="true">✓</span> {count(all, "analysis", "analyses")} found, {shadow === all ? "all" : `${shadow} of them`} in shadow.</strong>{" "}
      <span class="muted">In the list: {used("worklist")}; in shadow an analysis orders nothing until <a href={to.settings("site")}>two people let it</a>. While you read: {used("reading")}{of.analyses.some(({ modes }) => modes.reading === "unaided-first") && "; unaided first, your own opinion comes before theirs"}.</span>
    </li>
  );
}

function* batches(files: File[]): Generator<File[]> {
  let some: File[] = [];
  let bytes = 0;
  for (const file of files) {
    if (some.length && (some.length === TOGETHER || bytes + file.size > BYTES)) {
      yield some;
      some = [];
      bytes = 0;
    }
    some.push(file);
    bytes += file.size;
  }
  if (some.length) yield some;
}

interface Item {
  "00000902"?: { Value?: string[] };
  /** Private: which part of the request it was, from 1, and the whole reason, of which Error Comment holds 64 letters. */
  "00991001"?: { Value?: number[] };
  "00991002"?: { Value?: string[] };
}
type Answer = Record<string, { Value?: Item[] } | undefined>;

/** One STOW-RS request (PS3.18); what was stored and what was not goes into the ledger. */
async function store(files: File[], ledger: Ledger): Promise<void> {
  const boundary = `isocenter-${Math.random().toString(36).slice(2)}`;
  const body = new Blob([...files.flatMap((file) => [`--${boundary}\r\nContent-Type: application/dicom\r\n\r\n`, file, "\r\n"]), `--${boundary}--\r\n`]);
  const answer = await fetch("/dicom-web/studies", { method: "POST", body, credentials: "same-origin", headers: { Accept: "application/dicom+json", "Content-Type": `multipart/related; type="application/dicom"; boundary=${boundary}` } }).catch(() => null);
  if (!answer) throw new Trouble(0, "The server cannot be reached", "the connection failed", "Choose the files again", "offline");
  const told = (await answer.json().catch(() => null)) as Answer | null;
  if (!told || !("00081199" in told || "00081198" in told || "0008119A" in told)) {
    for (const file of files) ledger.rejected.push({ name: file.name, why: `the server answered ${answer.status}` });
    return;
  }
  ledger.stored += told["00081199"]?.Value?.length ?? 0;
  for (const tag of ["00081198", "0008119A"]) for (const item of told[tag]?.Value ?? []) ledger.rejected.push({ name: files[(item["00991001"]?.Value?.[0] ?? 0) - 1]?.name ?? "", why: item["00991002"]?.Value?.[0] ?? item["00000902"]?.Value?.[0] ?? "no reason was given" });
}
