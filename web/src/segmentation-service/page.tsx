import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../api/door";
import { Source } from "../api/load";
import type { AnalysisCard } from "../api/shapes";
import { bind } from "../keys/keyboard";
import { MachineMark } from "../kit/marks";
import { Refused } from "../kit/states";
import { clock, count, number, quantity, spoken } from "../words";
import { filesOf, Run, type Result } from "./run";
import "./segmentation.css";

/** Drop a series, choose an analysis, take what comes out. Nothing of it is kept. */
export function SegmentPage() {
  const run = useRef<Run>(null);
  run.current ??= new Run();
  const here = run.current;
  const analyses = useRef<Source<AnalysisCard[]>>(null);
  analyses.current ??= new Source(async (abort) => (await ask<{ analyses: AnalysisCard[] }>("/api/analyses", { abort })).analyses);
  const [analysis, setAnalysis] = useState("");
  const [modality, setModality] = useState("");
  const [over, setOver] = useState(false);
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    void analyses.current!.load();
    const forget = bind("segment", { filter: () => field.current?.click() });
    return () => (forget(), here.leave());
  }, []);
  const take = (files: File[]) => void here.send(files, analysis, modality);
  const state = here.state.value;
  const told = here.told.value;
  return (
    <>
      <header class="bar" data-region tabIndex={-1}>
        <h1>Analyse without keeping</h1>
        <span class="muted">your images stay outside the archive and are deleted when you say so, or half an hour after you last looked</span>
      </header>
      <main class="service" data-region tabIndex={-1}>
        <form class="controls" onSubmit={(event) => event.preventDefault()}>
          <label>Analysis
            <select value={analysis} disabled={state !== "empty"} onChange={(event) => setAnalysis(event.currentTarget.value)}>
              <option value="">every one that fits</option>
              {(analyses.current.value ?? []).map((one) => <option key={one.name} value={one.name}>{spoken(one.name)}</option>)}
            </select>
          </label>
          <label>A NIfTI file is
            <select value={modality} disabled={state !== "empty"} onChange={(event) => setModality(event.currentTarget.value)}>
              <option value="">not among them</option><option>CT</option><option>MR</option><option>PT</option>
            </select>
          </label>
        </form>
        {state === "empty" && (
          <section class={over ? "drop over" : "drop"} aria-label="Images"
            onDragOver={(event) => (event.preventDefault(), setOver(true))} onDragLeave={() => setOver(false)}
            onDrop={(event) => { event.preventDefault(); setOver(false); void filesOf(event.dataTransfer!).then(take); }}>
            <p><strong>Drop files, a folder or a ZIP here</strong><br /><span class="muted">DICOM, or NIfTI with its modality chosen above</span></p>
            <p class="acts">
              <label class="button">Choose files<input ref={field} class="hidden" type="file" multiple onChange={(event) => take([...(event.currentTarget.files ?? [])])} /></label>
              <label class="button">Choose a folder<input class="hidden" type="file" multiple {...{ webkitdirectory: true }} onChange={(event) => take([...(event.currentTarget.files ?? [])])} /></label>
            </p>
          </section>
        )}
        {here.trouble.value && <p class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {here.trouble.value.what}{here.trouble.value.why && `: ${here.trouble.value.why}`}. {here.trouble.value.remedy}</p>}
        {state !== "empty" && (
          <p class="acts" role="status">
            {state === "sending" && <>{here.sent.value} of {count(here.total.value, "file")} sent</>}
            {(state === "waiting" || state === "running") && <>{state === "waiting" ? "Waiting" : "Running"}: {told?.words}</>}
            {state === "done" && <><span class="fine" aria-hidden="true">✓</span> Done. Deleted at {clock(new Date(told!.gone_at))} unless you look again</>}
            {state === "failed" && <><span class="now" aria-hidden="true">⬢</span> Not analysed: {told?.words}</>}
            <button type="button" onClick={() => here.leave()}>{state === "sending" || state === "running" ? "Stop and delete" : "Delete it now"}</button>
          </p>
        )}
        {told && told.rejected.length > 0 && <details class="rules"><summary>{count(told.rejected.length, "file")} not taken</summary><ul>{told.rejected.map((one, i) => <li key={i}>{one.file}: {one.why}</li>)}</ul></details>}
        {told?.results.map((one, i) => <Outcome key={i} one={one} base={`/api/segment/${told.id}/files/`} />)}
      </main>
    </>
  );
}

function Outcome({ one, base }: { one: Result; base: string }) {
  if (one.answer === "declined") return <section class="outcome"><Refused title={`${spoken(one.analysis)}: not looked, because`} reasons={one.reasons} /></section>;
  return (
    <section class="outcome" aria-label={spoken(one.analysis)}>
      <h2><MachineMark /> {spoken(one.analysis)} <span class="muted">{one.answer === "found" ? `found ${one.findings.length}` : "looked, found none"}</span></h2>
      {(one.findings.length > 0 || one.measurements.length > 0) && (
        <table class="plain">
          <thead><tr><th scope="col">What</th><th scope="col">Measured</th><th scope="col" class="num">Volume</th></tr></thead>
          <tbody>
            {one.findings.map((finding, i) => <tr key={i}><th scope="row">{finding.words || finding.what?.meaning}</th><td>{finding.measurements.map((m) => `${m.what.meaning} ${quantity(m.value, m.unit, m.low, m.high)}`).join(" · ")}</td><td class="num">{finding.where?.volume_ml != null ? `${number(finding.where.volume_ml)}\u2009mL` : "–"}</td></tr>)}
            {one.measurements.map((m, i) => <tr key={`m${i}`}><th scope="row">{m.what.meaning}</th><td>{quantity(m.value, m.unit, m.low, m.high)}</td><td class="num">–</td></tr>)}
          </tbody>
        </table>
      )}
      {one.pictures.length > 0 && <ul class="gallery">{one.pictures.map((picture) => <li key={picture.name}><img src={base + picture.name} alt={`Slice ${picture.slice} with the outlines`} loading="lazy" /><span class="muted">slice {picture.slice}</span></li>)}</ul>}
      <p class="acts downloads">{one.files.map((file) => <a key={file.name} class="button" href={base + file.name} download={file.name}>{kindOf(file.name)} <span class="muted">{size(file.size)}</span></a>)}</p>
      {one.left.length > 0 && <details class="rules"><summary>{count(one.left.length, "form")} left out</summary><ul>{one.left.map((left) => <li key={left.name}>{kindOf(left.name)}: {left.why}</li>)}</ul></details>}
    </section>
  );
}

function kindOf(name: string): string {
  const region = /region(\d+)/.exec(name)?.[1];
  const of = region ? ` ${region}` : "";
  if (/\.seg\d*\.dcm$/.test(name)) return "SEG";
  if (name.endsWith(".sr.dcm")) return "Structured report";
  if (name.endsWith(".dcm")) return "Parametric map";
  if (name.endsWith(".nii.gz")) return `NIfTI${of}`;
  if (name.endsWith(".stl")) return `Mesh STL${of}`;
  if (name.endsWith(".glb")) return `Mesh GLB${of}`;
  if (name.endsWith(".json")) return "JSON";
  return name.split(".").slice(1).join(".");
}

function size(bytes: number): string {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${number(bytes / 1e6)} MB`;
}
