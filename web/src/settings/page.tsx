import { useEffect, useRef, useState } from "preact/hooks";
import { may } from "../me";
import { asTrouble } from "../api/load";
import { bind, keyOf } from "../keys/keyboard";
import { Key } from "../kit/marks";
import { Tabs } from "../kit/tabs";
import { go, to } from "../router";
import { MinePart } from "./mine-part";
import { PeoplePart } from "./people-part";
import { ProjectsPart } from "./projects-part";
import { SitePart } from "./site-part";
import { SystemPart } from "./system-part";
import { askBack, undoLast } from "./undo";

const PARTS = [
  { part: "", name: "Me", key: "1" },
  { part: "site", name: "Site", key: "2" },
  { part: "people", name: "People", key: "3" },
  { part: "system", name: "System", key: "4" },
  { part: "projects", name: "Projects", key: "5" },
];

/** Make it mine; make it the site's; know why something is allowed. */
export function SettingsPage({ part }: { part: string }) {
  const field = useRef<HTMLInputElement>(null);
  const [wanted, setWanted] = useState("");
  const [told, setTold] = useState("");
  const undo = () => {
    const back = part === "" ? undoLast() : part === "site" && may("site") ? askBack() : Promise.resolve("Nothing to undo here");
    void back.then(setTold, (error: unknown) => setTold(asTrouble(error).message));
  };
  useEffect(() => bind("settings", {
    filter: () => field.current?.focus(),
    ...Object.fromEntries(PARTS.map((one, i) => [`tab-${i + 1}`, () => go(to.settings(one.part))])),
    undo,
    "undo-also": undo,
  }), [part]);
  return (
    <>
      <header class="bar" data-region tabIndex={-1}>
        <h1>Settings</h1>
        <Tabs label="Parts of the settings" here={part} tabs={PARTS.map((one) => ({ ...one, at: to.settings(one.part) }))} />
        <span class="gap" />
        {(part === "" || part === "site") && <label class="filter"><span class="hidden">Find a setting</span><Key of={keyOf("settings", "filter")} /><input ref={field} type="search" placeholder="find a setting" onInput={(event) => setWanted(event.currentTarget.value.toLowerCase())} /></label>}
        <span class="muted" role="status">{told}</span>
        {(part === "" || (part === "site" && may("site"))) && <button type="button" onClick={undo}>Undo <Key of={keyOf("settings", "undo")} /></button>}
      </header>
      <main class="settings" data-region tabIndex={-1}>
        {part === "" && <MinePart wanted={wanted} />}
        {part === "site" && <SitePart wanted={wanted} />}
        {part === "people" && <PeoplePart />}
        {part === "system" && <SystemPart />}
        {part === "projects" && <ProjectsPart />}
      </main>
    </>
  );
}
