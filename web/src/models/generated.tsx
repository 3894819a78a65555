import { useEffect, useRef } from "preact/hooks";
import { ask } from "../api/door";
import { Source } from "../api/load";
import { Shown } from "../kit/states";
import { Value } from "./parts";

interface Told {
  asks?: string;
  known: boolean;
  says: unknown;
}

interface Generated {
  notice: string;
  source_attributes: Record<string, Told>;
  explanation: Told;
}

/** The generated card: every attribute that certification asks for, or that it is not known and why. */
export function GeneratedCard({ name }: { name: string }) {
  const at = `/api/models/${encodeURIComponent(name)}/card`;
  const source = useRef<Source<Generated>>(null);
  source.current ??= new Source((abort) => ask<Generated>(at, { abort }));
  const held = source.current;
  useEffect(() => {
    void held.load();
    return () => held.stop();
  }, []);
  return (
    <>
      <h2>Source attributes</h2>
      <p class="muted">Generated from the record, the evidence and the journal. <a href={`${at}.pdf`}>On paper</a> · <a href={at}>for programs</a></p>
      <Shown of={held} what="the generated card">
        {(told) => (
          <dl class="facts card-facts">
            {[...Object.entries(told.source_attributes), ["explanation", { ...told.explanation, asks: "saliency" }] as [string, Told]].map(([id, one]) => (
              <div key={id}><dt>{one.asks ?? id}</dt><dd>{one.known ? <Value of={one.says} /> : <span class="muted">{String(one.says)}</span>}</dd></div>
            ))}
          </dl>
        )}
      </Shown>
    </>
  );
}
