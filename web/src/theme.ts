import { computed, effect, signal } from "@preact/signals";
import { place } from "./router";
import { change, mine } from "./settings/mine";

const ofSystem = matchMedia("(prefers-color-scheme: light)");
const systemLight = signal(ofSystem.matches);
ofSystem.addEventListener("change", (event) => (systemLight.value = event.matches));

const onPaper = matchMedia("print");
const printing = signal(onPaper.matches);
onPaper.addEventListener("change", (event) => (printing.value = event.matches));

/** Pages of tables and plots, which are read like paper where nobody chose a theme. */
const ON_PAPER: ReadonlySet<string> = new Set(["cohorts", "oversight"]);

/** Dark is the reading theme, light serves lists in a bright room. Both are made of the same tokens. */
export const theme = computed<"dark" | "light">(() => {
  const wanted = mine.value.theme;
  if (wanted === "screen") return ON_PAPER.has(place.value.page) ? "light" : "dark";
  return wanted === "system" ? (systemLight.value ? "light" : "dark") : wanted;
});

export function otherTheme(): void {
  void change({ theme: theme.peek() === "dark" ? "light" : "dark" });
}

/** What a person set is worn by the whole page: theme, density, motion, and the preview of another colour vision. */
export function wearSettings(): void {
  effect(() => {
    const { dataset } = document.documentElement;
    dataset.theme = printing.value ? "light" : theme.value; // pale letters of the dark theme would vanish on paper
    dataset.density = mine.value.density;
    dataset.motion = mine.value.motion;
    dataset.vision = mine.value.vision;
  });
}
