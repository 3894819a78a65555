import { computed, effect, type Signal, signal, untracked } from "@preact/signals";
import { Trouble } from "../api/door";
import type { Coded, Prior, Series, Study } from "../api/shapes";
import { go, setQuery, to } from "../router";
import { QUIET_MS } from "../report/writing";
import { drawingOf } from "../marks/layer";
import { Maps } from "../maps/maps";
import { Marks } from "../marks/marks";
import type { Point2, Viewport } from "../viewer/viewport";
import { type Join, joinOf } from "../viewer/joins";
import { Lightbox } from "../viewer/lightbox";
import { buttons, type Tool, tool } from "../viewer/mouse";
import { PlaneView } from "../viewer/plane";
import { presetsOf } from "../viewer/presets";
import { StackView } from "../viewer/stack";
import { Apart } from "./apart";
import { Arrangement } from "./arrangement";
import { caretLine } from "./caret-line";
import { type Evidence, evidenceOf } from "./evidence";
import { Hanging } from "./hanging";
import { Here, queryOf, type Window } from "./here";
import { LesionSteps } from "./lesion-steps";
import { Registration } from "./registration";
import type { Answerable, Beside, Decision, Found, Session } from "./session";
import { mine } from "../settings/mine";

// The mouse does what its person chose, from the first image on and as soon as they choose anew.
const begins = computed(() => mine.value.mouse.left);
effect(() => void (buttons.value = mine.value.mouse));
effect(() => void (tool.value = begins.value));

/** Series that fill a body and may be laid over another, and how many images they have at least. */
const LAID = new Set(["CT", "MR", "PT", "NM"]);
const LEAST = 4;

/** A series that may be laid over the one in hand. */
export interface Overlay {
  series: Series;
  /** The earlier study that it is of; null for the one that is read. */
  prior: Prior | null;
  /** Whether it is known where it lies. */
  placed: boolean;
  /** By what, in words. */
  how: string;
}

function lieOf(series: Series, over: Series, joins: readonly Join[]): { placed: boolean; how: string } {
  const [own, its] = [series.frame_of_reference ?? "", over.frame_of_reference ?? ""];
  if (own && own === its) return { placed: true, how: "same frame" };
  const join = joinOf(joins, own, its);
  if (join) return { placed: true, how: join.residual_mm === null ? "registered" : `registered, residual ${join.residual_mm.toFixed(2)} mm` };
  return { placed: false, how: own && its ? "not registered yet" : "has no frame of reference" };
}

const rankOf = ({ series, prior, placed }: Overlay) => (placed ? 0 : 4) + (prior ? 2 : 0) + (series.modality === "PT" || series.modality === "NM" ? 0 : 1);
const canLie = (one: Series) => LAID.has(one.modality) && one.images >= LEAST;

/** The reader's desk: which series is up, which finding is in hand, and the acts behind every key and button. */
export class Desk {
  readonly evidence: Evidence;
  readonly active = signal("");
  readonly editing = signal<{ tracking: string; as: "changed" | "struck" } | null>(null);
  readonly adding = signal(false);
  /** The one line of the first opinion: whoever looks at another page meanwhile finds it again. */
  readonly line: Signal<string>;
  readonly mark = signal<{ sop: string; pixel: [number, number] } | null>(null);
  readonly signing = signal(false);
  readonly hidden = signal(false);
  /** The series in hand. */
  readonly shownSeries = computed(() => this.lightbox.cells.value[this.lightbox.activeNumber.value]?.series ?? "");
  /** The earlier study is shown in the viewport in hand as long as a key is held. */
  readonly peeking = signal(false);

