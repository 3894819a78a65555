import { computed, signal } from "@preact/signals";
import { ask } from "../api/door";
import { askOrTake } from "../api/early";
import { type Happening, onHappening, STOPS } from "../api/live";
import { asTrouble, Source } from "../api/load";
import type { Coded, Compared, Comparison, Finding, Planned, Reading, Report, Result, Study, Verdict } from "../api/shapes";
import { may, mayRead, me } from "../me";
import { Absent } from "./absent";
import { Acts } from "./acts";
import type { Lesions } from "./lesion-table";
import { titleOf } from "./naming";
import { tiedTo } from "./tying";

/** A finding with the result that carries it and its number; what else measures the same segment has the same number. */
export interface Found {
  number: number;
  result: Result;
  finding: Finding;
  /** Whether the words are still a machine's: nobody added or changed them. */
  machine: boolean;
  /** How it stands to one's own first opinion, where one was given. */
  compared: Compared | null;
}

/** One thing to answer: a finding, and beneath it what else was measured on the same segment. */
export interface Answerable {
  first: Found;
  beneath: Found[];
}

/** So often at most a study that is still being received is looked at again. */
const GROWS_MS = 1000;

/** How the name of a sentence begins that somebody wrote. */
const OWN = "own-";

/** What differs stands first, then what machines add, then what agrees, then what is one's own. */
const ORDER = ["differs", "adds", "agrees", "", "yours"];

/** What a signature carries beside the results: who was told of what is critical, and how much was on screen. */
export interface Signing {
  told?: { finding: string; identified: string; communicator: string; recipient: string; received: string; method: string; read_back: boolean }[];
  untold?: string;
  /** What the reader says cannot wait, beside what analyses say so of. */
  urgent?: string[];
  shown: { of: number; shown: number };
}

/** Another measurement of the segment that is answered, with its own numbers where they are changed. */
export interface Beside {
  tracking: string;
  measurements?: Decision["measurements"];
}

/** Whether a person has to say something of it before they sign: of numbers for research alone nobody has to. */
export const asks = ({ first, beneath }: Answerable): boolean => [first, ...beneath].some((one) => !one.finding.research);

/** How many voxels the box has in which a finding lies. */
function fineness({ finding: { where } }: Found): number {
  const [from, to] = where?.bounds ?? [[], []];
  return from.reduce((product, start, axis) => product * (to[axis]! - start), 1);
}

/** Whether it waits for a word. */
export const waits = ({ first, beneath }: Answerable): boolean => [first, ...beneath].some((one) => one.finding.verdict === "undecided" && !one.finding.research);

export interface Decision {
  verdict: Exclude<Verdict, "undecided">;
  words?: string;
  label?: string;
  reason?: string;
  certainty?: "possible" | "likely" | "certain";
  what?: Coded;
  site?: Coded;
  laterality?: Coded;
  measurements?: { what: Coded; value: number; unit: string }[];
  where?: { shape: "point"; instance_uid: string; points_px: [number, number][] };
}

/** One person's session with one study: what is known of it, what was decided, and every act on its way to the server. */
export class Session {
  readonly study: Source<Study>;
  readonly results: Source<Result[]>;
  readonly plan: Source<Planned[]>;
  /** Null for whoever reads blind: it would be refused. */
  readonly report: Source<Report | null>;
  readonly comparison: Source<Comparison | null>;
  /** Lesions of this patient through their studies; asked for by the panel, whenever what stands in it may have changed. */
  readonly lesions: Source<Lesions>;
  readonly reading = signal<Reading | null>(null);
  /** What the last undoing took back. */
  readonly undone = signal("");
  readonly acts = new Acts(() => this.refresh());
  /** What beside all this was asked for and did not come. */
  readonly absent = new Absent();

