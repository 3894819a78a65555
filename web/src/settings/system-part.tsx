import { useEffect, useRef } from "preact/hooks";
import { ask } from "../api/door";
import { Source } from "../api/load";
import { Shown } from "../kit/states";
import { count } from "../words";

interface System {
  version: string;
  counts: Record<string, number>;
  waiting: number;
  works: boolean;
  disk: { total: number; free: number } | null;
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
      {({ version, counts, waiting, works, disk }) => (
        <section aria-labelledby="system">
          <h2 id="system">This server</h2>
          <dl class="facts">
            <div><dt>Version</dt><dd>Isocenter {version}</dd></div>
            <div><dt>Queue</dt><dd>{works ? `${waiting} jobs wait or run` : "no worker listens here: this server only shows"}</dd></div>
            <div><dt>Disk</dt><dd>{disk ? `${Math.round((1 - disk.free / disk.total) * 100)} % full, ${(disk.free / GB).toFixed(1)} GB free of ${(disk.total / GB).toFixed(0)} GB` : "unknown, because the archive lies in no folder of this machine"}</dd></div>
            <div><dt>Archive</dt><dd>{counts.studies} studies, {counts.series} series, {counts.instances} images</dd></div>
            <div><dt>Damaged</dt><dd>{counts.damaged ? <span role="alert" class="now"><span aria-hidden="true">⬢</span> {count(counts.damaged, "stored file is", "stored files are")} not what was stored. <span class="muted">Nobody is shown them. Mend them from a copy: <code>isocenter scrub --copy FOLDER</code></span></span> : "no stored file was met that is not what was stored"}</dd></div>
            <div><dt>Last backup tested</dt><dd class="muted">unknown, because no backup is told to this server</dd></div>
            <div><dt>Interface</dt><dd><a href="/api/openapi.json" target="_blank" rel="noopener">OpenAPI description, as JSON</a></dd></div>
          </dl>
        </section>
      )}
    </Shown>
  );
}
