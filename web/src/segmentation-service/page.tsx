import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../api/door";
import { Source } from "../api/load";
import type { AnalysisCard } from "../api/shapes";
import { bind } from "../keys/keyboard";
import { MachineMark } from "../kit/marks";
import { Failed, Refused } from "../kit/states";
import { clock, count, number, person, quantity, spoken } from "../words";
import { type Measurement, type OfStudy, Run, type Result } from "./run";
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
    void here.find();
    const forget = bind("segment", { filter: () => field.current?.click() });
    return () => (forget(), here.stop());
  }, []);
  const take = (files: File[]) => void here.send(files, analysis, modality);
  useDrops(setOver, (dropped) => void here.take(dropped).then((files) => files && take(files)));
  const state = here.state.value;
  const told = here.told.value;
  const others = here.yours.value.filter((one) => one.id !== told?.id && state !== "sending");
  const catalogue = analyses.current.state.value;
  const people = new Set(told?.studies.map((one) => `${one.patient_id} ${one.patient}`)).size;
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
              <option value="">not among them</option><option value="CT">CT, in HU</option><option value="MR">MR</option><option value="PT">PET, in SUV by body weight</option>
            </select>
          </label>
        </form>
        {catalogue.at === "failed" && <Failed trouble={catalogue.trouble} again={() => void analyses.current!.load()} stands="The list of analyses is not here, so that none can be chosen. Images can still be dropped: every analysis that fits them is run then." />}
        {state === "empty" && (
          <section class={over ? "drop over" : "drop"} aria-label="Images">
            <p><strong>Drop files, a folder or a ZIP anywhere on this page</strong><br /><span class="muted">DICOM, or NIfTI with its modality chosen above; a file with “mask” in its name outlines the regions of the image beside it</span></p>
            <p class="acts">
              <label class="button">Choose files<input ref={field} class="hidden" type="file" multiple onChange={(event) => take([...(event.currentTarget.files ?? [])])} /></label>
              <label class="button">Choose a folder<input class="hidden" type="file" multiple {...{ webkitdirectory: true }} onChange={(event) => take([...(event.currentTarget.files ?? [])])} /></label>
            </p>
          </section>
        )}
        {here.trouble.value && <p class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {here.trouble.value.told}</p>}
        {!here.listed.value && <p class="callout slim" role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> <span>What you have here from before could not be asked for. It goes on, and is deleted half an hour after you last looked.</span> <button type="button" onClick={() => void here.find()}>Try again</button></p>}
        {others.length > 0 && (
          <section aria-label="Yours from before">
            <h2>Yours from before</h2>
            <table class="plain"><tbody>{others.map((one) => (
              <tr key={one.id}>
                <th scope="row">{one.analysis ? spoken(one.analysis) : "Every one that fits"}, {count(one.files, "file")}</th>
                <td>{one.state === "taking" ? "not all was sent" : one.state === "done" || one.state === "failed" ? one.state : `${one.state}: ${one.words}`}, deleted at {clock(new Date(one.gone_at))} unless you look</td>
                <td>{one.state !== "taking" && <button type="button" disabled={state === "sending"} onClick={() => (here.putDown(), void here.open(one.id))}>Open</button>} <button type="button" onClick={() => void here.remove(one.id)}>Delete</button></td>
              </tr>))}</tbody></table>
          </section>
        )}
        {state !== "empty" && (
          <p class="acts" role="status">
            {state === "sending" && <>{here.sent.value} of {count(here.total.value, "file")} sent</>}
            {(state === "waiting" || state === "running") && <>{state === "waiting" ? "Waiting" : "Running"}: {here.heard.value ? sayRun(told?.words ?? "") : "the server does not answer; it is asked again"}</>}
            {state === "done" && <><span class="fine" aria-hidden="true">✓</span> Done. Deleted at {clock(new Date(told!.gone_at))} unless you look again</>}
            {state === "failed" && <><span class="now" aria-hidden="true">⬢</span> Not analysed: {told?.words}</>}
            {(state === "done" || state === "failed") && <button type="button" onClick={() => here.aside()}>Begin another</button>}
            <button type="button" onClick={() => void here.leave()}>{state === "sending" || state === "running" || state === "waiting" ? "Stop and delete" : "Delete it now"}</button>
          </p>
        )}
        {told && told.rejected.length > 0 && <details class="rules"><summary>{count(told.rejected_in_all, "file")} not taken</summary><ul>{told.rejected.map((one, i) => <li key={i}>{one.file}: {one.why}</li>)}{told.rejected_in_all > told.rejected.length && <li>and {told.rejected_in_all - told.rejected.length} more</li>}</ul></details>}
        {people > 1 && <p class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> Images of {people} patients: each result stands under its own.</p>}
        {told?.studies.map((of, n) => (
          <section key={n} aria-label={nameOf(of)}>
            <h2>{nameOf(of)}</h2>
            {told.results.map((one, i) => one.study === n && (told.analysis || one.answer !== "declined") && <Outcome key={i} one={one} take={(name) => void here.fetch(name)} base={`/api/segment/${told.id}/files/`} />)}
            <NotLooked of={told.analysis ? [] : told.results.filter((one) => one.study === n && one.answer === "declined")} />
          </section>
        ))}
      </main>
    </>
  );
}