  readonly found = computed<Found[]>(() =>
    (this.results.value ?? [])
      .flatMap((result) => result.findings.map((finding) => ({ result, finding, machine: finding.verdict !== "added" && finding.verdict !== "changed" })))
      .map((one) => ({ ...one, number: one.finding.number ?? 0, compared: this.linesOf(one.finding.tracking)[0] ?? null }))
      .sort((a, b) => ORDER.indexOf(a.compared?.relation ?? "") - ORDER.indexOf(b.compared?.relation ?? "") || a.number - b.number),
  );
  /** One's own opinion comes first here, and is not locked yet: nothing of a machine is shown. */
  readonly unaided = computed(() => {
    const { state, opinion } = this.reading.value ?? {};
    return !!opinion?.asked && !opinion.locked && (state === "open" || state === "waiting");
  });
  /** What there is to answer, in its order: a lesion once, whichever analyses measured it. */
  readonly cards = computed<Answerable[]>(() => {
    const all = this.found.value;
    const leads = (one: Found) => !one.finding.under || one.finding.under === one.finding.tracking;
    return all
      .filter(leads)
      .map((first) => ({ first, beneath: all.filter((one) => one.finding.under === first.finding.tracking && !leads(one)) }))
      .sort((a, b) => Number(!asks(a)) - Number(!asks(b)));
  });
  /** What waits for a word. */
  readonly left = computed(() => this.cards.value.filter(waits));
  readonly undecided = computed(() => this.left.value.length);
  /** What is drawn: of several measurements of one segment its outline once, on the finest grid. */
  readonly outlines = computed(() => {
    const once = new Set(this.cards.value.map(({ first, beneath }) => [first, ...beneath].reduce((best, one) => (fineness(one) > fineness(best) ? one : best))));
    return this.found.value.filter((one) => once.has(one));
  });
  /** This person holds the study: acts are possible. */
  readonly mine = computed(() => {
    const reading = this.reading.value;
    return !!reading && (reading.state === "open" || reading.state === "amending") && reading.by === me.value?.name;
  });

  /** This person reads it blind, for peer learning or as one of two readers: the server tells no reading of it until their word is given. */
  readonly blind = computed(() => this.study.value?.reading === null && this.reading.value === null && may("reading"));

  /** Another person has it open; whoever reads may take it over once they have done nothing for half an hour. */
  readonly heldByOther = computed(() => ["open", "amending"].includes(this.reading.value?.state ?? "") && !this.mine.value && mayRead());

  /** The report is signed, and a new version of it can be begun. */
  readonly amendable = computed(() => this.reading.value?.state === "signed" && !!me.value);

  /** The study is being opened with this person: what they do meanwhile waits for it. */
  readonly opening = signal(false);

  private forget: () => void = () => undefined;
  private clock = 0;
  private growing = 0;

  constructor(readonly uid: string) {
    const at = `/api/studies/${uid}`;
    this.study = new Source((abort) => askOrTake<Study>(at, abort));
    this.results = new Source(async (abort) => (await ask<{ results: Result[] }>(`${at}/results`, { abort })).results);
    this.plan = new Source(async (abort) => (await ask<{ analyses: Planned[] }>(`${at}/plan`, { abort })).analyses);
    this.report = new Source(async (abort) => (this.blind.peek() ? null : ask<Report>(`/api/readings/${uid}/report`, { abort })));
    this.lesions = new Source((abort) => ask<Lesions>(`${at}/lesions`, { abort }));
    this.comparison = new Source(async (abort) => (this.reading.peek()?.opinion?.locked ? ask<Comparison>(`/api/readings/${uid}/comparison`, { abort }) : null));
  }

  /** The lines of the comparison that speak of a finding. */
  linesOf(tracking: string): Compared[] {
    return (this.comparison.value?.lines ?? []).filter((line) => line.machine === tracking || line.own === tracking);
  }

  /** Begin; what is said of the study is asked for when its first image is there, so that the image waits for nothing else. */
  async begin(image: () => Promise<void> = () => Promise.resolve()): Promise<void> {
    this.forget = onHappening((happening) => this.hear(happening));
    await this.study.load();
    this.reading.value = this.study.value?.reading ?? null;
    if (this.reading.value?.state === "waiting" && mayRead()) this.open();
    await image();
    await Promise.all([this.results.load(), this.plan.load(), this.report.load(), this.comparison.load()]);
  }

