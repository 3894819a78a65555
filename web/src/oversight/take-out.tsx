import { useState } from "preact/hooks";
import { askBlob, type Trouble } from "../api/door";
import { keep } from "../api/keep";
import { asTrouble } from "../api/load";
import { keyOf } from "../keys/keyboard";
import { Key } from "../kit/marks";

interface Receipt {
  of: string;
  by: string;
  at: string;
  rows: number;
  sha256: string;
}

/** Figures as a file of one's own. The journal says that they were taken; the page shows the receipt that the file carries, too. */
export function TakeOut({ path, name }: { path: string; name: string }) {
  const [busy, setBusy] = useState(false);
  const [told, setTold] = useState<Receipt | Trouble | null>(null);
  const take = async () => {
    setBusy(true);
    setTold(null);
    try {
      const file = await askBlob(`${path}${path.includes("?") ? "&" : "?"}take=true`, {});
      setTold(await receiptOf(file));
      keep(file, name);
    } catch (error) {
      setTold(asTrouble(error));
    }
    setBusy(false);
  };
  return (
    <>
      <button type="button" class="quiet" data-take disabled={busy} onClick={() => void take()}>As JSON <Key of={keyOf("oversight", "download")} /></button>
      {told && <span class="receipt muted" role="status">{told instanceof Error ? told.message : <>Taken: {told.of}, {told.rows.toLocaleString("en")} {told.rows === 1 ? "row" : "rows"}, {told.at.slice(0, 19).replace("T", " ")} UTC, SHA-256 <span class="id">{told.sha256.slice(0, 12)}…</span>; receipt in the file, entry in the journal</>}</span>}
    </>
  );
}

/** The receipt stands in the file, or is its last line. */
async function receiptOf(file: Blob): Promise<Receipt> {
  const end = file.type.includes("ndjson") ? (await file.slice(-2000).text()).trimEnd().split("\n").at(-1)! : await file.text();
  return (JSON.parse(end) as { receipt: Receipt }).receipt;
}
