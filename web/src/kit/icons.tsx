/** Our few line drawings, 20 px, stroke 1.75. They never stand without a name. */
const paths = {
  worklist: "M3 5h14M3 10h14M3 15h9",
  patients: "M10 9.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM4 16.5c.6-3 3-4.5 6-4.5s5.4 1.5 6 4.5",
  department: "M3.5 17V6.5L10 3l6.5 3.5V17M2 17h16M8 17v-4h4v4M10 6.5v4M8 8.5h4",
  analyses: "M3 3h6v6H3zM11 3h6v6h-6zM3 11h6v6H3zM11 14h6M14 11v6",
  models: "M10 2.5l6.5 3.7v7.6L10 17.5l-6.5-3.7V6.2zM10 10l6.5-3.8M10 10v7.5M10 10L3.5 6.2",
  cohorts: "M5 7.5a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM15 7.5a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM10 16.5a2 2 0 1 0 0-4 2 2 0 0 0 0 4zM6 7.2l3 5.4M14 7.2l-3 5.4M7 5.5h6",
  sharing: "M10 12.5V3M6.5 6L10 2.8 13.5 6M4 10.5v6.5h12v-6.5",
  oversight: "M2 10c2-3.7 4.7-5.5 8-5.5s6 1.8 8 5.5c-2 3.7-4.7 5.5-8 5.5S4 13.7 2 10zM10 12.5a2.5 2.5 0 1 0 0-5 2.5 2.5 0 0 0 0 5z",
  settings: "M3 6h7M15 6h2M3 14h2M10 14h7M12.5 8.3a2.3 2.3 0 1 0 0-4.6 2.3 2.3 0 0 0 0 4.6zM7.5 16.3a2.3 2.3 0 1 0 0-4.6 2.3 2.3 0 0 0 0 4.6z",
  theme: "M10 3a7 7 0 1 0 0 14zM10 3a7 7 0 0 1 0 14",
  keys: "M2 6h16v9H2zM5 9h1M9 9h1M13 9h2M6 12h8",
  leave: "M8 3H3v14h5M8 10h9M14 7l3 3-3 3",
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg width="20" height="20" viewBox="0 0 20 20" fill="none" stroke="currentColor" stroke-width="1.75" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  );
}
