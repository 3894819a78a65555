/** One study of a patient, as their timeline tells it. */
export interface Study {
  study: string;
  date: string | null;
  time: string;
  description: string;
  modalities: string[];
  accession: string;
  state: string;
  here: boolean;
}
