import { sheetOpen } from "../keys/sheet";
import { keyOf } from "../keys/keyboard";
import { Icon, type IconName } from "../kit/icons";
import { may, signOut, me } from "../me";
import { type PageName, place, to } from "../router";
import { otherTheme, theme } from "../theme";

const places: { page: PageName; name: string; icon: IconName; at: string; key: string; verb?: string }[] = [
  { page: "worklist", name: "Worklist", icon: "worklist", at: to.worklist, key: "go-worklist", verb: "find" },
  { page: "patients", name: "Patients", icon: "patients", at: to.patients(), key: "go-patients", verb: "study" },
  { page: "department", name: "Department", icon: "department", at: to.department(), key: "go-department", verb: "report" },
  { page: "analyses", name: "Analyses", icon: "analyses", at: to.analyses(), key: "go-analyses", verb: "catalogue" },
  { page: "models", name: "Models", icon: "models", at: to.models(), key: "go-models", verb: "models" },
  { page: "cohorts", name: "Cohorts", icon: "cohorts", at: to.cohorts(), key: "go-cohorts" },
  { page: "sharing", name: "Sharing", icon: "sharing", at: to.sharing(), key: "go-sharing", verb: "find" },
  { page: "oversight", name: "Oversight", icon: "oversight", at: to.oversight(), key: "go-oversight", verb: "catalogue" },
  { page: "settings", name: "Settings", icon: "settings", at: to.settings(), key: "go-settings" },
];

/** The places of the house, 56 px wide. */
export function Rail() {
  const here = place.value.page;
  return (
    <nav class="rail" aria-label="Main" data-region tabIndex={-1}>
      {places.filter(({ verb }) => !verb || may(verb)).map(({ page, name, icon, at, key }) => (
        <a key={page} href={at} aria-current={here === page ? "page" : undefined} title={`${name}  ${keyOf("everywhere", key)}`}><Icon name={icon} />{name}</a>
      ))}
      <span class="gap" />
      <button type="button" onClick={() => (sheetOpen.value = true)} title={`Keys of this screen  ${keyOf("everywhere", "keys")}`}><Icon name="keys" />Keys</button>
      <button type="button" onClick={otherTheme} title={`The other theme  ${keyOf("everywhere", "theme")}`}><Icon name="theme" />{theme.value === "dark" ? "Light" : "Dark"}</button>
      <button type="button" onClick={() => void signOut()} title={`Sign out ${me.value?.name ?? ""}`}><Icon name="leave" />Leave</button>
    </nav>
  );
}
