import { useEffect, useRef } from "preact/hooks";
import { ask } from "../api/door";
import { Source } from "../api/load";
import { Empty, Lacking } from "../kit/states";
import { may } from "../me";
import { askFor } from "./question";

interface Order {
  procedure: string;
  modality: string;
  date: string | null;
  time: string;
}

/** Nothing waits: what is expected next, from what is ordered. */
export function AllRead({ q }: { q: string }) {
  const held = useRef<Source<Order[]>>(null);
  held.current ??= new Source(async (abort) => (await ask<{ rows: Order[] }>("/api/orders?state=scheduled", { abort })).rows);
  const source = held.current;
  useEffect(() => {
    if (may("orders")) void source.load();
    return () => source.stop();
  }, []);
  const next = source.value && expected(source.value, new Date());
  return (
    <Empty title="All read">
      {source.value && <p>{next ? `Next expected ${next}.` : "Nothing more is ordered here."}</p>}
      <Lacking of={source} what="What is expected next" />
      {q !== "is:waiting" && <p>Nothing that waits fits “{q}”.</p>}
      <button type="button" onClick={() => askFor({ q: "" }, { keep: true })}>Show all studies</button>
    </Empty>
  );
}

/** The first order from now on, as "10:40: CT chest (CT)"; of another day with its date. An order without a time is due that day. */
export function expected(orders: Order[], now: Date): string {
  const today = `${now.getFullYear()}-${`${now.getMonth() + 1}`.padStart(2, "0")}-${`${now.getDate()}`.padStart(2, "0")}`;
  const minute = now.toTimeString().slice(0, 5).replace(":", "");
  const next = orders.find(({ date, time }) => date && (date > today || (date === today && (!time || time.slice(0, 4) >= minute))));
  if (!next) return "";
  const at = [next.date !== today && next.date, next.time && `${next.time.slice(0, 2)}:${next.time.slice(2, 4) || "00"}`].filter(Boolean).join(" ") || "today";
  return `${at}: ${next.procedure}${next.procedure.includes(next.modality) ? "" : ` (${next.modality})`}`;
}
