/** Our few line drawings, 20 px, stroke 1.75. They never stand without a name. */
const paths = {
  worklist: "M3 5h14M3 10h14M3 15h9",
  analyses: "M3 3h6v6H3zM11 3h6v6h-6zM3 11h6v6H3zM11 14h6M14 11v6",
  theme: "M10 3a7 7 0 1 0 0 14zM10 3a7 7 0 0 1 0 14",
  keys: "M2 6h16v9H2zM5 9h1M9 9h1M13 9h2M6 12h8",
  leave: "M8 3H3v14h5M8 10h9M14 7l3 3-3 3",
} as const;

export function Icon({ name }: { name: keyof typeof paths }) {
  return (
    <svg width="20" height="20" viewBox="0 0 20 20" fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  );
}
