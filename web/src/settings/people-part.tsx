import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../api/door";
import { asTrouble, Source } from "../api/load";
import { Shown, WithRight } from "../kit/states";
import { StudyField } from "../kit/study-field";
import { may, me } from "../me";
import { day } from "../words";

interface Account {
  name: string;
  role: string;
  added: string;
  disabled: boolean;
}

/** Who works here, and why somebody may do something or not. */
export function PeoplePart() {
  const source = useRef<Source<Account[]>>(null);
  source.current ??= new Source(async (abort) => (may("people") ? (await ask<{ people: Account[] }>("/api/people", { abort })).people : []));
  const people = source.current;
  useEffect(() => void people.load(), []);
  const rights = Object.keys(me.value?.rights ?? {});
  return (
    <>
      <Why people={people.value ?? []} rights={rights} />
      {may("people") ? (
        <section aria-labelledby="accounts">
          <h2 id="accounts">Accounts</h2>
          <Shown of={people} what="the accounts">
            {(all) => (
              <table class="plain">
                <thead><tr><th scope="col">Name</th><th scope="col">Role</th><th scope="col">Since</th><th scope="col">State</th></tr></thead>
                <tbody>{all.map((one) => <tr key={one.name}><td>{one.name}</td><td>{one.role}</td><td>{day(one.added)}</td><td>{one.disabled ? <span class="muted">closed</span> : "active"}</td></tr>)}</tbody>
              </table>
            )}
          </Shown>
          <Add done={(all) => people.put(all)} />
        </section>
      ) : (
        <WithRight verb="people">{null}</WithRight>
      )}
    </>
  );
}

function Why({ people, rights }: { people: Account[]; rights: string[] }) {
  const [who, setWho] = useState("");
  const [what, setWhat] = useState("sign");
  const [on, setOn] = useState("");
  const [told, setTold] = useState<{ may: boolean; why: string; grants: string } | null>(null);
  const [failed, setFailed] = useState("");
  useEffect(() => {
    const asked = new URLSearchParams({ what, ...(who && { who }), ...(on && { on }) });
    ask<{ may: boolean; why: string; grants: string }>(`/api/policy/why?${asked}`).then((answer) => (setTold(answer), setFailed("")), (error: unknown) => (setTold(null), setFailed(asTrouble(error).message)));
  }, [who, what, on]);
  return (
    <section aria-labelledby="why">
      <h2 id="why">Who may do what, and why</h2>
      <div class="sentence-form">
        May <select aria-label="Person" value={who} onChange={(event) => setWho(event.currentTarget.value)}><option value="">I</option>{people.filter((one) => one.name !== me.value?.name).map((one) => <option key={one.name}>{one.name}</option>)}</select>
        <select aria-label="Act" value={what} onChange={(event) => setWhat(event.currentTarget.value)}>{rights.map((right) => <option key={right}>{right}</option>)}</select> ?
      </div>
      <StudyField name="" required={false} label="Towards one study, in whose project they may be less than here" keep={setOn} />
      {failed && <p role="alert"><span class="soon" aria-hidden="true">▲</span> The rule could not be read: {failed}. Choose again to ask again.</p>}
      {told && <p role="status">{told.may ? <span class="fine"><span aria-hidden="true">✓</span> Yes.</span> : <span class="soon"><span aria-hidden="true">▲</span> No.</span>} {told.why} {!told.may && <span class="muted">Who can grant it: {told.grants}.</span>}</p>}
    </section>
  );
}

function Add({ done }: { done: (all: Account[]) => void }) {
  const [refused, setRefused] = useState("");
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const given = new FormData(form);
    try {
      done((await ask<{ people: Account[] }>("/api/people", { method: "POST", body: Object.fromEntries(given) })).people);
      form.reset();
      setRefused("");
    } catch (error) {
      setRefused(asTrouble(error).told);
    }
  };
  return (
    <form class="add" onSubmit={submit} aria-label="Add a person">
      {refused && <p class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {refused}</p>}
      <label>Name<input name="name" required maxLength={64} autocomplete="off" /></label>
      <label>Role<select name="role"><option>reader</option><option>admin</option><option>researcher</option><option>planner</option></select></label>
      <label>First password<input name="password" type="password" required minLength={12} autocomplete="new-password" /></label>
      <button>Add the person</button>
    </form>
  );
}
