import { day, person } from "../words";

export interface Identified {
  patient: { id: string; name: string; birth_date: string | null };
  date: string | null;
  description: string;
}

/** Whose images these are, above them: on the page, never in its address. */
export function Whose({ of: { patient, date, description } }: { of: Identified }) {
  return <p class="whose"><strong>{person(patient.name)}</strong> <span class="id">{patient.id}</span>{patient.birth_date && ` b. ${day(patient.birth_date)}`} <span class="muted">{description} {day(date)}</span></p>;
}
