import { useEffect, useRef } from "preact/hooks";
import { ask } from "../api/door";
import { Source } from "../api/load";
import type { Level } from "../api/shapes";
import { bind, keyOf } from "../keys/keyboard";
import { Key, LevelMark } from "../kit/marks";
import { Shown, WithRight } from "../kit/states";

interface Told {
  few: number;
  classes: Record<Level, number | null>;
}

/** The worklist of whoever may not see it: how many studies of each class wait, and the rule that keeps the rest. */
export function CountedPage() {
  const source = useRef<Source<Told>>(null);
  source.current ??= new Source((abort) => ask<Told>("/api/worklist/counts", { abort }));
  const held = source.current;
  useEffect(() => {
    void held.load();
    const forget = bind("worklist", { reload: () => void held.load() });
    return () => (forget(), held.stop());
  }, []);
  return (
    <>
      <header class="bar" data-region tabIndex={-1}>
        <h1>Worklist</h1>
        <span class="gap" />
        <button type="button" class="quiet" onClick={() => void held.load()}>Count again <Key of={keyOf("worklist", "reload")} /></button>
      </header>
      <main class="desk-list" data-region tabIndex={0}>
        <Shown of={held} what="how many wait">
          {({ few, classes }) => (
            <table class="plain">
              <caption class="muted">Studies that wait to be read, by the class that was asked for</caption>
              <thead><tr><th scope="col">Class</th><th scope="col" class="num">Studies</th></tr></thead>
              <tbody>{(Object.keys(classes) as Level[]).map((level) => <tr key={level}><th scope="row"><LevelMark level={level} /></th><td class="num">{classes[level]?.toLocaleString("en") ?? <span class="muted">under {few}</span>}</td></tr>)}</tbody>
            </table>
          )}
        </Shown>
        <WithRight verb="worklist">{null}</WithRight>
      </main>
    </>
  );
}
