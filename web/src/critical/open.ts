import { askOrTake } from "../api/early";
import { onHappening } from "../api/live";
import { Source } from "../api/load";

/** A signed study with critical findings that nobody was told of. */
export interface OpenCritical {
  study: string;
  accession: string;
  description: string;
  modalities: string[];
  findings: { finding: string; what: string }[];
  by: string;
  signed: string;
  why: string;
  late: boolean;
  escalated: string | null;
}

export interface OpenCriticals {
  within_min: number;
  rows: OpenCritical[];
}

const SPEAK = new Set(["ReportSigned", "ReportAmended", "CriticalTold", "CriticalEscalated"]);

/** What is open now, of one study or of all; asked again when something of it happened. */
export function openCriticals(study = ""): { source: Source<OpenCriticals>; follow: () => () => void } {
  const source = new Source((abort) => askOrTake<OpenCriticals>(`/api/critical${study && `?study=${study}`}`, abort));
  const follow = () => {
    void source.load();
    const forget = onHappening(({ kind, subject }) => SPEAK.has(kind) && (!study || subject === study) && void source.load());
    return () => (forget(), source.stop());
  };
  return { source, follow };
}
