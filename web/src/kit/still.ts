const ACTS = ["keydown", "pointerdown", "wheel", "input"] as const;

/** Do something that takes the page's time once nobody has pressed or turned anything for a while; the answer gives it up. */
export function whenStill(ms: number, act: () => void): () => void {
  let clock = 0;
  const end = () => {
    clearTimeout(clock);
    for (const kind of ACTS) removeEventListener(kind, wait, true);
  };
  const wait = () => {
    clearTimeout(clock);
    clock = window.setTimeout(() => (end(), act()), ms);
  };
  for (const kind of ACTS) addEventListener(kind, wait, { capture: true, passive: true });
  wait();
  return end;
}
