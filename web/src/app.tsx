import { useEffect } from "preact/hooks";
import { askEarly } from "./api/early";
import { listen } from "./api/live";
import { FaultBar } from "./frame/fault";
import { Foot } from "./frame/foot";
import { Lazy } from "./frame/lazy";
import { Rail } from "./frame/rail";
import { OfflineBar } from "./frame/offline";
import { Visions } from "./frame/vision";
import { bind } from "./keys/keyboard";
import { KeySheet, sheetOpen } from "./keys/sheet";
import { Empty, Loading } from "./kit/states";
import { may, me, OPEN } from "./me";
import { Palette, paletteOpen } from "./palette/palette";
import { type Place, go, place, to } from "./router";
import { SignInPage } from "./sign-in/page";
import { otherTheme } from "./theme";
import { WorklistPage } from "./worklist/page";

/** The frame around every page: rail, page, foot. In the reading room the image owns the screen and the rail is gone. */
export function App() {
  const here = place.value;
  const person = me.value;
  useEffect(() => bind("everywhere", {
    keys: () => (sheetOpen.value = true),
    palette: () => (paletteOpen.value = true),
    "go-worklist": () => go(to.worklist),
    "go-patients": () => go(to.patients()),
    "go-department": () => may("report") && go(to.department()),
    "go-analyses": () => go(to.analyses()),
    "go-models": () => go(to.models()),
    "go-cohorts": () => go(to.cohorts()),
    "go-sharing": () => go(to.sharing()),
    "go-oversight": () => go(to.oversight()),
    "go-settings": () => go(to.settings()),
    theme: otherTheme,
    region: nextRegion,
  }), []);
  useEffect(() => {
    if (person && may("events")) listen();
    if (person && here.page === "worklist" && !may("find") && may("cohorts")) go(to.cohorts(), { replace: true });
  }, [person]);
  useEffect(() => {
    if (person === null && !OPEN.has(here.page)) go(`/sign-in?to=${encodeURIComponent(location.pathname + location.search)}`, { replace: true });
  }, [person, here.page]);
  useEffect(() => {
    document.title = `${person?.demo ? "DEMO · " : ""}${titleOf(here)} · Isocenter`;
  }, [here, person]);
  const bare = OPEN.has(here.page) || (here.page === "study" && here.part !== "why");
  return (
    <div class={bare ? "frame bare" : "frame"}>
      {!bare && <Rail />}
      <div class="page">
        <OfflineBar />
        <FaultBar />
        {here.page === "sign-in" ? <SignInPage /> : here.page === "shared" ? <Lazy key="shared" what="what was shared" load={() => import("./shared/page").then((module) => module.SharedPage)} with={{}} /> : person ? <Page here={here} /> : <Loading what="who you are" bars={0} />}
      </div>
      <Foot />
      <KeySheet />
      <Visions />
      <Palette />
    </div>
  );
}

/** The reading room and most pages are chunks of their own: who only looks at the list never loads them. */
export const loadRoom = () => import("./room/page").then((module) => module.RoomPage);

/** The room for one study: what it holds and how it hangs is asked for while the room's code comes. */
const enterRoom = (study: string) => {
  askEarly(`/api/studies/${study}`, `/api/studies/${study}/hang`);
  return loadRoom();
};

function Page({ here }: { here: Place }) {
  const { page, id, part } = here;
  switch (page) {
    case "worklist":
      if (!may("worklist") && may("worklist_counts")) return <Lazy key="counted" what="how many wait" load={() => import("./worklist/counted").then((module) => module.CountedPage)} with={{}} />;
      return <WorklistPage />;
    case "study":
      if (part === "why") return <Lazy key={`why ${id}`} what="the reasons" load={() => import("./analyses/why").then((module) => module.WhyPage)} with={{ study: id }} />;
      if (part === "panel") return <Lazy key={`panel ${id}`} what="the panel" load={() => import("./room/page").then((module) => module.PanelPage)} with={{ study: id }} />;
      return <Lazy key={`study ${id}`} what="the reading room" load={() => enterRoom(id)} with={{ study: id }} />;
    case "report":
      return <Lazy key={`report ${id}`} what="the report" load={() => import("./report/page").then((module) => module.ReportPage)} with={{ study: id }} />;
    case "patients":
      return <Lazy key={page} what="the patients" load={() => import("./patients/page").then((module) => module.PatientsPage)} with={{ study: id }} />;
    case "department":
      return <Lazy key={page} what="the department" load={() => import("./department/page").then((module) => module.DepartmentPage)} with={{ part }} />;
    case "analyses":
      return <Lazy key={page} what="the catalogue" load={() => import("./analyses/page").then((module) => module.AnalysesPage)} with={{ name: id }} />;
    case "models":
      return <Lazy key={page} what="the models" load={() => import("./models/page").then((module) => module.ModelsPage)} with={{ name: id, part }} />;
    case "cohorts":
      return <Lazy key={page} what="the cohorts" load={() => import("./cohorts/page").then((module) => module.CohortsPage)} with={{ id, part }} />;
    case "sharing":
      return <Lazy key={page} what="what is shared" load={() => import("./sharing/page").then((module) => module.SharingPage)} with={{ part, id }} />;
    case "oversight":
      return <Lazy key={page} what="the oversight" load={() => import("./oversight/page").then((module) => module.OversightPage)} with={{ part, id }} />;
    case "segment":
      return <Lazy key={page} what="the service" load={() => import("./segmentation-service/page").then((module) => module.SegmentPage)} with={{}} />;
    case "headset":
      return <Lazy key={`headset ${id}`} what="the surfaces" load={() => import("./headset/page").then((module) => module.HeadsetPage)} with={{ study: id }} />;
    case "settings":
      return <Lazy key={page} what="the settings" load={() => import("./settings/page").then((module) => module.SettingsPage)} with={{ part }} />;
    default:
      return (
        <main>
          <h1 class="hidden">No such page</h1>
          <Empty title="There is no such page">Nothing lies at {here.path}. <a href={to.worklist}>Go to the worklist</a></Empty>
        </main>
      );
  }
}

function titleOf({ page, part }: Place): string {
  if (page === "study" && part === "why") return "Why not analysed";
  return { worklist: "Worklist", study: "Reading room", report: "Report", patients: "Patients", department: "Department", analyses: "Analyses", models: "Models", cohorts: "Cohorts",
    sharing: "Sharing", oversight: "Oversight", settings: "Settings", segment: "Analyse without keeping", headset: "Surfaces", shared: "Shared with you", "sign-in": "Sign in", nowhere: "No such page" }[page]; // prettier-ignore
}

function nextRegion(): void {
  const regions = [...document.querySelectorAll<HTMLElement>("[data-region]")];
  const now = regions.findIndex((region) => region.contains(document.activeElement));
  regions[(now + 1) % regions.length]?.focus();
}
