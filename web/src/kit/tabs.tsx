/** Parts of a page as links, each with an address of its own; the one that is shown says so. */
export function Tabs({ label, tabs, here }: { label: string; tabs: { part: string; name: string; at: string; key?: string }[]; here: string }) {
  return (
    <nav class="tabs" aria-label={label}>
      {tabs.map((tab) => (
        <a key={tab.part} href={tab.at} aria-current={tab.part === here ? "page" : undefined}>{tab.name}{tab.key && <kbd aria-hidden="true">{tab.key}</kbd>}</a>
      ))}
    </nav>
  );
}
