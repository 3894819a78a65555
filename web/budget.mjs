// What a browser has to fetch, compressed: the frame with every page but the viewer, and the reading room with it.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const out = new URL("../src/isocenter/doors/web/", import.meta.url);
const manifest = JSON.parse(readFileSync(new URL(".vite/manifest.json", out), "utf8"));
const KB = 1000;
const budgets = { shell: 60 * KB, room: 1100 * KB };

function files(key, seen = new Set()) {
  const entry = manifest[key];
  if (!entry || seen.has(key)) return [];
  seen.add(key);
  return [entry.file, ...(entry.css ?? []), ...(entry.imports ?? []).flatMap((one) => files(one, seen))];
}

const size = (names) => names.reduce((sum, name) => sum + gzipSync(readFileSync(new URL(name, out))).length, 0);
const shell = new Set(files("index.html"));
const room = files("src/room/page.tsx").filter((name) => !shell.has(name));
const sizes = { shell: size([...shell]), room: size(room) };
for (const [name, bytes] of Object.entries(sizes)) {
  const over = bytes > budgets[name];
  console.log(`${name} ${(bytes / KB).toFixed(1)} kB gzip of ${budgets[name] / KB}${over ? ": OVER BUDGET" : ""}`);
  if (over) process.exitCode = 1;
}
