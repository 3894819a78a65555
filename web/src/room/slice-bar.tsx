import type { Viewport } from "../viewer/viewport";

/** How far through the stack we are, and which images were really on screen for at least 200 ms. */
export function SliceBar({ view, seen }: { view: Viewport; seen: ReadonlySet<string> }) {
  const count = view.count.value;
  if (count < 2) return null;
  const each = 100 / count;
  const go = (event: PointerEvent) => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    void view.at(Math.min(count - 1, Math.max(0, Math.floor(((event.clientY - box.top) / box.height) * count))));
  };
  const pictures = view.kind === "stack" ? (view.series.value?.pictures ?? []) : [];
  return (
    <svg class="slice-bar" viewBox="0 0 6 100" preserveAspectRatio="none" aria-hidden="true" onPointerDown={go} onPointerMove={(event) => event.buttons === 1 && go(event)}>
      <rect class="rail-line" width="6" height="100" />
      <path class="seen" d={runs(pictures.map((one) => seen.has(one.key))).map(([from, to]) => `M0 ${from * each}H6V${to * each}H0Z`).join("")} />
      <rect class="now-line" width="6" y={Math.min(98.4, view.index.value * each)} height={Math.max(1.6, each)} />
    </svg>
  );
}

/** Stretches of true, as [from, to): one path for a bar of thousands of images. */
function runs(all: boolean[]): [number, number][] {
  const found: [number, number][] = [];
  all.forEach((is, i) => {
    if (!is) return;
    const last = found[found.length - 1];
    if (last && last[1] === i) last[1] = i + 1;
    else found.push([i, i + 1]);
  });
  return found;
}
