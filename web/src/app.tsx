import { type ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { AnalysesPage } from "./analyses/page";
import { reachable } from "./api/door";
import { asTrouble } from "./api/load";
import { heard, listen, live } from "./api/live";
import { bind } from "./keys/keyboard";
import { KeySheet, sheetOpen } from "./keys/sheet";
import { Icon } from "./kit/icons";
import { Empty, Failed, Loading } from "./kit/states";
import { me, signOut } from "./me";
import { ReportPage } from "./report/page";
import { go, place, to } from "./router";
import { SignInPage } from "./sign-in/page";
import { otherTheme, theme } from "./theme";
import { clock } from "./words";
import { WorklistPage } from "./worklist/page";

/** The frame around every page: rail, page, foot. In the reading room the image owns the screen and the rail is gone. */
export function App() {
  const here = place.value;
  const person = me.value;
  useEffect(() => bind("everywhere", {
    keys: () => (sheetOpen.value = true),
    "go-worklist": () => go(to.worklist),
    "go-analyses": () => go(to.analyses()),
    theme: otherTheme,
    region: nextRegion,
  }), []);
  useEffect(() => {
    if (person) listen();
  }, [person]);
  useEffect(() => {
    if (person === null && here.page !== "sign-in") go(`/sign-in?to=${encodeURIComponent(location.pathname + location.search)}`, { replace: true });
  }, [person, here.page]);
  useEffect(() => {
    document.title = `${person?.demo ? "DEMO · " : ""}${titles[here.page]} · Isocenter`;
  }, [here.page, person]);
  if (here.page === "sign-in") return <Frame bare><SignInPage /></Frame>;
  if (!person) return <Loading what="who you are" bars={0} />;
  switch (here.page) {
    case "worklist":
      return <Frame><WorklistPage /></Frame>;
    case "study":
      return <Frame bare><Room key={here.study} study={here.study} /></Frame>;
    case "report":
      return <Frame><ReportPage key={here.study} study={here.study} /></Frame>;
    case "analyses":
      return <Frame><AnalysesPage name={here.name} /></Frame>;
    case "nowhere":
      return <Frame><main><h1 class="hidden">No such page</h1><Empty title="There is no such page">Nothing lies at {here.path}. <a href={to.worklist}>Go to the worklist</a></Empty></main></Frame>;
  }
}

const titles = { worklist: "Worklist", study: "Reading room", report: "Report", analyses: "Analyses", "sign-in": "Sign in", nowhere: "No such page" };

function Frame({ bare = false, children }: { bare?: boolean; children: preact.ComponentChildren }) {
  return (
    <div class={bare ? "frame bare" : "frame"}>
      {!bare && <Rail />}
      <div class="page">{children}</div>
      <footer class="foot">
        {me.value?.demo && <strong class="tag soon">DEMO</strong>}
        <span>Research software, not for diagnosis</span>
        <LiveMark />
      </footer>
      <KeySheet />
    </div>
  );
}

function Rail() {
  const here = place.value.page;
  return (
    <nav class="rail" aria-label="Main" data-region tabIndex={-1}>
      <a href={to.worklist} aria-current={here === "worklist" ? "page" : undefined}><Icon name="worklist" />Worklist</a>
      <a href={to.analyses()} aria-current={here === "analyses" ? "page" : undefined}><Icon name="analyses" />Analyses</a>
      <span class="gap" />
      <button type="button" onClick={() => (sheetOpen.value = true)}><Icon name="keys" />Keys</button>
      <button type="button" onClick={otherTheme}><Icon name="theme" />{theme.value === "dark" ? "Light" : "Dark"}</button>
      <button type="button" onClick={() => void signOut()} title={`Sign out ${me.value?.name}`}><Icon name="leave" />Leave</button>
    </nav>
  );
}

/** Whether the live channel speaks, and when it last did. */
function LiveMark() {
  if (!me.value) return null;
  const at = heard.value;
  if (!reachable.value) return <span class="live soon" role="status">▲ Offline: read-only until the server answers</span>;
  if (live.value && at) return <span class="live">live · {clock(at)}</span>;
  return <span class="live">live channel connecting</span>;
}

/** The reading room is a chunk of its own: who only looks at the list never loads the viewer. */
export const loadRoom = () => import("./room/page");

function Room({ study }: { study: string }) {
  const [Page, setPage] = useState<ComponentType<{ study: string }> | null>(null);
  const [failed, setFailed] = useState<unknown>(null);
  useEffect(() => {
    loadRoom().then((module) => setPage(() => module.RoomPage), setFailed);
  }, []);
  if (failed) return <Failed trouble={asTrouble(failed)} again={() => location.reload()} />;
  return Page ? <Page study={study} /> : <Loading what="the reading room" bars={0} />;
}

function nextRegion(): void {
  const regions = [...document.querySelectorAll<HTMLElement>("[data-region]")];
  const now = regions.findIndex((region) => region.contains(document.activeElement));
  regions[(now + 1) % regions.length]?.focus();
}
