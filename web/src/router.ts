import { computed, signal } from "@preact/signals";

/** The pages of the house. Each is the first word of its address; what stands behind it is its own. */
export const PAGES = ["worklist", "study", "report", "patients", "department", "analyses", "models", "cohorts", "sharing", "oversight", "settings", "segment", "headset", "shared", "sign-in"] as const;
export type PageName = (typeof PAGES)[number] | "nowhere";

/** Where we are: the page, what it is about (an identifier, never a name), and which part of it. */
export interface Place {
  page: PageName;
  id: string;
  part: string;
  path: string;
}

/** Every view is an address without a name in it, so that it can be kept, shared and reloaded. */
export const address = signal(new URL(location.href));

export const place = computed<Place>(() => placeOf(address.value.pathname));

/** Pages whose second word is a part of the page; elsewhere it says what the page is about. A part that is not here leads nowhere. */
const PARTED: Record<string, readonly string[]> = {
  department: ["", "alerts", "orders", "performed", "work", "messages", "peers", "rejected", "identities"],
  oversight: ["", "audit", "turnaround", "peer", "triage", "readers", "followups", "double", "view"],
  settings: ["", "site", "people", "system", "projects"],
  sharing: ["", "consent", "ledger", "preview"],
};
/** What a page may be about: a study by its UID, a cohort by its digest or as it is asked now. Another word is the address of nothing. */
const NAMED: Record<string, RegExp> = { study: /^[0-9.]{1,64}$/, report: /^[0-9.]{1,64}$/, headset: /^[0-9.]{1,64}$/, patients: /^[0-9.]{0,64}$/, cohorts: /^([0-9a-f]{1,64}|ask)?$/ };

export function placeOf(path: string): Place {
  const [head = "worklist", second = "", third = ""] = path.split("/").filter(Boolean).map(decoded);
  const page = PAGES.find((name) => name === head);
  const parts = page && PARTED[page];
  if (!page || NAMED[page]?.test(second) === false || (parts && !parts.includes(second))) return { page: "nowhere", id: "", part: "", path };
  return parts ? { page, id: third, part: second, path } : { page, id: second, part: third, path };
}

function decoded(word: string): string {
  try {
    return decodeURIComponent(word);
  } catch {
    return word; // a broken escape is no page of ours; it is shown as it came
  }
}

const under = (page: PageName, ...words: string[]) => `/${[page, ...words.filter(Boolean).map(encodeURIComponent)].join("/")}`;

export const to = {
  worklist: "/worklist",
  study: (uid: string, part = "") => under("study", uid, part),
  why: (uid: string) => under("study", uid, "why"),
  report: (uid: string) => under("report", uid),
  /** The timeline of the person of a study: an address has no patient's name or number in it. */
  patients: (study = "") => under("patients", study),
  /** Alerts, orders, messages, peers, rejections, identities. */
  department: (part = "") => under("department", part),
  analyses: (name = "", part = "") => under("analyses", name, part),
  models: (name = "", part = "") => under("models", name, part),
  cohorts: (id = "", part = "") => under("cohorts", id, part),
  sharing: (part = "") => under("sharing", part),
  /** What a link would show; which studies, or which link, stands behind `?`. */
  preview: () => under("sharing", "preview"),
  oversight: (part = "", id = "") => under("oversight", part, id),
  settings: (part = "") => under("settings", part),
  /** Images that are analysed and not kept. */
  segment: "/segment",
  /** Surfaces of a study at true scale. */
  headset: (uid: string) => under("headset", uid),
};

export function go(path: string, { replace = false } = {}): void {
  history[replace ? "replaceState" : "pushState"](null, "", path);
  address.value = new URL(location.href);
}

/** Change one part of the address behind `?`; an empty value takes it out. With `keep` the browser's Back undoes it. */
export function setQuery(name: string, value: string, { keep = false } = {}): void {
  const next = new URL(location.href);
  if (next.searchParams.get(name) === (value || null)) return;
  if (value) next.searchParams.set(name, value);
  else next.searchParams.delete(name);
  history[keep ? "pushState" : "replaceState"](history.state, "", next);
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
