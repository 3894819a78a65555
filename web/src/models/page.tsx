import { useEffect } from "preact/hooks";
import { bind } from "../keys/keyboard";
import { Empty } from "../kit/states";

/** May I trust it here, for whom, since when; and how do I stop it. */
export function ModelsPage(_: { name: string; part: string }) {
  useEffect(() => bind("models", {}), []);
  return (
    <>
      <header class="bar" data-region tabIndex={-1}><h1>Models</h1></header>
      <main class="desk-list" data-region tabIndex={-1}>
        <Empty title="No model is here">Models with their cards and evidence stand here.</Empty>
      </main>
    </>
  );
}
