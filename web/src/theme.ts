import { effect, signal } from "@preact/signals";

/** Dark is the reading theme, light serves lists in a bright room. Both are made of the same tokens. */
export const theme = signal<"dark" | "light">(localStorage.getItem("theme") === "light" ? "light" : "dark");

export function otherTheme(): void {
  theme.value = theme.value === "dark" ? "light" : "dark";
  localStorage.setItem("theme", theme.value);
}

export function wearTheme(): void {
  effect(() => {
    document.documentElement.dataset.theme = theme.value;
  });
}
