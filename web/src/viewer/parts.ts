/** A stream of bytes, taken in parts of sizes that whoever takes them knows. */
export interface Parts {
  /** The next so many bytes, in memory of their own; null where the stream ends before. `came` is told of each that comes. */
  take(bytes: number, came: (bytes: number) => void): Promise<ArrayBuffer | null>;
  cancel(): void;
}

/**
 * The parts of an answer. A browser that can is given the memory in which a part is to lie: otherwise it makes some of its own
 * for every 64 kB that come, which are copied and thrown away, and 91 MB of a volume are 180.
 */
export function partsOf(body: ReadableStream<Uint8Array>): Parts {
  try {
    return into(body.getReader({ mode: "byob" }));
  } catch {
    return outOf(body.getReader()); // it is no stream of bytes to this browser
  }
}

function into(reader: ReadableStreamBYOBReader): Parts {
  return {
    take: async (bytes, came) => {
      let buffer = new ArrayBuffer(bytes);
      for (let at = 0; at < bytes; ) {
        // `min`: one answer for the whole part; a browser that does not know it answers as bytes come.
        const next = await (reader as Waits).read(new Uint8Array(buffer, at), { min: Math.min(bytes - at, MOST_UNHEARD) });
        if (!next.value?.byteLength) return null;
        came(next.value.byteLength);
        buffer = next.value.buffer;
        at += next.value.byteLength;
        if (next.done) break;
      }
      return buffer;
    },
    cancel: () => void reader.cancel(),
  };
}

/** So many bytes may come before it is told of them: a slow line is alive while they do. */
const MOST_UNHEARD = 2 ** 17;

interface Waits {
  read(view: Uint8Array<ArrayBuffer>, how: { min: number }): Promise<{ done: boolean; value?: Uint8Array<ArrayBuffer> }>;
}

function outOf(reader: ReadableStreamDefaultReader<Uint8Array>): Parts {
  let [part, from]: [Uint8Array, number] = [new Uint8Array(0), 0];
  return {
    take: async (bytes, came) => {
      const target = new Uint8Array(bytes);
      for (let at = 0; at < bytes; ) {
        if (from >= part.length) {
          const next = await reader.read();
          if (next.done) return null;
          came(next.value.length);
          [part, from] = [next.value, 0];
        }
        const take = Math.min(bytes - at, part.length - from);
        target.set(part.subarray(from, from + take), at);
        [at, from] = [at + take, from + take];
      }
      return target.buffer;
    },
    cancel: () => void reader.cancel(),
  };
}
