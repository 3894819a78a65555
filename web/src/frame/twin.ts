import type { Place } from "../router";

const DEPARTMENT: Record<string, string> = {
  alerts: "/api/alerts/all", orders: "/api/orders", performed: "/api/steps", work: "/api/workitems", messages: "/api/messages",
  peers: "/api/peers", rejected: "/api/rejections", identities: "/api/identities",
}; // prettier-ignore

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
      return id ? `/api/models/${word}` : "/api/models";
    case "cohorts":
      return id ? `/api/cohorts/${word}${asked}` : `/api/cohorts/ask${asked}`;
    case "department":
      return `${DEPARTMENT[part] ?? DEPARTMENT.alerts}${asked}`;
    case "sharing":
      return part ? "" : "/api/links";
    case "settings":
      return { site: "/api/settings/site", people: "/api/people", system: "/api/system" }[part] ?? "/api/settings/me";
    default:
      return "";
  }
}
