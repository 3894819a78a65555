import { useState } from "preact/hooks";
import { ask } from "../api/door";
import { asTrouble } from "../api/load";

/** Another password for one's own account; it ends every session of it but this one. */
export function Password() {
  const [told, setTold] = useState<{ done: boolean; words: string } | null>(null);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const given = Object.fromEntries(new FormData(form)) as Record<"old" | "new" | "again", string>;
    if (given.new !== given.again) return setTold({ done: false, words: "The new password: the two entries differ. Type it again." });
    try {
      await ask("/api/me/password", { method: "POST", body: { old: given.old, new: given.new } });
      form.reset();
      setTold({ done: true, words: "Changed. You are signed out everywhere but here." });
    } catch (error) {
      setTold({ done: false, words: asTrouble(error).told });
    }
  };
  return (
    <section aria-labelledby="password">
      <h2 id="password">Password</h2>
      <p class="muted">At least 12 characters; a sentence is easy to remember. Every other session of yours ends.</p>
      <form class="add own" onSubmit={submit} aria-labelledby="password">
        {told && <p class="callout" role={told.done ? "status" : "alert"}>{!told.done && <><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span></>} {told.words}</p>}
        <label>Present password<input name="old" type="password" required maxLength={1024} autocomplete="current-password" /></label>
        <label>New password<input name="new" type="password" required minLength={12} maxLength={1024} autocomplete="new-password" /></label>
        <label>New password again<input name="again" type="password" required minLength={12} maxLength={1024} autocomplete="new-password" /></label>
        <button>Change the password</button>
      </form>
    </section>
  );
}