  readonly viewable = computed<Series[]>(() => {
    const series = (this.session.study.value?.series ?? []).filter((one) => one.viewable);
    const order = this.hanging.hang.value?.series ?? [];
    const rank = (one: Series) => (order.includes(one.uid) ? order.indexOf(one.uid) : order.length);
    return [...series].sort((a, b) => rank(a) - rank(b));
  });
  readonly lightbox = new Lightbox();
  readonly hanging: Hanging;
  readonly here: Here;
  readonly arrangement: Arrangement;
  /** What may be laid over the series in hand, of this study and of the one compared with, and of others that lie in its space: those first, this study before earlier ones, uptake before the rest. */
  readonly overlays = computed<Overlay[]>(() => {
    const inHand = this.viewable.value.find((one) => one.uid === this.shownSeries.value);
    if (!inHand || !this.lightbox.canCut(inHand.uid)) return [];
    const lie = (series: Series, prior: Prior | null): Overlay => ({ series, prior, ...lieOf(series, inHand, this.lightbox.joins.value) });
    const own = this.viewable.value.filter((one) => one !== inHand && canLie(one)).map((one) => lie(one, null));
    const earlier = (this.hanging.priors.value?.priors ?? []).flatMap((prior) => prior.series.filter((one) => one.viewable && canLie(one)).map((one) => lie(one, prior)));
    return [...own, ...earlier.filter((one) => one.placed || one.prior === this.hanging.prior.value)]
      .sort((a, b) => rankOf(a) - rankOf(b));
  });
  /** What lies over the planes now. */
  readonly fused = computed(() => this.lightbox.viewports.value.map((one) => (one instanceof PlaneView ? one.fused.value : null)).find(Boolean) ?? null);

  /** How the study hangs is known, or that it is not. */
  private readonly hung: Promise<void>;
  private readonly forget: () => void;
  private readonly forgetGrowth: () => void;

  readonly marks: Marks;
  readonly maps: Maps;
  readonly registration: Registration;
  readonly apart: Apart;
  readonly lesionSteps: LesionSteps;
  /** Where the pointer is on the active viewport (canvas pixels). */
  cursor: Point2 | null = null;
  /** The same with its viewport, for what is drawn of it in others. */
  readonly pointed = signal<{ viewport: Viewport; at: Point2 } | null>(null);
  private begun = false;
  private typing = 0;
  private forgetActs: () => void = () => undefined;

  /** With `images` false it is the desk of a window that holds the panel alone. */
  constructor(readonly session: Session, readonly images = true) {
    this.line = lineOf(session.uid);
    this.evidence = evidenceOf(session.uid);
    this.apart = new Apart(session.uid, images ? "images" : "panel");
    this.here = new Here(session.uid, this.lightbox, () => this.stack, () => this.viewable.peek()[0]?.uid ?? "");
    this.shareWithTheOtherWindow();
    this.hanging = new Hanging(session.uid, this.lightbox, session.absent);
    this.arrangement = new Arrangement(session, this.lightbox, this.hanging, this.here.asked);
    this.marks = new Marks(session, this.lightbox);
    this.maps = new Maps(session);
    this.registration = new Registration(session, this.lightbox);
    this.lesionSteps = new LesionSteps(session.uid, this.lightbox);
    this.lightbox.addLayer(drawingOf(this));
    this.hung = !images ? Promise.resolve() : this.hanging.load(this.here.asked, this.arrangement.asked.stage).then(() => {
      const { series } = this.here.asked;
      if (series) this.lightbox.prepare({ kind: "stack", study: session.uid, series, at: this.at });
      else this.hanging.prepare();
    });
    this.forgetGrowth = effect(() => this.grown(session.study.value));
    // The server is told what was seen as soon as it was, and of a finding only once in each result that carries it.
    this.forget = effect(() => {
      const seen = this.evidence.findings.value;
      if (!images || !session.mine.value) return;
      const fresh = session.found.value.filter((one) => one.machine && seen.has(one.finding.tracking) && !this.evidence.told.has(one.finding.tracking));
      if (!fresh.length) return;
      for (const one of fresh) this.evidence.told.add(one.finding.tracking);
      const picture = untracked(() => this.stack?.picture.value);
      session.saw(fresh.map((one) => ({ result: one.result.id, tracking: one.finding.tracking, sop: picture?.sop ?? "", frame: picture?.frame ?? 0 })));
    });
  }

  private shareWithTheOtherWindow(): void {
    const { apart, evidence, session } = this;
    const keys = { from: "images", write: (all: ReadonlySet<string>) => [...all], read: (all: unknown): ReadonlySet<string> => new Set(all as string[]) } as const;
    apart.share("seen pictures", evidence.pictures, keys);
    apart.share("seen findings", evidence.findings, keys);
    apart.share("finding in hand", this.active);
    apart.share("adding", this.adding);
    apart.share("mark", this.mark);
    apart.share("line", this.line);
    apart.share("caret", caretLine, { from: "panel" });
    this.forgetActs = effect(() => void (session.acts.saved.value && apart.tell({ kind: "acted" })));
  }

