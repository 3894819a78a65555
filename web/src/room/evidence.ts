import { signal } from "@preact/signals";
import type { Finding } from "../api/shapes";
import type { Picture } from "../viewer/series";

const DWELL_MS = 200;

/** What was really on screen, for at least 200 ms: pictures for the slice bar, findings so that Keep wakes only after their evidence was seen. */
export class Evidence {
  /** Keys of pictures. */
  readonly pictures = signal<ReadonlySet<string>>(new Set());
  readonly findings = signal<ReadonlySet<string>>(new Set());
  /** Findings of which the server was told. */
  readonly told = new Set<string>();
  private readonly clocks = new Map<string, { clock: number; what: string }>();

  /** This picture is on screen in a viewport now, with or without the drawing over it. */
  onScreen(viewport: string, picture: Picture | null, series: string, findings: Finding[], drawn: boolean): void {
    const what = `${picture?.key} ${drawn} ${findings.map((one) => one.tracking).join()}`;
    const before = this.clocks.get(viewport);
    if (before?.what === what) return; // it goes on being there
    clearTimeout(before?.clock);
    if (!picture) return void this.clocks.delete(viewport);
    const clock = window.setTimeout(() => {
      if (!this.pictures.value.has(picture.key)) this.pictures.value = new Set(this.pictures.value).add(picture.key);
      if (!drawn) return;
      this.sawFindings(findings.filter((finding) => lies(finding, picture.sop, series)));
    }, DWELL_MS);
    this.clocks.set(viewport, { clock, what });
  }

  sawFindings(findings: Finding[]): void {
    const fresh = findings.filter((finding) => !this.findings.value.has(finding.tracking));
    if (fresh.length) this.findings.value = new Set([...this.findings.value, ...fresh.map((finding) => finding.tracking)]);
  }

  stop(): void {
    for (const { clock } of this.clocks.values()) clearTimeout(clock);
    this.clocks.clear();
  }
}

const held = new Map<string, Evidence>();

/** What this page has shown of a study: who looks at another page meanwhile has seen it all the same. */
export function evidenceOf(study: string): Evidence {
  const evidence = held.get(study) ?? new Evidence();
  held.set(study, evidence);
  return evidence;
}

/** Whether a finding is on this image. A statement on the whole has its evidence on every image. */
export function lies({ where }: Finding, sop: string, series: string): boolean {
  if (!where) return true;
  if (where.instances.length) return where.instances.includes(sop);
  if (where.instance_uid) return where.instance_uid === sop;
  return !where.series_uid || where.series_uid === series;
}
