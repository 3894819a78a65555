import { useEffect, useRef } from "preact/hooks";
import { bind, keyOf } from "../keys/keyboard";
import { WithRight } from "../kit/states";
import { Tabs } from "../kit/tabs";
import { may } from "../me";
import "../oversight/oversight.css";
import { go, to } from "../router";
import { AlertsPart } from "./alerts-part";
import "./department.css";
import { IdentitiesPart } from "./identities-part";
import { MessagesPart } from "./messages-part";
import { OrdersPart } from "./orders-part";
import { PeersPart } from "./peers-part";
import { PerformedPart } from "./performed-part";
import { RejectedPart } from "./rejected-part";
import { WorkPart } from "./work-part";

/** The parts with the right that each needs: who may not see one is not led to it. */
export const DEPARTMENT = [
  { part: "alerts", name: "Alerts", verb: "report", Part: AlertsPart },
  { part: "orders", name: "Orders", verb: "orders", Part: OrdersPart },
  { part: "performed", name: "Performed", verb: "orders", Part: PerformedPart },
  { part: "work", name: "Work items", verb: "workitems", Part: WorkPart },
  { part: "messages", name: "Messages", verb: "orders", Part: MessagesPart },
  { part: "peers", name: "Peers", verb: "send", Part: PeersPart },
  { part: "rejected", name: "Rejected", verb: "reject", Part: RejectedPart },
  { part: "identities", name: "Identities", verb: "identity", Part: IdentitiesPart },
];

/** What a department does around its images: who must be told, what is ordered and done, what other systems say, and what was put right. */
export function DepartmentPage({ part }: { part: string }) {
  const main = useRef<HTMLElement>(null);
  const mine = DEPARTMENT.filter((one) => may(one.verb));
  const here = DEPARTMENT.find((one) => one.part === part) ?? mine[0] ?? DEPARTMENT[0]!;
  useEffect(() => {
    const first = (what: string) => main.current?.querySelector<HTMLElement>(what);
    const rows = () => [...(main.current?.querySelectorAll<HTMLElement>("tbody tr") ?? [])];
    const row = () => document.activeElement?.closest<HTMLElement>("tbody tr") ?? null;
    const walk = (by: number) => {
      const all = rows();
      const now = row();
      const next = all[now ? all.indexOf(now) + by : by > 0 ? 0 : all.length - 1];
      if (next) ((next.tabIndex = -1), next.focus(), next.scrollIntoView({ block: "nearest" }));
    };
    return bind("department", {
      ...Object.fromEntries(DEPARTMENT.map((one, i) => [`tab-${i + 1}`, () => go(to.department(one.part))])),
      filter: () => first(".controls :is(input, select)")?.focus(),
      down: () => walk(1),
      up: () => walk(-1),
      open: () => row()?.querySelector<HTMLElement>("a[href]")?.click(),
      act: () => {
        const what = row()?.querySelector<HTMLElement>("summary, td button");
        what?.click();
        requestAnimationFrame(() => what?.parentElement?.querySelector<HTMLElement>("input, select")?.focus());
      },
      new: () => {
        const form = first(".new") as HTMLDetailsElement | null;
        if (form) ((form.open = true), form.querySelector<HTMLElement>("input, select")?.focus());
      },
      "page+1": () => first("[data-page=on]")?.click(),
      "page-1": () => first("[data-page=back]")?.click(),
      leave: () => (document.activeElement as HTMLElement | null)?.blur(),
    });
  }, []);
  return (
    <>
      <header class="bar" data-region tabIndex={-1}>
        <h1>Department</h1>
        <Tabs label="Parts of the department" here={here.part} tabs={DEPARTMENT.flatMap((one, i) => (may(one.verb) ? [{ part: one.part, name: one.name, at: to.department(one.part), key: keyOf("department", `tab-${i + 1}`) }] : []))} />
      </header>
      <main class="oversight department" data-region tabIndex={-1} ref={main}>
        <WithRight verb={here.verb}><here.Part key={here.part} /></WithRight>
      </main>
    </>
  );
}
