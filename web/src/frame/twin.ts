import type { Place } from "../router";

const DEPARTMENT: Record<string, string> = {
  alerts: "/api/alerts/all", orders: "/api/orders", performed: "/api/steps", work: "/api/workitems", messages: "/api/messages",
  peers: "/api/peers", rejected: "/api/rejections", identities: "/api/identities",
}; // prettier-ignore

const COHORT: Record<string, string> = { plots: "plots", percentiles: "percentile", survival: "survival", compare: "compare", train: "learned" };

/** Every page has its JSON: the address under /api that holds what this page shows, with the same filters. */
export function jsonOf({ page, id, part }: Place, query: URLSearchParams): string {
  const word = encodeURIComponent(id);
  const asked = query.size ? `?${query}` : "";
  switch (page) {
    case "worklist":
      return `/api/worklist${asked}`;
    case "study":
      return part === "why" ? `/api/studies/${word}/plan` : `/api/studies/${word}`;
    case "report":
      return `/api/readings/${word}/report`;
    case "analyses":
      return id ? `/api/analyses/${word}` : "/api/analyses";
    case "models":
      if (part === "gate") return `/api/models/${word}/gate`;
      if (part === "wrong_cases") return `/api/models/${word}/wrong`;
      if (part === "compare") return `/api/models/${word}/compare${asked}`;
      return id ? `/api/models/${word}` : "/api/models";
    case "cohorts":
      if (part === "federated") return "/api/federations";
      if (COHORT[part]) return `/api/cohorts/${COHORT[part]}?${new URLSearchParams([...(/^[0-9a-f]/.test(id) && id !== "ask" ? [["id", id]] : []), ...query])}`;
      return id ? `/api/cohorts/${word}${asked}` : `/api/cohorts/ask${asked}`;
    case "patients":
      return id ? `/api/patients/${word}/timeline` : "";
    case "headset":
      return `/api/studies/${word}/surfaces`;
    case "segment":
      return "/api/segment";
    case "oversight":
      return oversight(part, word, query);
    case "department":
      return `${DEPARTMENT[part] ?? DEPARTMENT.alerts}${asked}`;
    case "sharing":
      return { consent: `/api/consents${asked}`, ledger: `/api/ledger/arrivals${asked}`, preview: `/api/studies/${word}/links/preview` }[part] ?? "/api/links";
    case "settings":
      return { site: "/api/settings/site", people: "/api/people", system: "/api/system", projects: "/api/projects" }[part] ?? "/api/settings/me";
    default:
      return ""; // a search by a name, and what asks nothing of the server
  }
}

/** The figures of oversight are counted in this person's time zone, as on the page. */
function oversight(part: string, id: string, query: URLSearchParams): string {
  const told = new URLSearchParams({ zone: Intl.DateTimeFormat().resolvedOptions().timeZone });
  for (const name of ["since", "until", "hours", "by", "span"]) if (query.get(name)) told.set(name, query.get(name)!);
  if (query.get("target")) told.set("target_min", query.get("target")!);
  switch (part) {
    case "turnaround":
      return `/api/turnaround?${told}`;
    case "peer":
      return id ? `/api/peer/${id}/case` : "/api/peer";
    case "triage":
      return query.get("analysis") ? `/api/triage/${encodeURIComponent(query.get("analysis")!)}?${told}` : "/api/triage";
    case "readers":
      return `/api/readers?${told}`;
    case "followups":
      return `/api/followups?state=${(query.get("state") ?? "").replace("all", "")}`;
    case "double":
      return "/api/double";
    case "view":
      return `/api/studies/${id}/remarks`;
    default:
      return `/api/audit?${new URLSearchParams({ q: query.get("q") ?? "" })}`;
  }
}
