import { type Loaded, loadGrown, loadLaid, loadSeries } from "./series";
import { SeriesVolume } from "./volume";

/** Series and the volumes made of them: each is fetched once, however many places show it. */
export class Shelf {
  private readonly kept = new Map<string, Promise<Loaded>>();
  private readonly volumes = new Map<string, Promise<SeriesVolume>>();
  private readonly filledFrom = new Map<string, Loaded>();
  /** Volumes of series of which more has come since: planes may go through them still. */
  private readonly outgrown: Promise<SeriesVolume>[] = [];
  /** How many images of a series are to be shown, while they are asked for. */
  private readonly growing = new Map<string, number>();

  /** `grew`: more of a series is here than before. */
  constructor(private readonly grew: (before: Loaded, series: Loaded) => void) {}

  load(study: string, series: string): Promise<Loaded> {
    return this.once(series, () => loadSeries(study, series));
  }

  /** A series as a registration lays it onto another: of a study, or of an earlier one of the patient. `by` is a proposal, or "kept". */
  laid(study: string, series: string, fixed: string, by: string): Promise<Loaded> {
    return this.once(`${series}/${fixed}/${by}`, () => loadLaid(study, series, fixed, by));
  }

  /** Of the registrations that are kept with a study there may be newer ones. */
  forgetKept(): void {
    for (const key of this.kept.keys()) if (key.endsWith("/kept")) this.kept.delete(key);
  }

  private once(key: string, load: () => Promise<Loaded>): Promise<Loaded> {
    let loaded = this.kept.get(key);
    if (!loaded) {
      loaded = load();
      loaded.catch(() => this.kept.delete(key));
      this.kept.set(key, loaded);
    }
    return loaded;
  }

  /** A series has so many images now; they are fetched where fewer are here. */
  async grown(study: string, uid: string, images: number): Promise<void> {
    const asked = this.growing.get(uid);
    this.growing.set(uid, Math.max(asked ?? 0, images));
    if (asked !== undefined) return; // whoever asks already asks again
    try {
      for (;;) {
        const wanted = this.growing.get(uid)!;
        const before = await this.kept.get(uid)?.catch(() => null);
        if (!before || before.study !== study) return;
        if (before.pictures.length < wanted) this.growInto(before, await loadGrown(before));
        if (this.growing.get(uid) === wanted) return;
      }
    } catch {
      // what hangs goes on showing what it has; the next arrival asks again
    } finally {
      this.growing.delete(uid);
    }
  }

  private growInto(before: Loaded, series: Loaded): void {
    if (series === before) return;
    this.kept.set(series.uid, Promise.resolve(series));
    void this.volumes.get(series.uid)?.then((one) => (one.later.value = series.pictures.length), () => undefined);
    this.grew(before, series);
  }

  volume(series: Loaded): Promise<SeriesVolume> {
    let volume = this.volumes.get(series.uid);
    if (volume && this.filledFrom.get(series.uid) !== series) {
      this.outgrown.push(volume);
      volume = undefined;
    }
    if (!volume) {
      if (series.noVolume) return Promise.reject(new Error(series.noVolume));
      volume = new SeriesVolume(series).begin();
      this.filledFrom.set(series.uid, series);
      volume.catch(() => this.volumes.delete(series.uid));
      this.volumes.set(series.uid, volume);
    }
    return volume;
  }

  dropVolumes(): void {
    for (const volume of [...this.volumes.values(), ...this.outgrown]) void volume.then((one) => one.drop(), () => undefined); // one that never came has nothing to drop
    this.volumes.clear();
    this.filledFrom.clear();
    this.outgrown.length = 0;
  }
}
