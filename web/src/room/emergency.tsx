import { useEffect, useState } from "preact/hooks";
import { ask } from "../api/door";
import { asTrouble } from "../api/load";
import { may } from "../me";
import { moment } from "../words";
import type { Session } from "./session";

interface Glass {
  id: string;
  until: string;
  reason: string;
  reviewer: string;
}

/** What stands where a study is not found: it may be of a project that one is not in, and a patient may need it now. */
export function Emergency({ study, again }: { study: string; again: () => void }) {
  const [reason, setReason] = useState("");
  const [refused, setRefused] = useState("");
  if (!may("glass")) return null;
  const send = (event: SubmitEvent) => {
    event.preventDefault();
    ask(`/api/studies/${study}/glass`, { method: "POST", body: { reason, minutes: 60 } }).then(again, (error: unknown) => setRefused(asTrouble(error).message));
  };
  return (
    <section class="state" aria-labelledby="emergency">
      <h2 id="emergency">In an emergency</h2>
      <p>If the patient needs this study now and it belongs to a project that you are not in, open it for an hour. You can look and nothing else; it is in the journal, and another person looks through it.</p>
      {refused && <p class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {refused}</p>}
      <form class="add" onSubmit={send} aria-label="Open in an emergency">
        <label>Why<input required minLength={10} maxLength={1000} value={reason} onInput={(event) => setReason(event.currentTarget.value)} /></label>
        <button>Open it for an hour</button>
      </form>
    </section>
  );
}

/** The mark on a study that one sees through broken glass, with the way to close it. */
export function GlassBar({ session }: { session: Session }) {
  const study = session.uid;
  const [glass, setGlass] = useState<Glass | null>(null);
  const look = async () => {
    const told = await session.absent.tried("glass", "whether it is open in an emergency only", () => ask<{ glass: Glass | null }>(`/api/studies/${study}/project`), () => void look());
    if (told) setGlass(told.glass);
  };
  useEffect(() => void look(), [study]);
  if (!glass) return null;
  const close = () => void ask(`/api/glass/${glass.id}/end`, { method: "POST" }).then(() => location.reload(), () => undefined);
  return (
    <p class="callout" role="status">
      <span class="soon" aria-hidden="true">▲</span> <span><strong>Opened in an emergency</strong> until {moment(glass.until)} UTC: {glass.reason}. You can look and nothing else{glass.reviewer && `; ${glass.reviewer} looks through it`}.</span>
      <span class="gap" /><button type="button" onClick={close}>Close it now</button>
    </p>
  );
}
