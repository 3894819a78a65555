import { may } from "../me";
import { to } from "../router";
import { count, day, person } from "../words";
import { Lane } from "./lane";

/** An identity with the name and the date of birth of this patient, under another number. */
export interface Other {
  id: string;
  issuer: string;
  name: string;
  sex: string;
  studies: number;
  study: string;
}

/** Who may be the same person under another number. Nobody is made one here: a person who has the right does that, with a reason. */
export function IdentitiesLane({ others, born }: { others: Other[]; born: string | null }) {
  if (!others.length) return null;
  return (
    <Lane name="Perhaps the same person" told={count(others.length, "other identity", "other identities")}>
      <ol>
        {others.map((one) => (
          <li key={one.id + one.issuer}>
            <span class="id">{one.id}{one.issuer && <span class="muted"> of {one.issuer}</span>}</span>
            <span><a href={to.patients(one.study)}>{person(one.name)}{one.sex && `, ${one.sex}`}</a> <span class="muted">{count(one.studies, "study", "studies")} · same name, born {day(born)}, too</span></span>
          </li>
        ))}
      </ol>
      <p class="muted">Two people can share a name and a day of birth. Nothing of the other identity is shown above. {may("identity") ? <a href={to.department("identities")}>Make two patients one</a> : "Who keeps identities here can make two patients one."}</p>
    </Lane>
  );
}