/** Files may be dropped anywhere on the page, at any time: a browser would leave the page and show what fell beside a field for them. */
function useDrops(over: (is: boolean) => void, dropped: (what: DataTransfer) => void): void {
  const taken = useRef(dropped);
  taken.current = dropped;
  useEffect(() => {
    const drag = (event: DragEvent) => (event.preventDefault(), over(true));
    const leave = (event: DragEvent) => event.relatedTarget === null && over(false);
    const drop = (event: DragEvent) => {
      event.preventDefault();
      over(false);
      if (event.dataTransfer) taken.current(event.dataTransfer);
    };
    const heard = { dragover: drag, dragleave: leave, drop } as const;
    for (const [name, hear] of Object.entries(heard)) document.addEventListener(name, hear as EventListener);
    return () => Object.entries(heard).forEach(([name, hear]) => document.removeEventListener(name, hear as EventListener));
  }, []);
}

/** Whose study it is, and which: what was dropped tells it, or is a file's name. */
function nameOf(of: OfStudy): string {
  return [of.patient ? person(of.patient) : "", of.patient_id, of.description, of.date, of.modalities.join("/"), count(of.images, "image")].filter(Boolean).join(" · ");
}

/** Of all analyses those that are for other images: one line each, behind one line. */
function NotLooked({ of }: { of: Result[] }) {
  if (!of.length) return null;
  return (
    <details class="rules"><summary>{count(of.length, "analysis", "analyses")} not looked, because</summary>
      <ul>{of.map((one) => <li key={one.analysis}>{spoken(one.analysis)}: {one.reasons.join("; ")}</li>)}</ul>
    </details>
  );
}

function Outcome({ one, base, take }: { one: Result; base: string; take: (name: string) => void }) {
  if (one.answer === "declined") return <section class="outcome"><Refused title={`${spoken(one.analysis)}: not looked, because`} reasons={one.reasons} /></section>;
  return (
    <section class="outcome" aria-label={spoken(one.analysis)}>
      <h3><MachineMark /> {spoken(one.analysis)} <span class="muted">{one.answer === "found" ? `found ${one.findings.length}` : "looked, found none"}</span></h3>
      {one.on.length > 0 && <p class="muted">on {one.on.join(" · ")}</p>}
      {(one.findings.length > 0 || one.measurements.length > 0) && (
        <table class="plain">
          <thead><tr><th scope="col">What</th><th scope="col">Measured</th><th scope="col" class="num">Volume</th></tr></thead>
          <tbody>
            {one.findings.map((finding, i) => <tr key={i}><th scope="row">{finding.words || finding.what?.meaning}</th><td>{finding.measurements.map((m) => `${nameOfMeasure(m)} ${quantity(m.value, m.unit, m.low, m.high)}`).join(" · ")}</td><td class="num">{finding.where?.volume_ml != null ? `${number(finding.where.volume_ml)}\u2009mL` : "–"}</td></tr>)}
            {one.measurements.map((m, i) => <tr key={`m${i}`}><th scope="row">{nameOfMeasure(m)}</th><td>{quantity(m.value, m.unit, m.low, m.high)}</td><td class="num">–</td></tr>)}
          </tbody>
        </table>
      )}
      {one.pictures.length > 0 && <ul class="gallery">{one.pictures.map((picture) => <li key={picture.name}><img src={base + picture.name} alt={`Slice ${picture.slice} with the outlines`} loading="lazy" /><span class="muted">slice {picture.slice}</span></li>)}</ul>}
      <p class="acts downloads">{one.files.map((file) => <a key={file.name} class="button" href={base + file.name} download={file.name} onClick={(event) => (event.preventDefault(), take(file.name))}>{kindOf(file.name)} <span class="muted">{size(file.size)}</span></a>)}</p>
      {one.left.length > 0 && <details class="rules"><summary>{count(one.left.length, "form")} left out</summary><ul>{one.left.map((left) => <li key={left.name}>{kindOf(left.name)}: {left.why}</li>)}</ul></details>}
    </section>
  );
}

/** What runs now, by the name that people call it: the server has that of the program. */
function sayRun(words: string): string {
  const [, name, rest] = /^(\w+)(, \d+ of \d+)$/.exec(words) ?? [];
  return name ? spoken(name) + rest : words;
}

/** What was measured, and how where it can be measured in more ways than one. */
function nameOfMeasure(one: Measurement): string {
  return one.definition ? `${one.what.meaning} (${one.definition})` : one.what.meaning;
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
  const figure = /figure(\d+)\.svg$/.exec(name)?.[1];
  if (figure) return `Figure ${figure} SVG`;
  return name.split(".").slice(1).join(".");
}

function size(bytes: number): string {
  return bytes < 1e6 ? `${Math.max(1, Math.round(bytes / 1e3))} kB` : `${number(bytes / 1e6)} MB`;
}
