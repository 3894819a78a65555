import { useEffect, useState } from "preact/hooks";
import { ask } from "../api/door";
import { may } from "../me";
import { day } from "../words";

interface Found {
  study: string;
  accession: string;
  description: string;
  date: string | null;
  modalities: string[];
}

const UID = "[0-9.]{1,64}";

/** Which study: its Study Instance UID, found by the accession number that people have at hand. */
export function StudyField({ name = "study", required = true, label = "Study Instance UID", value, keep }: { name?: string; required?: boolean; label?: string; value?: string; keep?: (study: string) => void }) {
  const [typed, setTyped] = useState(value ?? "");
  const [found, setFound] = useState<Found[]>([]);
  const [said, setSaid] = useState("");
  useEffect(() => {
    setSaid("");
    if (typed.trim().length < 2 || typed.length > 40 || !may("find")) return setFound([]);
    const abort = new AbortController();
    // In the body, not in the address: what is typed may be a name.
    const timer = setTimeout(() => void ask<{ studies: Found[] }>("/api/palette", { method: "POST", body: { words: typed.trim() }, abort: abort.signal }).then(({ studies }) => {
      setFound(studies);
      if (!typed.includes(".")) setSaid(studies.length ? "" : "No accession number here begins so. Type another, or put in the UID.");
      const meant = studies.filter((one) => one.accession.toLowerCase() === typed.trim().toLowerCase());
      if (meant.length === 1) type(meant[0]!.study); // a whole accession number that one study has needs no choosing
    }, () => setFound([])), 150);
    return () => (clearTimeout(timer), abort.abort());
  }, [typed]);
  const type = (words: string) => {
    setTyped(words);
    if (/^[0-9.]{0,64}$/.test(words)) keep?.(words); // what may stand in an address; other words may be a name
  };
  return (
    <>
      <label class="wide">{label}
        <input name={name || undefined} required={required} pattern={UID} title="Type an accession number and choose, or put in the UID" placeholder="accession number, then choose" list={`studies-for-${name || "page"}`} autocomplete="off" value={typed} onInput={(event) => type(event.currentTarget.value)} />
        <datalist id={`studies-for-${name || "page"}`}>{found.map((one) => <option key={one.study} value={one.study}>{[one.accession, one.description || one.modalities.join(" "), day(one.date)].filter(Boolean).join(" · ")}</option>)}</datalist>
      </label>
      <span class="muted found" role="status">{said}</span>
    </>
  );
}
