import { computed, signal } from "@preact/signals";
import { ask } from "../api/door";
import type { Coded, Hang, Series } from "../api/shapes";
import { go, setQuery, to } from "../router";
import { wordsOf } from "../viewer/deadline";
import { PlanesView, type Plane } from "../viewer/planes";
import { presetsOf } from "../viewer/presets";
import { type Loaded, loadSeries } from "../viewer/series";
import { StackView } from "../viewer/stack";
import { Evidence } from "./evidence";
import type { ShownMap } from "./overlay";
import type { Decision, Found, Session } from "./session";

/** The reader's desk: which series is up, which finding is in hand, and the acts behind every key and button. */
export class Desk {
  readonly evidence = new Evidence();
  readonly active = signal("");
  readonly editing = signal<{ tracking: string; as: "changed" | "struck" } | null>(null);
  readonly adding = signal(false);
  readonly mark = signal<{ sop: string; pixel: [number, number] } | null>(null);
  readonly signing = signal(false);
  readonly hidden = signal(false);
  readonly mapNumber = signal(-1);
  readonly layout = signal<"one" | "planes">("one");
  readonly shownSeries = signal("");
  readonly seriesTrouble = signal("");
  readonly hang = signal<Hang | null>(null);

  readonly viewable = computed<Series[]>(() => {
    const series = (this.session.study.value?.series ?? []).filter((one) => one.viewable);
    const order = this.hang.value?.series ?? [];
    const rank = (one: Series) => (order.includes(one.uid) ? order.indexOf(one.uid) : order.length);
    return [...series].sort((a, b) => rank(a) - rank(b));
  });
  readonly maps = computed<ShownMap[]>(() =>
    (this.session.results.value ?? []).flatMap((result) =>
      result.maps
        .map((map) => (typeof map === "string" ? { name: map } : map))
        .filter((map) => !map.series_uid || map.series_uid === this.shownSeries.value)
        .map((map) => ({ result: result.id, name: map.name, kind: map.kind ?? "parametric", unit: map.unit ?? "" })),
    ),
  );
  readonly map = computed<ShownMap | null>(() => this.maps.value[this.mapNumber.value] ?? null);

  private readonly stacked = signal<StackView | null>(null);
  private readonly planed = signal<PlanesView | null>(null);
  private readonly kept = new Map<string, Promise<Loaded>>();
  private turn = 0;

  constructor(readonly session: Session) {}

  get stack(): StackView | null {
    return this.stacked.value;
  }

  get planes(): PlanesView | null {
    return this.planed.value;
  }

  /** The study is known: hang its first series. */
  async begin(stack: StackView): Promise<void> {
    this.stacked.value = stack;
    this.hang.value = await ask<Hang>(`/api/studies/${this.session.uid}/hang`).catch(() => null); // a hanging is a convenience: without it the order of the study stands
    const asked = new URL(location.href).searchParams.get("series");
    const first = this.viewable.value.find((one) => one.uid === asked) ?? this.viewable.value[0];
    if (first) await this.show(first.uid);
  }

  end(): void {
    this.turn += 1;
    this.evidence.stop();
    this.planes?.destroy();
    this.stack?.destroy();
  }

  async show(series: string, sop = "", frame = 0): Promise<void> {
    const stack = this.stack;
    if (!stack) return;
    const turn = ++this.turn;
    const before = this.shownSeries.value;
    this.shownSeries.value = series;
    this.seriesTrouble.value = "";
    setQuery("series", series === this.viewable.value[0]?.uid ? "" : series);
    try {
      if (!this.kept.has(series)) this.kept.set(series, loadSeries(this.session.uid, series));
      const loaded = await this.kept.get(series)!;
      if (turn !== this.turn) return;
      const at = sop ? loaded.pictures.findIndex((one) => one.sop === sop && one.frame === frame) : -1;
      if (stack.series.value?.uid === series && before === series) {
        if (at >= 0) await stack.at(at);
        return;
      }
      if (this.layout.value === "planes") this.oneImage();
      await stack.show(loaded, at >= 0 ? at : loaded.phases > 1 ? Math.floor(loaded.pictures.length / loaded.phases / 2) * loaded.phases : Math.floor((loaded.pictures.length - 1) / 2));
      const { window } = this.hang.value ?? { window: null };
      if (window && series === this.hang.value?.series[0]) stack.window(window);
      else if (loaded.modality === "CT") stack.window(presetsOf("CT")[0]!);
    } catch (error) {
      this.kept.delete(series);
      if (turn === this.turn) this.seriesTrouble.value = wordsOf(error);
    }
  }