  /** Begin to speak with a window of the panel, or with that of the images; `follow` goes to the study that the other one shows now. */
  speak(follow: (study: string) => void): void {
    const { session } = this;
    this.apart.begin({
      follow,
      acted: () => void session.refresh().catch(() => undefined), // the next act, or the next that is heard, brings it
      jump: (tracking) => {
        const one = session.found.peek().find((other) => other.finding.tracking === tracking);
        if (one) this.jump(one);
      },
    });
  }

  /** The panel into a window of its own, or back from it. */
  movePanel(): void {
    const { apart, session } = this;
    if (!this.images) window.close();
    else if (apart.away.value) apart.tell({ kind: "back" });
    else if (!apart.open()) session.acts.trouble.value = new Trouble(0, "the panel stays here", "the browser opened no other window", "allow this address to open windows", "");
  }

  /** The stack in hand: the active viewport, where it shows stored images, else the first that does. */
  get stack(): StackView | null {
    const { active, viewports } = this.lightbox;
    return active.value instanceof StackView ? active.value : (viewports.value.find((one): one is StackView => one instanceof StackView) ?? null);
  }

  /** The study is known: hang its first series. */
  async begin(): Promise<void> {
    void this.registration.load(); // planes that are fused take it when it comes
    await this.hung;
    const query = new URL(location.href).searchParams;
    const finding = query.get("finding");
    if (finding) this.whenFound(finding);
    this.here.begin();
    await this.hangFirst();
    await this.arrangement.begin();
  }

  private async hangFirst(): Promise<void> {
    const asked = this.viewable.value.find((one) => one.uid === this.here.asked.series);
    const { stage, hang } = this.arrangement.asked;
    if ((!asked || asked === this.viewable.value[0] || stage || hang.includes(asked.uid) || this.hanging.has(asked.uid)) && this.hanging.show()) {
      const place = this.lightbox.cells.value.findIndex((one) => one.series === asked?.uid && one.kind === "stack");
      if (place >= 0) return this.lightbox.choose(place);
      if (!asked || asked === this.viewable.value[0]) return;
    }
    const first = asked ?? this.viewable.value[0];
    this.begun = true;
    if (first) await this.show(first.uid, this.at?.sop, this.at?.frame, this.here.asked.window);
  }

  /** The image that the address asked for. */
  private get at(): { sop: string; frame: number } | undefined {
    const { image, frame } = this.here.asked;
    return image ? { sop: image, frame } : undefined;
  }

  /** A study that is still being received: what hangs shows what has come since, and the first image hangs as soon as there is one. */
  private grown(study: Study | null): void {
    for (const one of study?.series ?? []) void untracked(() => this.lightbox.shelf.grown(study!.uid, one.uid, one.instances.reduce((sum, image) => sum + image.frames, 0)));
    const first = this.viewable.value[0];
    if (this.begun && first && !this.lightbox.cells.peek().length) untracked(() => void this.show(first.uid));
  }

  /** A printed sentence led here: its finding comes on screen as soon as it is known. */
  private whenFound(tracking: string): void {
    const stop = effect(() => {
      const one = this.session.found.value.find((other) => other.finding.tracking === tracking);
      if (one && this.lightbox.viewports.value.length) queueMicrotask(() => (stop(), setQuery("finding", ""), this.jump(one)));
    });
  }

  end(): void {
    this.keepLine();
    this.here.end();
    this.arrangement.end();
    this.forget();
    this.forgetGrowth();
    this.forgetActs();
    this.apart.end();
    this.evidence.stop();
    this.maps.end();
    this.marks.crossing.end();
    this.registration.end();
    this.lightbox.end();
  }

