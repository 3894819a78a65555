import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { asTrouble } from "../api/load";
import { Failed, Loading } from "../kit/states";

/** A page that is fetched when somebody goes there. */
export function Lazy<P extends object>({ load, what, with: given }: { load: () => Promise<ComponentType<P>>; what: string; with: P }) {
  const [Page, setPage] = useState<ComponentType<P> | null>(null);
  const [failed, setFailed] = useState<unknown>(null);
  useEffect(() => {
    load().then((page) => setPage(() => page), setFailed);
  }, []);
  if (failed) return <main><Failed trouble={asTrouble(failed)} stands="The server was updated, or cannot be reached; nothing that you did is lost." again={() => location.reload()} /></main>;
  return Page ? <Page {...given} /> : <Loading what={what} bars={0} />;
}
