import { Empty, Shown } from "../kit/states";
import { address, to } from "../router";
import { count, moment } from "../words";
import { Because, listPath, New, Pages, type Paged, useAsked } from "./list";

interface Change {
  number: string;
  what: "merged" | "moved";
  by: string;
  time: string;
  undone: number;
  reason: string;
  source?: string;
  studies: string[];
  from?: { id: string; issuer: string };
  into: { id: string; issuer: string; name?: string };
}

/** Whose studies these are: patients that were made one, studies that were given to another, each with its way back. */
export function IdentitiesPart() {
  const source = useAsked<Omit<Paged<Change>, "rows"> & { changes: Change[] }>(listPath("/api/identities"));
  const again = () => void source.load();
  const query = address.value.searchParams;
  const id = (who: { id: string; issuer: string }) => <><span class="id">{who.id}</span>{who.issuer && <span class="muted"> of {who.issuer}</span>}</>;
  return (
    <>
      <Shown of={source} what="the identities">
        {(told) => told.changes.length === 0 ? <Empty title="No identity was changed">When the hospital says that two patients are one (HL7 A40), it stands here with its way back. A person merges and moves below. The images keep the bytes that were sent.</Empty> : (
          <>
            <table class="plain wide">
              <caption class="hidden">Changes of identities, the newest first</caption>
              <thead><tr><th scope="col">When (UTC)</th><th scope="col">What</th><th scope="col">Studies</th><th scope="col">Why</th><th scope="col">By</th><th scope="col"><span class="hidden">Undo</span></th></tr></thead>
              <tbody>
                {told.changes.map((one) => (
                  <tr key={one.number}>
                    <td class="id">{moment(one.time)}</td>
                    <td>{one.what === "merged" ? <>{id(one.from!)} is now {id(one.into)}</> : <>moved to {id(one.into)}</>}</td>
                    <td>{one.studies[0] ? <a href={to.study(one.studies[0])}>{count(one.studies.length, "study", "studies")}</a> : "none yet"}</td>
                    <td>{one.reason}<span class="sub">{one.source}</span></td>
                    <td>{one.by}</td>
                    <td>{one.undone ? <span class="muted">undone</span> : <Because words="Undo" hint="they are two people" path={`/api/identities/${one.number}/undo`} done={again} />}</td>
                  </tr>
                ))}
              </tbody>
            </table>
            <Pages of={{ ...told, rows: told.changes }} one="change" />
          </>
        )}
      </Shown>
      <New title="Make two patients one" submit="Merge" path="/api/identities/merge" done={again} lead="What arrives later under the first identity is filed under the second, too. It can be undone."
        shape={({ gone, gone_issuer, stays, stays_issuer, reason }) => ({ gone: { id: gone, issuer: gone_issuer ?? "" }, stays: { id: stays, issuer: stays_issuer ?? "" }, reason })}>
        <label>Patient ID that ends<input name="gone" required maxLength={64} defaultValue={query.get("gone") ?? ""} /></label>
        <label>Its issuer<input name="gone_issuer" maxLength={64} placeholder="none" /></label>
        <label>Patient ID that stays<input name="stays" required maxLength={64} defaultValue={query.get("stays") ?? ""} /></label>
        <label>Its issuer<input name="stays_issuer" maxLength={64} placeholder="none" /></label>
        <label class="wide">Why<input name="reason" required minLength={3} maxLength={500} placeholder="registered twice, same birth date and address" /></label>
      </New>
      <New title="Give studies to another patient" keyed={false} submit="Move them" path="/api/identities/move" done={again} lead="For what was filed under the wrong person. It can be undone."
        shape={({ studies, ...rest }) => ({ ...rest, studies: (studies ?? "").split(/[\s,]+/).filter(Boolean) })}>
        <label class="wide">Study Instance UIDs, by spaces<input name="studies" required defaultValue={query.get("study") ?? ""} /></label>
        <label>Patient ID<input name="id" required maxLength={64} /></label>
        <label>Its issuer<input name="issuer" maxLength={64} placeholder="none" /></label>
        <label>Name<input name="name" maxLength={324} placeholder="Family^Given" /></label>
        <label class="wide">Why<input name="reason" required minLength={3} maxLength={500} placeholder="the wrong patient was chosen at the scanner" /></label>
      </New>
    </>
  );
}
