import { useState } from "preact/hooks";
import { ask } from "../api/door";
import { asTrouble } from "../api/load";
import { type Lesions, LesionTable, nameOf, type Pair } from "../room/lesion-table";
import { may, ruleOf } from "../me";
import { day } from "../words";

interface Taken {
  tracking: string;
  study: number;
  /** Which row it stands in. */
  lesion: number;
  words: string;
}

/** Lesions through time, and a person's word on which findings are one: two are taken in hand and joined, or parted. */
export function Joining({ told, about, again }: { told: Lesions; about: string; again: () => void }) {
  const [open, setOpen] = useState(false);
  const [taken, setTaken] = useState<string[]>([]);
  const [refused, setRefused] = useState("");
  const [busy, setBusy] = useState(false);
  const take = (tracking: string) => (setRefused(""), setTaken(taken.includes(tracking) ? taken.filter((one) => one !== tracking) : [...taken, tracking].slice(-2)));
  const say = async (pair: Pair) => {
    setBusy(true);
    try {
      await ask(`/api/studies/${about}/lesions`, { method: "POST", body: pair });
      setTaken([]);
      setRefused("");
      again();
    } catch (error) {
      setRefused(asTrouble(error).message);
    }
    setBusy(false);
  };
  const allowed = may("correct");
  return (
    <>
      <p class="acts">
        <button type="button" aria-pressed={open} aria-disabled={!allowed} title={allowed ? "Say which findings are one lesion, or that two are not" : ruleOf("correct")} onClick={() => allowed && (setOpen(!open), setTaken([]))}>Join or part by hand</button>
      </p>
      {open && <Hand told={told} two={taken.map((one) => placeOf(told, one)).filter((one): one is Taken => !!one)} busy={busy} refused={refused} say={(pair) => void say(pair)} />}
      <LesionTable told={told} say={allowed ? (pair) => void say(pair) : undefined} byHand={open ? { taken, take } : undefined} />
      {!open && refused && <p class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {refused}</p>}
    </>
  );
}

function placeOf(told: Lesions, tracking: string): Taken | null {
  for (const [lesion, one] of told.lesions.entries()) {
    const study = one.points.findIndex((point) => point?.tracking === tracking);
    if (study >= 0) return { tracking, study, lesion, words: `${nameOf(one)}, ${day(told.studies[study]?.date)}` };
  }
  return null;
}

/** What can be said of two findings: a lesion goes on from its latest finding, so that this is the one that is joined or parted. */
function pairOf(told: Lesions, one: Taken, other: Taken): { pair: Omit<Pair, "same"> | null; why: string } {
  const [earlier, later] = [told.lesions[one.lesion]!.points, told.lesions[other.lesion]!.points];
  const before = earlier.slice(0, other.study).filter(Boolean).at(-1);
  if (one.study === other.study || !before) return { pair: null, why: "Both are of one study: one lesion is seen once at a time." };
  const pair = { one: before.tracking, other: other.tracking };
  if (one.lesion === other.lesion) return { pair, why: "They stand as one lesion: parted, the later finding begins one of its own." };
  if (earlier[other.study]) return { pair: null, why: "The first lesion has a finding in that study already: part them before." };
  if (later.slice(0, other.study).some(Boolean)) return { pair: null, why: "The later finding goes on from an earlier one: part these before." };
  return { pair, why: "They stand as two lesions." };
}

/** What may be said of the two in hand, and why not where it may not. */
function Hand({ told, two, busy, refused, say }: { told: Lesions; two: Taken[]; busy: boolean; refused: string; say: (pair: Pair) => void }) {
  const [one, other] = [...two].sort((a, b) => a.study - b.study);
  const { pair, why } = one && other ? pairOf(told, one, other) : { pair: null, why: "" };
  const together = !!one && one.lesion === other?.lesion;
  return (
    <div class="for joining" role="group" aria-label="Join or part by hand">
      <p role="status">
        {!one && "Take two findings of two studies in the table below."}
        {one && !other && <>In hand: <strong>{one.words}</strong>. Take another, of another study.</>}
        {one && other && <>In hand: <strong>{one.words}</strong> and <strong>{other.words}</strong>. {why}</>}
      </p>
      <p class="acts">
        <button type="button" class="primary" disabled={!pair || together || busy} onClick={() => say({ ...pair!, same: true })}>They are one lesion</button>
        <button type="button" disabled={!pair || !together || busy} onClick={() => say({ ...pair!, same: false })}>They are not one</button>
        <span class="muted">It is in the journal under your name, and can be said otherwise later.</span>
      </p>
      {refused && <p class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {refused}</p>}
    </div>
  );
}
