import { useEffect, useState } from "preact/hooks";
import { ask } from "../api/door";
import { asTrouble } from "../api/load";
import type { Trouble } from "../api/door";
import { whoAmI } from "../me";
import { address, go, placeOf, to } from "../router";

/** The door. Paste and password managers work; there is no default password, and the first link is printed at start. */
export function SignInPage() {
  const [trouble, setTrouble] = useState<Trouble | null>(null);
  const [busy, setBusy] = useState(false);
  const [service, setService] = useState<{ issuer: string; begin: string } | null>(null);
  useEffect(() => void ask<{ service: typeof service }>("/api/sign-in/ways").then((told) => setService(told.service), () => setService(null)), []);
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    setBusy(true);
    try {
      await ask("/api/sign-in", { method: "POST", body: { name: form.get("name"), password: form.get("password") } });
      await whoAmI();
      go(wanted(), { replace: true });
    } catch (error) {
      setTrouble(asTrouble(error));
    } finally {
      setBusy(false);
    }
  };
  return (
    <main class="door">
      <form onSubmit={submit} aria-label="Sign in">
        <h1>
          <svg width="28" height="28" viewBox="0 0 20 20" fill="none" stroke="currentColor" stroke-width="1.25" aria-hidden="true"><circle cx="10" cy="10" r="6.5" /><path d="M10 1v5M10 14v5M1 10h5M14 10h5" /></svg>
          Isocenter
        </h1>
        {trouble && (
          <p class="callout" role="alert">
            <span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> <span>Not signed in. {trouble.told}</span>
          </p>
        )}
        <label>Name<input name="name" autocomplete="username" required autofocus /></label>
        <label>Password<input name="password" type="password" autocomplete="current-password" required /></label>
        <button class="primary" disabled={busy}>{busy ? "Signing in" : "Sign in"}</button>
        {service && <a class="button" href={service.begin} target="_self">Sign in through {new URL(service.issuer).host}</a>}
        <p class="muted">First start? The server printed a sign-in link that works once, within ten minutes.</p>
      </form>
    </main>
  );
}

/** Back to where the person wanted to go, but only inside this house. */
function wanted(): string {
  const there = address.value.searchParams.get("to") ?? "";
  if (!there.startsWith("/") || there.startsWith("//")) return to.worklist;
  const page = placeOf(new URL(there, location.origin).pathname).page;
  return page === "nowhere" || page === "sign-in" ? to.worklist : there;
}