  end(): void {
    this.forget();
    clearTimeout(this.clock);
    clearTimeout(this.growing);
    this.acts.stop();
    for (const source of [this.study, this.results, this.plan, this.report, this.comparison, this.lesions]) source.stop();
  }

  async refresh(): Promise<void> {
    this.reading.value = await ask<Reading>(`/api/readings/${this.uid}`);
    await Promise.all([this.results.load(), this.plan.load(), this.report.load(), this.comparison.load()]);
  }

  /** Lock one's first opinion: what machines say comes on screen, and what machines elsewhere made of the study. */
  lock(line: string, nothing: boolean): void {
    this.acts.do("lock the first opinion", async (act) => {
      this.reading.value = await ask<Reading>(`/api/readings/${this.uid}/lock`, { method: "POST", body: { version: this.version, line, nothing, act } });
      await Promise.all([this.study.load(), this.results.load(), this.plan.load(), this.report.load(), this.comparison.load()]);
    });
  }

  /** The line of one's own opinion as it is typed, so that it outlives a reload; nobody else is told of it. */
  typed(line: string): void {
    this.acts.do("the line of your opinion", async () => void (await ask(`/api/readings/${this.uid}/line`, { method: "PUT", body: { line } })));
  }

  /** What was typed before this page was loaded, and not locked. */
  async lineTyped(): Promise<string> {
    return (await ask<{ line: string }>(`/api/readings/${this.uid}/line`)).line;
  }

  /** The evidence of these findings was on screen: the server lets nobody keep what it has not been told of. */
  saw(looks: { result: string; tracking: string; sop: string; frame: number }[]): void {
    this.acts.do("what was on screen", async () => {
      await ask(`/api/readings/${this.uid}/seen`, { method: "POST", body: { shown: looks } }).catch((error: unknown) => {
        if (asTrouble(error).unreached) throw error; // a finding that was replaced meanwhile is told of again
      });
    });
  }

  /** Take back one's last act. */
  undo(): void {
    this.acts.do("undo", async (act) => {
      const { reading, undone } = await ask<{ reading: Reading; undone: string }>(`/api/readings/${this.uid}/undo`, { method: "POST", body: { version: this.version, act } });
      this.reading.value = reading;
      this.undone.value = undone;
      await Promise.all([this.results.load(), this.report.load(), this.comparison.load()]);
    });
  }

  open(): void {
    this.opening.value = true;
    this.acts.do("open the study", async () => {
      try {
        const other = this.reading.peek()?.by;
        this.reading.value = await ask<Reading>(`/api/readings/${this.uid}/open`, { method: "POST" });
        if (other && other !== me.value?.name) await this.refresh(); // what the one before left is there for whoever takes it over
      } catch (error) {
        const trouble = asTrouble(error);
        if (trouble.unreached) throw error; // it is asked again, and what waits goes on waiting
        this.opening.value = false;
        if (!trouble.cameSecond) throw error;
        await this.refresh(); // somebody else has it: nothing of one's own is in question, so nothing is to be chosen
        this.acts.trouble.value = trouble;
        return;
      }
      this.opening.value = false;
    });
  }

  /** Give the study back unsigned; corrections stay. */
  async lapse(): Promise<void> {
    if (this.mine.value) this.reading.value = await ask<Reading>(`/api/readings/${this.uid}/lapse`, { method: "POST", body: { version: this.version } });
  }

  /** The card on which a finding stands. */
  cardOf(one: Found): Answerable {
    const under = one.finding.under || one.finding.tracking;
    return this.cards.value.find(({ first }) => first.finding.tracking === under) ?? { first: one, beneath: [] };
  }

