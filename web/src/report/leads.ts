import type { Prior, Sentence, Study } from "../api/shapes";
import { to } from "../router";

/** Where a sentence leads that names no finding. */
export interface Lead {
  href: string;
  words: string;
  /** An image of this study. */
  image?: { series: string; sop: string };
  /** An earlier study, to be hung beside. */
  prior?: Prior;
}

/** What was imaged leads to its largest series, a comparison to each study that it names, hung beside, and what is said of the whole to the answers of the analyses. */
export function leadsOf({ id, text }: Sentence, study: Study, priors: readonly Prior[]): Lead[] {
  const kind = id.split("-", 1)[0]!;
  if (kind === "technique") {
    const [series] = study.series.filter((one) => one.modality === id.slice("technique-".length) && one.viewable).sort((a, b) => b.images - a.images);
    const image = series?.instances[series.instances.length >> 1];
    return series && image ? [{ href: `${to.study(study.uid)}?series=${series.uid}&image=${image.sop_uid}`, words: "images", image: { series: series.uid, sop: image.sop_uid } }] : [];
  }
  if (kind === "comparison") return priors.filter((one) => one.date && text.includes(one.date)).map((prior) => ({ href: `${to.study(study.uid)}?beside=${prior.study}`, words: `beside ${prior.date}`, prior }));
  return ["whole", "none", "remark", "declined"].includes(kind) ? [{ href: to.why(study.uid), words: "analysis" }] : [];
}
