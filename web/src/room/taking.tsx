import { useState } from "preact/hooks";
import { Trouble, troubleOf } from "../api/door";
import { keep } from "../api/keep";
import { asTrouble } from "../api/load";
import { me, may } from "../me";
import type { Found, Session } from "./session";

const FORMS = { seg: "SEG", nifti: "NIfTI", stl: "STL", glb: "GLB" } as const;

/** A region as a file of one's own. That it was taken is told in the journal; a refusal is said like any other. */
export function Take({ one: { finding, result }, session }: { one: Found; session: Session }) {
  const [busy, setBusy] = useState(false);
  if (!me.value || !may("send") || !finding.where?.has_mask || finding.verdict === "struck") return null;
  const take = async (form: string) => {
    setBusy(true);
    try {
      await save(`/api/results/${result.id}/regions/${encodeURIComponent(finding.tracking)}/${form}`);
    } catch (error) {
      session.acts.trouble.value = asTrouble(error);
    }
    setBusy(false);
  };
  return (
    <p class="taking muted">Take as {Object.entries(FORMS).map(([form, name]) => <button key={form} type="button" class="quiet" disabled={busy} aria-label={`Take region ${nameOf(finding)} as ${name}`} onClick={() => void take(form)}>{name}</button>)}</p>
  );
}

function nameOf(finding: Found["finding"]): string {
  return finding.where?.label || finding.what.meaning;
}

/** Asked for by the page, not by a link: what is refused has words, and a download that fails has none. */
async function save(path: string): Promise<void> {
  let answer: Response;
  try {
    answer = await fetch(path, { credentials: "same-origin" });
  } catch {
    throw new Trouble(0, "The file was not taken", "the server cannot be reached", "Try again", "offline");
  }
  if (!answer.ok) throw await troubleOf(answer);
  const name = /filename="([^"]+)"/.exec(answer.headers.get("Content-Disposition") ?? "")?.[1] ?? "region";
  keep(await answer.blob(), name);
}
