import { useEffect, useState } from "preact/hooks";
import { ask } from "../api/door";
import { address, setQuery } from "../router";
import { count, day } from "../words";
import { New } from "./list";
import { StudyField } from "../kit/study-field";

interface Held {
  uid: string;
  accession: string;
  date: string | null;
  description: string;
  patient: { id: string; name: string };
  series: { uid: string; modality: string; number: number | null; description: string; images: number }[];
}

/** Take a study or one of its series out of use. The study stands in the address, so that lists can lead here. */
export function RejectForm({ codes, done }: { codes: Record<string, string>; done: () => void }) {
  const study = address.value.searchParams.get("study") ?? "";
  const [held, setHeld] = useState<Held | null>(null);
  useEffect(() => {
    setHeld(null);
    if (/^[0-9.]{5,64}$/.test(study)) ask<Held>(`/api/studies/${study}`).then(setHeld, () => setHeld(null));
  }, [study]);
  return (
    <New title="Reject images" open={!!study} submit="Take out of use" path={`/api/studies/${study}/reject`} done={done} lead="Nothing is deleted: a rejection note is written, and the images are hidden until it is taken back.">
      <StudyField name="" value={study} keep={(typed) => setQuery("study", typed)} />
      <label>What of it<select name="series"><option value="">the whole study</option>{held?.series.map((one) => <option key={one.uid} value={one.uid}>{one.modality} {one.number ?? ""} {one.description} ({count(one.images, "image")})</option>)}</select></label>
      <label>Why<select name="code">{Object.entries(codes).map(([code, meaning]) => <option key={code} value={code}>{meaning.replace(/^Rejected for /, "").toLowerCase()}</option>)}</select></label>
      <label class="wide">In words<input name="reason" required minLength={3} maxLength={500} placeholder="wrong side marker; repeated" /></label>
      {study && <p class="muted wide" role="status">{held ? <>It is <strong>{held.description || "a study"}</strong> of <span class="id">{held.patient.id}</span>, {day(held.date)}{held.accession && `, ${held.accession}`}.</> : "No study of that UID is here."}</p>}
    </New>
  );
}
