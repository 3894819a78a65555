import { useEffect } from "preact/hooks";
import { bind } from "../keys/keyboard";
import { Empty } from "../kit/states";

/** From a question to honest numbers. */
export function CohortsPage(_: { id: string; part: string }) {
  useEffect(() => bind("cohorts", {}), []);
  return (
    <>
      <header class="bar" data-region tabIndex={-1}><h1>Cohorts</h1></header>
      <main class="desk-list" data-region tabIndex={0}>
        <Empty title="No cohort is asked for">A question to the archive, its members on a day, and the table of their measurements stand here.</Empty>
      </main>
    </>
  );
}
