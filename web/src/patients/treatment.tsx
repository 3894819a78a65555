import { to } from "../router";
import { count, day } from "../words";
import { Lane } from "./lane";
import type { Study } from "./study";

/** What an object of radiotherapy says was done; a record says more than a plan. */
const DONE = { RTRECORD: "radiotherapy given", RTPLAN: "radiotherapy planned", RTDOSE: "dose of radiotherapy calculated" } as const;

/** What the held studies tell of treatment. */
export function treatmentOf(studies: Study[]): { study: Study; words: string }[] {
  return studies.flatMap((study) => {
    const done = Object.entries(DONE).filter(([modality]) => study.modalities.includes(modality));
    return done.length ? [{ study, words: done.map(([, words]) => words).join(", ") }] : [];
  });
}

/** Radiotherapy as far as its plans, doses and records are held here. Nothing else of treatment reaches this archive. */
export function Treatment({ studies }: { studies: Study[] }) {
  const known = treatmentOf(studies);
  return (
    <Lane name="Treatment" told={known.length ? count(known.length, "study", "studies") : ""}>
      <ol>{known.map(({ study, words }) => <li key={study.study}><span>{day(study.date)}</span><span><a href={to.study(study.study)}>{words}</a></span></li>)}</ol>
      <p class="muted">{!known.length && "No plan, dose or record of radiotherapy is held of this patient. "}Drugs and operations are not known here: they stand in the patient's record.</p>
    </Lane>
  );
}