  nextSeries(by: number): void {
    const all = this.viewable.value;
    const at = all.findIndex((one) => one.uid === this.shownSeries.value);
    const next = all[at + by];
    if (next) void this.show(next.uid);
  }

  preset(number: number): void {
    const preset = presetsOf(this.stack?.series.value?.modality ?? "")[number - 1];
    if (preset) this.stack?.window(preset);
  }

  /** One image, or three planes through the same volume where the images are one. */
  toggleLayout(): void {
    if (this.layout.value === "planes") return this.oneImage();
    this.layout.value = "planes";
  }

  showPlanes(elements: Record<Plane, HTMLDivElement>): void {
    const series = this.stack?.series.value;
    if (!series) return this.oneImage();
    const planes = new PlanesView(elements);
    this.planed.value = planes;
    const one = this.session.found.value.find((other) => other.finding.tracking === this.active.value);
    void planes.show(series, this.stack?.range.value ?? null, one?.finding.where?.centre_mm ?? null);
  }

  private oneImage(): void {
    this.planes?.destroy();
    this.planed.value = null;
    this.layout.value = "one";
  }

  nextMap(): void {
    const many = this.maps.value.length;
    this.mapNumber.value = many ? ((this.mapNumber.value + 2) % (many + 1)) - 1 : -1;
  }

  choose(one: Found): void {
    this.active.value = one.finding.tracking;
  }

  step(by: number): void {
    const all = this.session.found.value;
    const at = all.findIndex((one) => one.finding.tracking === this.active.value);
    const next = all[Math.min(all.length - 1, Math.max(0, at < 0 ? 0 : at + by))];
    if (next) this.choose(next);
  }

  current(): Found | null {
    return this.session.found.value.find((one) => one.finding.tracking === this.active.value) ?? null;
  }

  /** Bring the evidence of a finding on screen: its series, the middle image of it, and the planes through its centre. */
  jump(one: Found): void {
    this.choose(one);
    const { where } = one.finding;
    if (!where) return;
    const sop = this.middleOf(where.instances) || where.instance_uid;
    const series = this.session.study.value?.series.find((other) => other.instances.some((instance) => instance.sop_uid === sop));
    void this.show(series?.uid ?? where.series_uid, sop);
    if (where.centre_mm && this.planes) {
      this.planes.go(where.centre_mm);
      this.evidence.sawFindings([one.finding]);
    }
  }

  private middleOf(sops: string[]): string {
    const order = this.stack?.series.value?.pictures.map((one) => one.sop) ?? [];
    const sorted = [...sops].sort((a, b) => order.indexOf(a) - order.indexOf(b));
    return sorted[sorted.length >> 1] ?? "";
  }

  keep(one: Found): void {
    if (!this.evidence.findings.value.has(one.finding.tracking)) return this.jump(one);
    this.decide(one, { verdict: "kept" });
  }

  edit(one: Found, as: "changed" | "struck"): void {
    this.choose(one);
    this.editing.value = { tracking: one.finding.tracking, as };
  }

  decide(one: Found, decision: Decision): void {
    this.editing.value = null;
    this.session.decide(one, decision);
    const next = this.session.found.value.find((other) => other.finding.verdict === "undecided" && other.finding.tracking !== one.finding.tracking);
    if (next) this.choose(next);
  }

  add(words: string, what: Coded, laterality?: Coded): void {
    const mark = this.mark.value;
    this.session.decide(null, { verdict: "added", words, what, laterality, where: mark ? { shape: "point", instance_uid: mark.sop, points_px: [mark.pixel] } : undefined });
    this.stopAdding();
  }

  stopAdding(): void {
    this.adding.value = false;
    this.mark.value = null;
  }

  askToSign(): void {
    if (this.session.mine.value) this.signing.value = true;
  }

  async leave(): Promise<void> {
    await this.session.lapse().catch(() => undefined); // leaving must always work; the study then stays open under this name, and the list says so
    go(to.worklist);
  }
}