  async show(series: string, sop = "", frame = 0, seen: Window | null = null): Promise<void> {
    setQuery("series", series === this.viewable.value[0]?.uid ? "" : series);
    const hang = this.hanging.hang.value;
    const window = seen ?? (series === hang?.series[0] ? hang.window : null);
    await this.lightbox.show({ kind: "stack", study: this.session.uid, series, window, at: sop ? { sop, frame } : undefined });
  }

  nextSeries(by: number): void {
    const all = this.viewable.value;
    const at = all.findIndex((one) => one.uid === this.shownSeries.value);
    const next = all[at + by];
    if (next) void this.show(next.uid);
  }

  preset(number: number): void {
    const { active } = this.lightbox;
    const series = active.value?.series.value;
    const preset = presetsOf(series?.modality ?? "", series?.unit)[number - 1];
    if (preset) this.lightbox.window(preset);
  }

  /** From one layout to the next that this study can fill. */
  nextLayout(): void {
    this.lightbox.nextLayout(this.viewable.value.map((one) => ({ kind: "stack", study: this.session.uid, series: one.uid })));
  }

  /** What the left button does; whatever had it gives it back. */
  takeTool(tool: Tool): void {
    this.lightbox.hand.value = null;
    this.lightbox.tool.value = tool;
  }

  /** Lay the next series over the planes that lies in their space, this study's before those of earlier ones, after the last none; where this study has none, the one that could be registered. */
  fuse(): void {
    const all = this.overlays.value;
    const own = all.filter((one) => !one.prior);
    const placed = all.filter((one) => one.placed);
    const around = own.length && !own[0]!.placed ? [own[0]!, ...placed] : placed.length ? placed : all.slice(0, 1);
    const at = around.findIndex((one) => one.series.uid === this.lightbox.laidOver.value);
    if (all.length) this.layOver(at < 0 && this.lightbox.laidOver.value ? undefined : around[at + 1]); // from one that lies in no common space back to none
  }

  /** A series over the planes; nothing takes away what lies there. */
  layOver(one: Overlay | undefined): void {
    this.lightbox.lay(one?.series.uid ?? "", one?.prior?.study);
  }

  /** Ask for a registration of what hangs here; once one is proposed, to the button that accepts it. */
  register(): void {
    if (this.registration.proposal.peek()) document.querySelector<HTMLElement>("#accept-registration")?.focus();
    else void this.registration.propose();
  }

  /** Stronger or weaker colours: of the map, where one is shown, else of what lies over the planes. */
  stepOpacity(by: number): void {
    if (this.maps.grid.value) return this.maps.stepOpacity(by);
    const { opacity } = this.lightbox.tint;
    opacity.value = Math.round(Math.min(1, Math.max(0, opacity.value + 0.1 * by)) * 100) / 100;
  }

  /** Somebody points at a place of a viewport, or no longer at any. */
  pointAt(viewport: Viewport | undefined, at: Point2 | null): void {
    this.cursor = at;
    if (this.lightbox.cells.peek().some((one) => one.prior)) this.pointed.value = viewport && at ? { viewport, at } : null;
    if (viewport) this.maps.pointAt(viewport, at);
  }

  /** The thing under the cursor becomes the one in hand. */
  pick(viewport = this.lightbox.active.value, at = this.cursor): void {
    const one = viewport && at && this.marks.shapes.at(viewport, at);
    if (one) this.choose(one);
  }

  choose(one: Found): void {
    this.active.value = one.finding.under || one.finding.tracking;
  }

  step(by: number): void {
    const all = this.session.cards.value.map(({ first }) => first);
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
    if (!this.images) return this.apart.tell({ kind: "jump", tracking: one.finding.tracking });
    const { where } = one.finding;
    if (!where) return;
    const sop = this.middleOf(where.instances) || where.instance_uid;
    const series = this.session.study.value?.series.find((other) => other.instances.some((instance) => instance.sop_uid === sop));
    void this.show(series?.uid ?? where.series_uid, sop);
    const planes = this.lightbox.viewports.value.filter((other) => other.kind === "plane" && other.view.value);
    if (where.centre_mm && planes.length) {
      this.lightbox.go(where.centre_mm);
      this.evidence.sawFindings([one.finding]);
    }
  }

