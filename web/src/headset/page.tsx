import { useEffect, useRef, useState } from "preact/hooks";
import { ask, Trouble } from "../api/door";
import { asTrouble, Source } from "../api/load";
import { bind, keyOf } from "../keys/keyboard";
import { Key } from "../kit/marks";
import { Empty, Failed, Lacking, Shown } from "../kit/states";
import { type Identified, Whose } from "../kit/whose";
import { go, to } from "../router";
import { number, sentence } from "../words";
import "./headset.css";
import type { Edges, Theatre } from "./theatre";

export interface Part {
  node: string;
  name: string;
  /** "L", "R", or nothing where neither was coded nor named. */
  side: string;
  colour: [number, number, number];
  volume_ml: number;
  triangles: number;
  /** Who outlined it: a reader, or an analysis. */
  by: string;
  /** Who else outlined the same; it is drawn once. */
  also: { by: string; volume_ml: number }[];
}

/** The segments of a study as surfaces at true scale: on the screen, and in a headset where there is one. */
export function HeadsetPage({ study }: { study: string }) {
  const whose = useRef<Source<Identified>>(null);
  whose.current ??= new Source((abort) => ask<Identified>(`/api/studies/${study}`, { abort }));
  const source = useRef<Source<Part[]>>(null);
  source.current ??= new Source(async (abort) => (await ask<{ parts: Part[] }>(`/api/studies/${study}/surfaces`, { abort, deadline_s: 120 })).parts);
  useEffect(() => {
    void whose.current!.load();
    void source.current!.load();
    return bind("headset", { leave: () => go(to.study(study)) });
  }, []);
  const { value: state } = source.current.state;
  const trouble = state.at === "failed" ? state.trouble : null;
  return (
    <>
      <header class="bar" data-region tabIndex={-1}>
        <h1>Surfaces</h1>
        <span class="muted">at true scale, research only</span>
        <span class="gap" />
        {!!source.current.value?.length && <a class="button" href={`/api/studies/${study}/surfaces.glb`} download="segments.glb">GLB</a>}
        <a class="button" href={to.study(study)}>To the reading room <Key of={keyOf("headset", "leave")} /></a>
      </header>
      <main class="surfaces" data-region tabIndex={-1}>
        {whose.current.value && <Whose of={whose.current.value} />}
        <Lacking of={whose.current} what="Whose surfaces these are" />
        {trouble?.status === 404 || trouble?.kind === "Refused" ? <Empty title="No surface to show"><p>{sentence(trouble.why || trouble.what)}.</p><p>Surfaces are made of what was outlined in the study, once your own opinion is locked. <a href={to.study(study)}>To the reading room</a></p></Empty> : <Shown of={source.current} what="the surfaces">{(parts) => <Stage parts={parts} study={study} />}</Shown>}
      </main>
    </>
  );
}

const EDGES = ["left", "right", "top", "bottom"] as const;

function Stage({ parts, study }: { parts: Part[]; study: string }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const theatre = useRef<Theatre | null>(null);
  const [hidden, setHidden] = useState<ReadonlySet<string>>(new Set());
  const [modes, setModes] = useState<XRSessionMode[] | null>(null);
  const [size, setSize] = useState("");
  const [lost, setLost] = useState(false);
  const [edges, setEdges] = useState<Edges | null>(null);
  const [failed, setFailed] = useState<Trouble | null>(null);
  useEffect(() => {
    let gone = false;
    // The library for three dimensions is a chunk of its own: nobody loads it who does not come here.
    import("./theatre").then(async ({ Theatre, headsets }) => {
      if (gone) return;
      const turned = (now: Edges) => setEdges((was) => (was && EDGES.every((edge) => was[edge] === now[edge]) ? was : now));
      const signs = parts.map((part) => ({ node: part.node, words: part.side ? `${part.name} · ${part.side}` : part.name }));
      const made = await Theatre.open(canvas.current!, `/api/studies/${study}/surfaces.glb`, signs, { lost: setLost, turned });
      if (gone) return made.close();
      theatre.current = made;
      setSize(made.size_mm.map((mm) => number(mm)).join(" × "));
      setModes(await headsets());
    }).catch((error: unknown) => setFailed(asTrouble(error)));
    return () => {
      gone = true;
      theatre.current?.close();
      theatre.current = null;
    };
  }, []);
  const toggle = (node: string) => {
    const next = new Set(hidden);
    if (!next.delete(node)) next.add(node);
    setHidden(next);
    theatre.current?.show(node, !next.has(node));
  };
  return (
    <div class="beside">
      <div class="stage3d">
        {failed ? <Failed trouble={failed} stands="The table and the download hold the same surfaces." /> : (
          <>
            <canvas ref={canvas} class={lost ? "lost" : undefined} tabIndex={0} role="img" aria-label={`${parts.length} surfaces at true scale${size && `, ${size} mm`}; drag or arrows turn, wheel or plus and minus zoom`} />
            {edges && !lost && EDGES.map((edge) => <span key={edge} class={`side ${edge}`}>{edges[edge]}</span>)}
            <p class="muted" role="status">{lost ? "The graphics context was lost; the picture comes back with it" : size ? `${size} mm (side, height, depth)` : "Loading the surfaces"}</p>
          </>
        )}
      </div>
      <div>
        <table class="plain wide">
          <caption class="hidden">Parts of the scene</caption>
          <thead><tr><th scope="col">Shown</th><th scope="col">Part</th><th scope="col" class="num">Volume</th></tr></thead>
          <tbody>{parts.map((part) => (
            <tr key={part.node}>
              <td><input type="checkbox" checked={!hidden.has(part.node)} onChange={() => toggle(part.node)} aria-label={`Show ${part.name}`} /></td>
              <th scope="row"><svg class="swatch" width="12" height="12" aria-hidden="true"><rect width="12" height="12" rx="2" fill={`rgb(${part.colour.join(",")})`} /></svg> {part.name}{part.side && <> <abbr class="whichside" title={part.side === "L" ? "left" : "right"}>{part.side}</abbr></>} <span class="muted">{part.by}{part.also.map((other) => ` · ${other.by} ${number(other.volume_ml)}\u2009mL`).join("")}</span></th>
              <td class="num">{number(part.volume_ml)}{"\u2009"}mL</td>
            </tr>
          ))}</tbody>
        </table>
        {modes === null ? null : modes.length === 0 ? <p class="muted">No headset is connected to this browser. The view beside is the same scene, flat.</p> : (
          <p class="acts">{modes.map((mode) => <button key={mode} type="button" onClick={() => void theatre.current?.enter(mode).catch((error: unknown) => setFailed(asTrouble(error)))}>{mode === "immersive-ar" ? "Stand it in this room" : "Enter with the headset"}</button>)}</p>
        )}
      </div>
    </div>
  );
}
