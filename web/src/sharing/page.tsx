import { useEffect } from "preact/hooks";
import { bind, keyOf } from "../keys/keyboard";
import { Lazy } from "../frame/lazy";
import { WithRight } from "../kit/states";
import { Tabs } from "../kit/tabs";
import { may } from "../me";
import { address, go, to } from "../router";
import { ConsentPart } from "./consent";
import { LedgerPart } from "./ledger";
import { Links } from "./links";

const PARTS = [
  { part: "", name: "Shared" },
  { part: "consent", name: "Consent" },
  { part: "ledger", name: "Came and left" },
];

const TABS = Object.fromEntries(PARTS.map((one, i) => [`tab-${i + 1}`, () => go(to.sharing(one.part))]));

/** Give exactly this, to exactly them, until exactly then; and take it back. */
export function SharingPage({ part, id }: { part: string; id: string }) {
  const query = address.value.searchParams;
  if (part === "preview" && may("share")) {
    const [link, studies] = [query.get("link") ?? "", id ? [id] : query.getAll("study")];
    return <Lazy key={link + studies.join()} what="what they would see" load={() => import("./preview").then((module) => module.PreviewPage)} with={{ studies, link }} />;
  }
  return <Parts part={part} />;
}

function Parts({ part }: { part: string }) {
  const links = part === "" && may("share");
  // The list of links has keys of its own, and binds these with them.
  useEffect(() => (links ? undefined : bind("sharing", TABS)), [links]);
  return (
    <>
      <header class="bar" data-region tabIndex={-1}>
        <h1>Sharing and consent</h1>
        <Tabs label="Parts of sharing" here={part} tabs={PARTS.map((one, i) => ({ ...one, at: to.sharing(one.part), key: keyOf("sharing", `tab-${i + 1}`) }))} />
      </header>
      <main class="desk-list model" data-region tabIndex={0}>
        {part === "ledger" ? <WithRight verb="audit"><LedgerPart /></WithRight>
          : part === "consent" ? <WithRight verb="consent"><ConsentPart /></WithRight>
          : <WithRight verb="share"><Links tabs={TABS} /></WithRight>}
      </main>
    </>
  );
}
