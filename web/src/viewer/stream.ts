import { DAMAGED, within } from "./deadline";
import { partsOf } from "./parts";

/** One image as it was sent: its head (`doors/pages_pictures.py` says what stands in it), and its values or the reason why there are none. */
export interface Sent {
  head: ArrayBuffer;
  body: ArrayBuffer;
}

const HEAD_BYTES = 32;
const DEADLINE_S = 30;

/**
 * Take an answer of many images apart as it comes: each is handed on when its last byte is there, and `came` is told of bytes.
 * It refuses in words: what the server said, or that nothing came for too long.
 */
export async function stream(url: string, headers: Record<string, string>, each: (image: Sent) => void, came: (bytes: number) => void): Promise<void> {
  const answer = await within(DEADLINE_S, "The images", fetch(url, { credentials: "same-origin", headers }));
  if (!answer.ok || !answer.body) throw new Error(await wordsOf(answer));
  const parts = partsOf(answer.body);
  let heard = performance.now();
  // One clock for the stream, not one for each of its thousand parts.
  const clock = setInterval(() => performance.now() - heard > DEADLINE_S * 1000 && parts.cancel(), 1000);
  const told = (bytes: number) => ((heard = performance.now()), came(bytes));
  try {
    for (let head = await parts.take(HEAD_BYTES, told); head; head = await parts.take(HEAD_BYTES, told)) {
      const view = new DataView(head);
      const body = await parts.take(view.getUint32(0, true) || view.getUint16(14, true), told);
      if (!body) return;
      each({ head, body });
    }
  } finally {
    clearInterval(clock);
  }
}

async function wordsOf(answer: Response): Promise<string> {
  const told = (await answer.json().catch(() => null)) as { error?: { what: string; kind?: string } } | null;
  if (told?.error?.kind === "Damaged") return DAMAGED;
  return told?.error?.what ?? `the server answered ${answer.status}`;
}
