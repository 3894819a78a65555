import { type Sent, stream } from "./stream";

/** What is asked of the worker. */
export interface Asked {
  id: number;
  url: string;
  headers: Record<string, string>;
}

/** What it tells: an image and how many bytes have come since the one before, or the end, with words where it is a refusal. */
export type Told = { id: number; image: Sent; bytes: number } | { id: number; end: string };

interface Running {
  each: (image: Sent) => void;
  came: (bytes: number) => void;
  end: (refusal: string) => void;
}

let worker: Worker | null = null;
let broken = false;
let serial = 0;
const running = new Map<number, Running>();

/** As `stream`, in a thread of its own: a volume of 91 MB is several thousand parts, and a page that takes them draws nothing meanwhile. */
export async function streamApart(url: string, headers: Record<string, string>, each: (image: Sent) => void, came: (bytes: number) => void): Promise<void> {
  const at = (worker ??= begin());
  if (!at) return stream(url, headers, each, came);
  const id = (serial += 1);
  // An address is relative to the page here, and to the worker's own file there.
  const asked: Asked = { id, url: new URL(url, location.href).href, headers };
  try {
    await new Promise<void>((resolve, reject) => {
      running.set(id, { each, came, end: (refusal) => (refusal ? reject(new Error(refusal)) : resolve()) });
      at.postMessage(asked);
    });
  } finally {
    running.delete(id);
  }
  if (broken) await stream(url, headers, each, came); // an image that has come already is passed over
}

function begin(): Worker | null {
  if (broken || !("Worker" in window)) return null;
  const made = new Worker(new URL("./stream.worker.ts", import.meta.url), { type: "module" });
  made.addEventListener("message", ({ data }: MessageEvent<Told>) => {
    const one = running.get(data.id);
    if ("end" in data) return one?.end(data.end);
    one?.came(data.bytes);
    one?.each(data.image);
  });
  made.addEventListener("error", () => {
    [broken, worker] = [true, null]; // from now on the page does it by itself
    for (const one of running.values()) one.end("");
  });
  return made;
}
