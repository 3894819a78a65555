import { computed, signal } from "@preact/signals";
import { ask } from "../api/door";
import { askOrTake } from "../api/early";
import type { Hang, HangStage, Prior, Priors } from "../api/shapes";
import { change, mine } from "../settings/mine";
import type { Cell, Lightbox } from "../viewer/lightbox";
import { day } from "../words";
import type { Absent } from "./absent";
import type { Place } from "./here";

/** How this study hangs: the protocol that fits, its stages, and the earlier studies that may stand beside it. */
export class Hanging {
  readonly hang = signal<Hang | null>(null);
  /** Null until the server has answered: "no priors" is a statement. */
  readonly priors = signal<Priors | null>(null);
  readonly stage = signal(0);
  readonly stages = computed<HangStage[]>(() => this.hang.value?.stages ?? []);
  private readonly compared = signal("");
  /** The earlier study that is compared with: the one that hangs, or the one that hung last. */
  readonly prior = computed<Prior | null>(() => {
    const hung = this.lightbox.cells.value.find((one) => one.prior)?.study ?? (this.compared.value || undefined) ?? this.stages.value.flatMap((one) => one.places).find((one) => one.prior)?.study;
    const all = this.priors.value?.priors ?? [];
    return all.find((one) => one.study === hung) ?? all[0] ?? null;
  });
  /** "CT of the chest, 4 of 5 rules", and each rule in words. */
  readonly words = computed(() => {
    const hang = this.hang.value;
    if (!hang) return { short: "", long: "" };
    const met = hang.rules.filter((one) => one.met).length;
    return { short: `hung as ${hang.name}, ${met} of ${hang.rules.length} rules`, long: hang.rules.map((one) => `${one.met ? "✓" : "✗"} ${one.words}`).join("\n") };
  });

  /** Number of the stage that comes up by itself. */
  first = 0;
  /** The image that an address asked for, and its window; it hangs once. */
  private asked: Place | null = null;
  /** The earlier study that an address asked for. */
  private readonly beside = new URLSearchParams(location.search).get("beside");
  /** What the stage that is up hung. */
  private up = "";
  private came: readonly string[] = [];

  constructor(private readonly study: string, private readonly lightbox: Lightbox, private readonly absent: Absent) {}

  /** Ask how it hangs, and beside what. Without an answer the order of the study stands. */
  async load(asked: Place | null = null, stage: number | null = null): Promise<void> {
    this.asked = asked;
    const again = () => void this.load().then(() => this.show());
    this.hang.value = await this.absent.tried("hang", "how it hangs", () => askOrTake<Hang>(`/api/studies/${this.study}/hang`), again);
    const kept = this.keptStage();
    this.first = Math.max(0, this.stages.value.findIndex((one) => one.name === kept));
    this.stage.value = stage !== null && stage <= this.stages.value.length ? stage - 1 : this.first;
    void this.lightbox.soon().then(() => this.earlier());
  }

  private async earlier(): Promise<void> {
    const found = await this.absent.tried("priors", "earlier studies", () => ask<Priors>(`/api/studies/${this.study}/priors`), () => void this.earlier());
    if (found) this.take(found);
  }

  /** The address may name an earlier study to begin beside; one that is none of this person's is not in the list, and not heeded. */
  private take(found: Priors): void {
    this.priors.value = found;
    const wanted = this.beside;
    const named = wanted && found.priors.find((one) => one.study === wanted);
    if (named) this.compare(named);
  }

  /** Fetch the first images of the stage that is up, before there is a place to hang them. */
  prepare(): void {
    for (const place of this.stages.value[this.stage.value]?.places ?? []) if (!place.plane) this.lightbox.prepare(this.cell(place));
  }

  /** Whether the stage that is up hangs a series of this study as its images. */
  has(series: string): boolean {
    return !!this.stages.value[this.stage.value]?.places.some((one) => one.series === series && !one.plane && !one.prior);
  }

  /** Hang the stage that is up; false where there is none. */
  show(): boolean {
    const stage = this.stages.value[this.stage.value];
    if (!stage) return false;
    this.lightbox.activeNumber.value = Math.max(0, stage.places.findIndex((one) => !one.prior));
    this.lightbox.hang(stage.layout, stage.places.map((place) => this.cell(place)));
    this.asked = null;
    this.up = this.hangs();
    this.came = this.lightbox.cells.peek().map((one) => one.series);
    return true;
  }

  /** Whether it hangs as the stage that is up has it, or one series alone where there is no stage; whichever series that is. */
  asHung(): boolean {
    return this.hangs() === (this.up || "1x1 stack");
  }

  /** The series that the stage hung in a place; empty where none did. */
  cameIn(place: number): string {
    return this.asHung() ? (this.came[place] ?? "") : "";
  }

  private hangs(): string {
    const { layout, cells } = this.lightbox;
    return `${layout.peek()} ${cells.peek().map((one) => [one.kind, one.plane, one.over, one.prior && one.study].filter(Boolean).join("-")).join(" ")}`;
  }

  step(by: number): void {
    const many = this.stages.value.length;
    if (!many) return;
    this.stage.value = (this.stage.value + by + many) % many;
    this.show();
  }

  /** The next time a study hangs by this protocol, it begins with the stage that is up. */
  keep(): void {
    const [hang, stage] = [this.hang.value, this.stages.value[this.stage.value]];
    if (hang && stage) void change({ room: { ...mine.value.room, stages: { ...this.keptStages(), [hang.name]: stage.name } } });
  }

  get kept(): boolean {
    const now = this.stages.value[this.stage.value]?.name;
    return !!now && this.keptStage() === now;
  }

  /** Put an earlier study beside what is in hand. */
  compare(prior: Prior): void {
    const cells = this.lightbox.cells.value;
    const own = cells.find((one) => !one.prior && one.kind === "stack") ?? cells[0];
    const series = prior.series.filter((one) => one.viewable);
    const modality = this.lightbox.viewports.value.find((one) => one.series.value?.uid === own?.series)?.series.value?.modality;
    const best = series.find((one) => one.modality === modality) ?? series[0];
    if (!own || !best) return;
    this.compared.value = prior.study;
    this.lightbox.activeNumber.value = 0;
    this.lightbox.hang("1x2", [{ ...own, kind: "stack", plane: undefined, over: undefined }, { kind: "stack", study: prior.study, series: best.uid, prior: true }]);
  }

  /** "2026-04-02  −213 d", for whoever stands before an image of it. */
  static said(prior: Prior): string {
    return `${day(prior.date)}  −${prior.days} d`;
  }

  private cell(place: HangStage["places"][number]): Cell {
    const first = this.hang.value?.series[0];
    const asked = !place.prior && place.series === (this.asked?.series || first) ? this.asked : null;
    return {
      kind: place.plane ? "plane" : "stack",
      study: place.study,
      series: place.series,
      plane: place.plane || undefined,
      over: place.over || undefined,
      prior: place.prior,
      window: asked?.window ?? (place.series === first || place.prior ? this.hang.value!.window : null),
      at: asked?.image && !place.plane ? { sop: asked.image, frame: asked.frame } : place.sop ? { sop: place.sop } : undefined,
    };
  }

  private keptStages(): Record<string, string> {
    return (mine.value.room["stages"] as Record<string, string> | undefined) ?? {};
  }

  private keptStage(): string {
    return this.keptStages()[this.hang.value?.name ?? ""] ?? "";
  }
}
