import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../api/door";
import { Source } from "../api/load";
import { Shown } from "../kit/states";
import { count, moment } from "../words";

interface System {
  version: string;
  counts: Record<string, number>;
  waiting: number;
  works: boolean;
  disk: { total: number; free: number } | null;
  backup: { made: string | null; tested: Tested | null };
}

/** A backup that was restored into a scratch folder, and what came out. */
interface Tested {
  when: string;
  by: string;
  passed: boolean;
  entries?: number;
  files?: number;
  missing?: number;
  why?: string;
}

const GB = 1e9;

/** How the server does. */
export function SystemPart() {
  const source = useRef<Source<System>>(null);
  source.current ??= new Source((abort) => ask<System>("/api/system", { abort }));
  const system = source.current;
  useEffect(() => void system.load(), []);
  return (
    <Shown of={system} what="how the server does">
      {({ version, counts, waiting, works, disk, backup }) => (
        <section aria-labelledby="system">
          <h2 id="system">This server</h2>
          <dl class="facts">
            <div><dt>Version</dt><dd>Isocenter {version}</dd></div>
            <div><dt>Queue</dt><dd>{works ? count(waiting, "job waits or runs", "jobs wait or run") : "no worker listens here: this server only shows"}</dd></div>
            <div><dt>Disk</dt><dd>{disk ? `${Math.round((1 - disk.free / disk.total) * 100)} % full, ${(disk.free / GB).toFixed(1)} GB free of ${(disk.total / GB).toFixed(0)} GB` : "unknown, because the archive lies in no folder of this machine"}</dd></div>
            <div><dt>Archive</dt><dd>{count(counts.studies ?? 0, "study", "studies")}, {counts.series ?? 0} series, {count(counts.instances ?? 0, "image")}</dd></div>
            <div><dt>Damaged</dt><dd>{counts.damaged ? <span role="alert" class="now"><span aria-hidden="true">⬢</span> {count(counts.damaged, "stored file is", "stored files are")} not what was stored. <span class="muted">Nobody is shown them. Mend them from a copy: <code>isocenter scrub --copy FOLDER</code></span></span> : "no stored file was met that is not what was stored"}</dd></div>
            <div><dt>Last backup tested</dt><dd><Backup {...backup} /></dd></div>
            <div><dt>Conformance</dt><dd><a href="/api/conformance" target="_blank" rel="noopener">DICOM conformance statement</a> · <a href="/fhir/metadata" target="_blank" rel="noopener">FHIR capability statement</a></dd></div>
            <div><dt>Licences</dt><dd>Isocenter: Apache-2.0. <Licences /></dd></div>
            <div><dt>Interface</dt><dd><a href="/api/openapi.json" target="_blank" rel="noopener">OpenAPI description, as JSON</a></dd></div>
          </dl>
        </section>
      )}
    </Shown>
  );
}

/** Made is not tried: a backup counts from the day on which one was restored. */
function Backup({ made, tested }: { made: string | null; tested: Tested | null }) {
  const last = made ? `The last one was made ${moment(made)} UTC.` : "None was made.";
  const how = <span class="muted">{last} Make one and try it: <code>isocenter backup FOLDER --rehearse</code></span>;
  if (!tested) return <>never tested here. {how}</>;
  const when = `${moment(tested.when)} UTC by ${tested.by}`;
  if (!tested.passed) return <><span role="alert" class="now"><span aria-hidden="true">⬢</span> {when}: it could not be restored whole, {tested.why ?? `${count(tested.missing ?? 0, "file is", "files are")} missing or damaged`}.</span> {how}</>;
  return <><span class="fine"><span aria-hidden="true">✓</span> {when}:</span> {count(tested.entries ?? 0, "entry", "entries")} and {count(tested.files ?? 0, "file", "files")} came back whole. <span class="muted">{last}</span></>;
}

interface Package {
  name: string;
  version: string;
  licence: string;
}

/** Licences of the packages of this installation, asked for when somebody looks. */
function Licences() {
  const source = useRef<Source<Package[]>>(null);
  source.current ??= new Source(async (abort) => (await ask<{ packages: Package[] }>("/api/licences", { abort })).packages);
  const packages = source.current;
  const [open, setOpen] = useState(false);
  useEffect(() => {
    if (open) void packages.load();
    return () => packages.stop();
  }, [open]);
  return (
    <details open={open} onToggle={(event) => setOpen(event.currentTarget.open)}>
      <summary>Licences of its Python packages</summary>
      {open && <Shown of={packages} what="the licences">{(all) => (
        <table class="plain">
          <thead><tr><th scope="col">Package</th><th scope="col">Version</th><th scope="col">States</th></tr></thead>
          <tbody>{all.map((one) => <tr key={one.name}><td>{one.name}</td><td class="id">{one.version}</td><td>{one.licence || <span class="muted">nothing</span>}</td></tr>)}</tbody>
        </table>
      )}</Shown>}
    </details>
  );
}
