import { type Signal, signal } from "@preact/signals";
import { asTrouble } from "../api/load";
import { Drawing, Figure, Label, labelAt, shortly } from "../marks/layer";
import { imageOf, type Kind, Measuring, type Sketch } from "../marks/measuring";
import { onCanvas, type Spot } from "../marks/spot";
import { hand } from "../viewer/mouse";
import type { StackView } from "../viewer/stack";
import { sentence } from "../words";
import type { Door } from "./ways";

export const KINDS: Partial<Record<Kind, string>> = { length: "Length", angle: "Angle", ellipse: "Ellipse", probe: "Probe" };

interface Mark {
  kind: Kind;
  on: string;
  spots: Spot[];
  words: string;
}

/** What somebody measures behind a link: the number is the server's, and nothing of it is kept. */
export class SharedMarks {
  readonly marks = signal<readonly Mark[]>([]);
  readonly said = signal("");
  readonly measuring: Measuring;

  constructor(view: Signal<StackView | null>, private readonly door: Door, why: () => string) {
    this.measuring = new Measuring({ active: view, hand }, (sketch) => void this.keep(sketch), why);
  }

  private async keep(sketch: Sketch): Promise<void> {
    const image = sketch.viewport.image.peek();
    if (!image) return;
    const { sop, frame } = image.picture;
    this.said.value = "measuring";
    try {
      const { words } = await this.door.measure({ kind: sketch.kind, points: sketch.spots, series_uid: sketch.viewport.series.peek()?.uid ?? "", instance_uid: sop, frame });
      this.marks.value = [...this.marks.peek(), { kind: sketch.kind, on: sketch.on, spots: sketch.spots, words }];
      this.said.value = words;
    } catch (error) {
      this.said.value = `${sentence(asTrouble(error).message)}.`;
    }
  }
}

/** What was measured on the image that is shown, and what is in hand. */
export function Measured({ of, view }: { of: SharedMarks; view: StackView }) {
  const { measuring } = of;
  const [sketch, cross, note] = [measuring.sketch.value, measuring.cross.value, measuring.note.value];
  const [, on] = [view.index.value, imageOf(view)];
  return (
    <>
      <svg class="overlay marks" aria-hidden="true">
        {of.marks.value.filter((one) => one.on === on).map((one, i) => {
          const points = onCanvas(view, one.spots);
          return points && <g key={i} data-mark={one.kind}><Figure kind={one.kind} points={points} /><Label at={labelAt(points)} words={shortly(one.words)} /></g>;
        })}
        {sketch && <Drawing sketch={sketch} viewport={view} at={cross?.at ?? null} />}
        {cross && measuring.kind.value && <path class="cross" data-cross d={`M${cross.at[0] - 10} ${cross.at[1]}h7M${cross.at[0] + 3} ${cross.at[1]}h7M${cross.at[0]} ${cross.at[1] - 10}v7M${cross.at[0]} ${cross.at[1] + 3}v7`} />}
      </svg>
      {note && <p class="note marks-note" role="status"><span class="soon" aria-hidden="true">▲</span> {note}</p>}
      <p class="hidden" role="status">{of.said.value}</p>
    </>
  );
}
