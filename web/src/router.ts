import { computed, signal } from "@preact/signals";

/** Where we are. Every view is an address without a name in it, so that it can be kept, shared and reloaded. */
export type Place =
  | { page: "worklist" }
  | { page: "study"; study: string }
  | { page: "report"; study: string }
  | { page: "analyses"; name: string }
  | { page: "sign-in" }
  | { page: "nowhere"; path: string };

export const address = signal(new URL(location.href));

export const place = computed<Place>(() => placeOf(address.value.pathname));

export function placeOf(path: string): Place {
  const [head = "", tail = ""] = path.split("/").filter(Boolean);
  if (head === "" || head === "worklist") return { page: "worklist" };
  if (head === "study" && tail) return { page: "study", study: decodeURIComponent(tail) };
  if (head === "report" && tail) return { page: "report", study: decodeURIComponent(tail) };
  if (head === "analyses") return { page: "analyses", name: decodeURIComponent(tail) };
  if (head === "sign-in") return { page: "sign-in" };
  return { page: "nowhere", path };
}

export const to = {
  worklist: "/worklist",
  study: (uid: string) => `/study/${encodeURIComponent(uid)}`,
  report: (uid: string) => `/report/${encodeURIComponent(uid)}`,
  analyses: (name = "") => (name ? `/analyses/${encodeURIComponent(name)}` : "/analyses"),
};

export function go(path: string, { replace = false } = {}): void {
  history[replace ? "replaceState" : "pushState"](null, "", path);
  address.value = new URL(location.href);
}

/** Change one part of the address behind `?`; an empty value takes it out. */
export function setQuery(name: string, value: string): void {
  const next = new URL(location.href);
  if (value) next.searchParams.set(name, value);
  else next.searchParams.delete(name);
  history.replaceState(null, "", next);
  address.value = next;
}

export function followLinks(): void {
  addEventListener("popstate", () => (address.value = new URL(location.href)));
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element).closest?.("a[href]") as HTMLAnchorElement | null;
    if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin) return;
    if (link.getAttribute("href")?.startsWith("#") || placeOf(link.pathname).page === "nowhere") return;
    event.preventDefault();
    go(link.href);
  });
}
