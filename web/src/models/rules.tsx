import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../api/door";
import { onHappening } from "../api/live";
import { asTrouble, Source } from "../api/load";
import { keyOf } from "../keys/keyboard";
import { Key } from "../kit/marks";
import { Shown } from "../kit/states";
import { may, ruleOf } from "../me";
import { to } from "../router";
import { moment } from "../words";

interface Rules {
  rule: { by: string; when: string } | null;
  charts: Record<string, string>;
  baseline: number;
  drill: { by: string; when: string; passed: boolean; checks: Record<string, boolean> } | null;
  due: boolean;
  every_days: number;
}

/** When the house stops this model by itself, and when a stop of it was tried last. */
export function StopRules({ name, asked }: { name: string; asked: number }) {
  const at = `/api/models/${encodeURIComponent(name)}`;
  const source = useRef<Source<Rules>>(null);
  source.current ??= new Source((abort) => ask<Rules>(`${at}/stop-rules`, { abort }));
  const rules = source.current;
  const [refused, setRefused] = useState("");
  const [heard_s, setHeard] = useState<number | null>(null);
  const pressed = useRef(0);
  useEffect(() => {
    void rules.load();
    const forget = onHappening(({ kind, subject }) => {
      if (subject !== name || !["StopRehearsed", "ModelStepped", "ChangeDeclared"].includes(kind)) return;
      if (kind === "StopRehearsed" && pressed.current) setHeard((performance.now() - pressed.current) / 1000);
      void rules.load();
    });
    return () => (forget(), rules.stop());
  }, []);
  const rehearse = async () => {
    [pressed.current] = [performance.now()];
    setHeard(null);
    try {
      await ask(`${at}/rehearse`, { method: "POST", body: {}, deadline_s: 60 });
      setRefused("");
      void rules.load();
    } catch (error) {
      const trouble = asTrouble(error);
      setRefused(trouble.told);
    }
  };
  const before = useRef(asked);
  useEffect(() => {
    if (asked > before.current && may("stop")) void rehearse();
    before.current = asked;
  }, [asked]);
  return (
    <section class="for" aria-label="Stop rules">
      <h2>Stop rules</h2>
      <Shown of={rules} what="the stop rules">
        {({ rule, charts, baseline, drill, due, every_days }) => (
          <>
            <p>{rule ? <>The first alarm of any chart stops it everywhere and tells: {rule.by} declared so, {moment(rule.when)} UTC.</> : <>An alarm of any chart is told, and a person decides: no rule was declared by which it stops by itself (<code>stop_on_alarm</code> in its change record).</>} <span class="muted">Charts ({Object.keys(charts).join("; ")}) say what is usual from the first {baseline} signed studies on; limits under <a href={to.models(name, "drift")}>Drift</a>.</span></p>
            <p role="status">
              {drill ? <><span class={drill.passed ? "fine" : "now"} aria-hidden="true">{drill.passed ? "✓" : "⬢"}</span> Last drill {moment(drill.when)} UTC by {drill.by}: {drill.passed ? "all held" : "not all held"}{due && <span class="soon"> · ▲ more than {every_days} days ago</span>}.{heard_s !== null && ` Heard here ${heard_s.toFixed(1)} s after the press.`}</> : <><span class="soon" aria-hidden="true">▲</span> No drill yet: whether a stop of it works was never tried here.</>}
            </p>
            {drill && <ul class="bullets">{Object.entries(drill.checks).map(([words, held]) => <li key={words}><span class={held ? "fine" : "now"} aria-hidden="true">{held ? "✓" : "⬢"}</span> {words}: {held ? "held" : "did not hold"}</li>)}</ul>}
            {refused && <p class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {refused}</p>}
            {may("stop") ? <p class="acts"><button type="button" onClick={() => void rehearse()}>Rehearse a stop <Key of={keyOf("models", "rehearse")} /></button> <span class="muted">Stops nothing: the same rules are tried on the list as it is now, and the journal keeps that they were.</span></p> : <p class="muted">{ruleOf("stop")}</p>}
          </>
        )}
      </Shown>
    </section>
  );
}
