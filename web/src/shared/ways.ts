import { ask, askBlob } from "../api/door";
import { type Loaded, loadShared } from "../viewer/series";

/** The ways to what is behind a link. */
export interface Door {
  load: (study: string, series: string) => Promise<Loaded>;
  measure: (mark: object) => Promise<{ words: string }>;
  files: () => Promise<Blob>;
}

/** The ways of whoever brings these headers. */
export function behind(headers: Record<string, string>): Door {
  return {
    load: (study, series) => loadShared(study, series, headers),
    measure: (mark) => ask<{ words: string }>("/api/shared/measure", { method: "POST", body: mark, headers }),
    files: () => askBlob("/api/shared/files", headers),
  };
}
