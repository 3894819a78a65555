import type { StackView } from "../viewer/stack";

/** How far through the stack we are, and which images were really on screen. */
export function SliceBar({ view, seen }: { view: StackView; seen: ReadonlySet<string> }) {
  const pictures = view.series.value?.pictures ?? [];
  if (pictures.length < 2) return null;
  const each = 100 / pictures.length;
  const go = (event: PointerEvent) => {
    const box = (event.currentTarget as Element).getBoundingClientRect();
    void view.at(Math.floor(((event.clientY - box.top) / box.height) * pictures.length));
  };
  return (
    <svg class="slice-bar" viewBox="0 0 6 100" preserveAspectRatio="none" aria-hidden="true" onPointerDown={go} onPointerMove={(event) => event.buttons === 1 && go(event)}>
      <rect class="rail-line" width="6" height="100" />
      {pictures.map((one, i) => seen.has(one.imageId) && <rect key={one.imageId} class="seen" width="6" y={i * each} height={each + 0.05} />)}
      <rect class="now-line" width="6" y={Math.min(98.4, view.index.value * each)} height={Math.max(1.6, each)} />
    </svg>
  );
}
