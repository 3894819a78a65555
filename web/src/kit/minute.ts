import { signal } from "@preact/signals";

/** The time, every half minute: what is due is counted by the minute, wherever it stands, at once. */
export const now = signal(Date.now());
setInterval(() => (now.value = Date.now()), 30_000);
