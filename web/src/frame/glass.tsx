import { useEffect } from "preact/hooks";
import { signal } from "@preact/signals";
import { ask } from "../api/door";
import { onHappening } from "../api/live";
import { may, me } from "../me";
import { to } from "../router";
import { count } from "../words";

const waiting = signal(0);

/** What was opened in an emergency and waits for this person to look through it: told on every page, as it happens. */
export function Glass() {
  const asked = !!me.value && may("glass_review");
  useEffect(() => {
    waiting.value = 0;
    if (!asked) return;
    const load = () => void ask<{ reviews: { reviewed: string }[] }>("/api/glass/reviews").then(({ reviews }) => (waiting.value = reviews.filter((one) => !one.reviewed).length), () => undefined);
    load();
    return onHappening(({ kind }) => kind.startsWith("Glass") && load());
  }, [asked]);
  if (!asked) return null;
  const many = waiting.value;
  return <span role="status">{many > 0 && <a class="soon" href={to.settings("projects")}>▲ {count(many, "study", "studies")} opened in an emergency: look through</a>}</span>;
}