  /** Say something of one finding, or of a lesion and of what else was measured on it (`also`). */
  decide(one: Found | null, decision: Decision, also: Beside[] = []): void {
    const name = one ? one.finding.words || titleOf(one.finding) : (decision.words ?? "");
    this.acts.do(`${decision.verdict}: ${name}${decision.words && one ? `: ${decision.words}` : ""}`, async (act) => {
      // A correction makes a new result: the newest one that holds this finding is the one to correct.
      const newest = (tracking: string) => this.found.value.find((other) => other.finding.tracking === tracking);
      const now = one && newest(one.finding.tracking);
      const beside = also.map((part) => ({ ...part, result: newest(part.tracking)?.result.id ?? "" }));
      this.reading.value = await ask<Reading>(`/api/readings/${this.uid}/correct`, {
        method: "POST",
        body: { version: this.version, tracking: one?.finding.tracking ?? "", result: now?.result.id ?? one?.result.id ?? "", ...decision, also: beside, act },
      });
      this.undone.value = "";
      await Promise.all([this.results.load(), this.report.load()]);
    });
  }

  /** A mark or a stroke, to the server at once; `after` when its answer is on screen, or when it was refused. */
  send(words: string, path: string, body: object | (() => object), after: () => void): void {
    this.acts.do(words, async (act) => {
      try {
        this.reading.value = await ask<Reading>(path, { method: "POST", body: { version: this.version, ...(typeof body === "function" ? body() : body), act }, deadline_s: 60 });
        this.undone.value = "";
        await Promise.all([this.results.load(), this.report.load()]);
      } catch (error) {
        if (asTrouble(error).unreached) throw error; // it waits, still drawn, and is sent again
        after();
        throw error;
      }
      after();
    });
  }

  /** Words of a sentence; in one of one's own, "[2]" ties it to finding 2. */
  word(id: string, text: string, section?: string, heading?: string): void {
    const said = id.startsWith(OWN) ? tiedTo(text, this.cards.peek()) : { text };
    this.acts.do(`report: ${text || "sentence removed"}`, (act) => this.write(`sentences/${encodeURIComponent(id)}`, { ...said, section, heading, act }));
  }

  /** Sentences of one's own, one after the other. */
  add(texts: string[], section: string, heading: string): void {
    const now = Date.now().toString(36);
    texts.forEach((text, i) => this.word(`${OWN}${now}${i ? `-${i}` : ""}`, text, section, heading));
  }

  /** Build the report by another template. */
  useTemplate(name: string): void {
    this.acts.do(`template: ${name}`, (act) => this.write("template", { name, act }));
  }

  private async write(path: string, body: object): Promise<void> {
    const report = await ask<Report>(`/api/readings/${this.uid}/${path}`, { method: "PUT", body: { version: this.version, ...body } });
    this.report.put(report);
    const reading = this.reading.value;
    if (reading) this.reading.value = { ...reading, version: report.version };
  }

  sign(more: Signing): void {
    this.acts.do("sign", async (act) => {
      // Nobody signs a result that is not on their screen: the server compares.
      const results = this.results.value?.map((one) => one.id);
      this.reading.value = await ask<Reading>(`/api/readings/${this.uid}/sign`, { method: "POST", body: { version: this.version, results, ...more, act }, deadline_s: 60 });
      await Promise.all([this.report.load(), this.results.load()]);
    });
  }

  private get version(): number | string {
    return this.reading.value?.version ?? 0;
  }

  /** More of the study has come: what is there is shown every now and then while it is still being received. */
  private grow(): void {
    if (this.growing) return;
    this.growing = window.setTimeout(() => {
      this.growing = 0;
      void this.study.load();
    }, GROWS_MS);
  }

  /** Something happened to this study. Our own acts answer for themselves; others' are fetched. */
  private hear({ kind, subject, who }: Happening): void {
    const stops = STOPS.has(kind); // of an analysis: what it said here is marked, whoever stopped it
    if (!stops && (subject !== this.uid || kind === "Viewed" || kind === "Remarked")) return;
    if (kind === "InstancesReceived") this.grow(); // whoever sent them, this person too
    if (!stops && who === me.value?.name) return;
    clearTimeout(this.clock);
    this.clock = window.setTimeout(() => void this.refresh().catch(() => undefined), 300);
  }
}
