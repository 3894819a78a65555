import { Dialog } from "../kit/dialog";
import { Key } from "../kit/marks";
import { me } from "../me";
import { count, person } from "../words";
import type { Desk } from "./desk";

/** The last look before a name goes under it: what is undecided, what was not looked for, which images were never on screen. */
export function SignDialog({ desk }: { desk: Desk }) {
  const { session } = desk;
  if (!desk.signing.value) return null;
  const study = session.study.value!;
  const close = () => (desk.signing.value = false);
  const found = session.found.value;
  const undecided = session.undecided.value;
  const not = (session.plan.value ?? []).filter((one) => one.answer === "declined" || one.answer === "failed").length;
  const images = study.series.filter((one) => one.viewable).reduce((sum, one) => sum + one.images, 0);
  const unseen = Math.max(0, images - desk.evidence.pictures.value.size);
  const changed = found.filter((one) => ["changed", "struck", "added"].includes(one.finding.verdict)).length;
  const sign = () => {
    if (undecided) return;
    close();
    session.sign();
  };
  return (
    <Dialog title={`Sign: ${person(study.patient.name)} · ${study.patient.id}${study.accession ? ` · ${study.accession}` : ""}`} close={close}>
      <div onKeyDown={(event) => { if (event.key === "Enter" && event.ctrlKey) { event.preventDefault(); sign(); } }}>
        <dl class="check-list">
          <div class={undecided ? "soon" : undefined}><dt>Undecided</dt><dd>{undecided === 0 ? "0 ✓" : `${undecided}: keep, change or strike each first`}</dd></div>
          <div><dt>Not looked</dt><dd>{count(not, "analysis", "analyses")}</dd></div>
          <div><dt>Images not shown</dt><dd>{unseen} of {images}</dd></div>
          <div><dt>Your changes</dt><dd>{changed}</dd></div>
        </dl>
        <p class="muted">Signing seals the report with your name, the time and a digest. An amendment later is a new version; this one stays.</p>
        <div class="acts">
          <button type="button" class="primary" aria-disabled={undecided > 0} disabled={undecided > 0} onClick={sign} autofocus={!undecided}>Sign as {me.value?.name} <Key of="Ctrl ↵" /></button>
          <button type="button" onClick={close} autofocus={undecided > 0}>Not yet</button>
        </div>
      </div>
    </Dialog>
  );
}

/** Another person was faster: theirs is on screen now, ours can go on top. */
export function ConflictDialog({ desk }: { desk: Desk }) {
  const conflict = desk.session.acts.conflict.value;
  if (!conflict) return null;
  const close = () => (desk.session.acts.conflict.value = null);
  return (
    <Dialog title="Another version came first" close={close}>
      <p>{conflict.trouble.what}. {conflict.trouble.why}</p>
      <p><span class="muted">Yours, not saved:</span> {conflict.mine}</p>
      <p class="muted">The newer version is on the page behind this window.</p>
      <div class="acts">
        <button type="button" class="primary" onClick={close}>Keep theirs</button>
        <button type="button" onClick={() => (close(), conflict.again())}>Send mine on top</button>
      </div>
    </Dialog>
  );
}