  private middleOf(sops: string[]): string {
    const order = this.stack?.series.value?.pictures.map((one) => one.sop) ?? [];
    const sorted = [...sops].sort((a, b) => order.indexOf(a) - order.indexOf(b));
    return sorted[(sorted.length - 1) >> 1] ?? ""; // the slice that the report names
  }

  /** Whether the evidence of a card was on screen: one outline is one piece of evidence, whichever of its measurements showed it. */
  seen({ first, beneath }: Answerable): boolean {
    return [first, ...beneath].some((one) => this.evidence.findings.value.has(one.finding.tracking));
  }

  keep(one: Found): void {
    if (!this.seen(this.session.cardOf(one))) return this.jump(one);
    this.decide(one, { verdict: "kept" });
  }

  edit(one: Found, as: "changed" | "struck"): void {
    this.choose(one);
    this.editing.value = { tracking: one.finding.tracking, as };
  }

  /** An answer to a card is an answer to each measurement on it that does not stand so already. */
  decide(one: Found, decision: Decision, also?: Beside[]): void {
    this.editing.value = null;
    const { first, beneath } = this.session.cardOf(one);
    if (also) this.session.decide(first, decision, also);
    else {
      const [main, ...rest] = [first, ...beneath].filter((other) => other.finding.verdict !== decision.verdict);
      if (main) this.session.decide(main, decision, rest.map((other) => ({ tracking: other.finding.tracking })));
    }
    const next = this.session.left.value.find((other) => other.first.finding.tracking !== first.finding.tracking);
    if (next) this.choose(next.first);
  }

  add(words: string, what: Coded, laterality: Coded | undefined, certainty: Decision["certainty"]): void {
    const mark = this.mark.value;
    this.session.decide(null, { verdict: "added", words, what, laterality, certainty, where: mark ? { shape: "point", instance_uid: mark.sop, points_px: [mark.pixel] } : undefined });
    this.stopAdding();
  }

  stopAdding(): void {
    this.adding.value = false;
    this.mark.value = null;
  }

  askToSign(): void {
    if (!this.session.mine.value) return;
    if (this.session.unaided.value) return this.toOpinion();
    this.signing.value = true;
  }

  /** To the panel of the first opinion: it comes before the signature. */
  toOpinion(): void {
    document.querySelector<HTMLElement>("#opinion-line")?.focus();
  }

  /** The line is typed: the server has it as soon as one pauses, so that a reload loses nothing. */
  type(line: string): void {
    this.line.value = line;
    clearTimeout(this.typing);
    this.typing = window.setTimeout(() => this.keepLine(), QUIET_MS);
  }

  /** What was typed and is not kept yet goes to the server now. */
  keepLine(): void {
    if (this.typing) this.session.typed(this.line.peek());
    this.forgetTyping();
  }

  /** What was typed before this page was loaded comes back, unless one types already. */
  async findLine(): Promise<void> {
    const line = await this.session.lineTyped().catch(() => "");
    if (!this.line.peek() && !this.typing) this.line.value = line;
  }

  private forgetTyping(): void {
    clearTimeout(this.typing);
    this.typing = 0;
  }

  /** Lock what was said: the line as it stands, and what was added. */
  lock(): void {
    const { session } = this;
    if (!session.mine.value || !session.unaided.value) return;
    this.forgetTyping();
    if (!this.line.value.trim() && !session.found.value.length) return this.toOpinion();
    session.lock(this.line.value.trim(), false);
  }

  /** Nothing to report: locked at once, where nothing was said against it. */
  nothing(): void {
    const { session } = this;
    this.forgetTyping();
    if (session.mine.value && session.unaided.value && !session.found.value.length) session.lock(this.line.value.trim(), true);
  }

  /** The image in hand as a view on which a colleague is asked, by its address or looking together. */
  toAsk(): string {
    const here = this.here.now();
    return `${to.oversight("view", this.session.uid)}${here ? `?${queryOf(here)}` : ""}`;
  }

  async leave(): Promise<void> {
    await this.session.lapse().catch(() => undefined); // leaving must always work; the study then stays open under this name, and the list says so
    go(to.worklist);
  }
}

const lines = new Map<string, Signal<string>>();

function lineOf(study: string): Signal<string> {
  const line = lines.get(study) ?? signal("");
  lines.set(study, line);
  return line;
}
