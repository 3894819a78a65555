import { useEffect } from "preact/hooks";
import { signal } from "@preact/signals";
import { askOrTake } from "../api/early";
import { onHappening } from "../api/live";
import { REVIEWS } from "../begin";
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
    const load = () => void askOrTake<{ reviews: { reviewed: string }[] }>(REVIEWS).then(({ reviews }) => (waiting.value = reviews.filter((one) => !one.reviewed).length), () => undefined);
    load();
    return onHappening(({ kind }) => (kind.startsWith("Glass") || kind === "AlertClimbed") && load());
  }, [asked]);
  if (!asked) return null;
  const many = waiting.value;
  return <span role="status">{many > 0 && <a class="soon" href={to.settings("projects")}>▲ {count(many, "study", "studies")} opened in an emergency: look through</a>}</span>;
}
