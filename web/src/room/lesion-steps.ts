import { signal } from "@preact/signals";
import { ask } from "../api/door";
import { asTrouble } from "../api/load";
import type { Result } from "../api/shapes";
import type { Cell, Lightbox } from "../viewer/lightbox";
import { day } from "../words";
import { type Lesion, type Lesions, nameOf } from "./lesion-table";

interface Time {
  study: string;
  date: string | null;
  tracking: string;
}

/** One lesion through the studies: two neighbours in time stand side by side, each at the middle of the lesion. */
export class LesionSteps {
  /** What stands there, or why nothing does. */
  readonly words = signal("");
  private lesion = "";
  /** Number of the later of the two times. */
  private at = 0;

  constructor(private readonly study: string, private readonly lightbox: Lightbox) {}

  /** One study back or on, of the lesion that holds this finding, or else of the first that was seen twice. */
  async step(by: number, tracking: string): Promise<void> {
    try {
      const told = await ask<Lesions>(`/api/studies/${this.study}/lesions`);
      const twice = told.lesions.filter((one) => one.points.filter(Boolean).length > 1);
      const lesion = twice.find((one) => one.points.some((point) => point?.tracking === tracking)) ?? (tracking ? undefined : twice[0]);
      if (lesion) await this.hang(lesion, timesOf(lesion, told), by);
      else this.words.value = tracking && twice.length ? "This finding was seen in one study alone." : "No lesion was seen in more than one study.";
    } catch (error) {
      this.words.value = asTrouble(error).message;
    }
  }

  private async hang(lesion: Lesion, times: Time[], by: number): Promise<void> {
    const name = times.map((one) => one.tracking).join();
    const last = times.length - 1;
    this.at = this.lesion === name ? Math.min(last, Math.max(1, this.at + by)) : last; // the first press shows the newest two
    this.lesion = name;
    const pair = times.slice(this.at - 1, this.at + 1);
    const cells = await Promise.all(pair.map((one) => this.cell(one)));
    const nowhere = pair.filter((_, i) => !cells[i]);
    this.words.value = `${nameOf(lesion)}: ${pair.map((one) => day(one.date)).join(" beside ")}, ${this.at} of ${last}${nowhere.length ? `. Of ${nowhere.map((one) => day(one.date)).join(" and ")} it is not known on which image it lies` : ""}`;
    const hung = cells.filter((one) => one !== null);
    if (!hung.length) return;
    this.lightbox.links.on.value = false; // each stands at its own middle, also where the lesion has moved; a key links them again
    this.lightbox.activeNumber.value = hung.length - 1;
    this.lightbox.hang(hung.length > 1 ? "1x2" : "1x1", hung);
  }

  private async cell({ study, tracking }: Time): Promise<Cell | null> {
    const { results } = await ask<{ results: Result[] }>(`/api/studies/${study}/results`);
    const where = results.flatMap((one) => one.findings).find((one) => one.tracking === tracking)?.where;
    if (!where?.series_uid) return null;
    const sop = where.instances[where.instances.length >> 1] ?? where.instance_uid;
    return { kind: "stack", study, series: where.series_uid, prior: study !== this.study, at: sop ? { sop } : undefined };
  }
}

function timesOf(lesion: Lesion, told: Lesions): Time[] {
  return lesion.points.flatMap((point, i) => (point ? [{ study: point.study, date: told.studies[i]?.date ?? null, tracking: point.tracking }] : []));
}
