import { useEffect, useRef, useState } from "preact/hooks";
import { ask } from "../api/door";
import { asTrouble, Source } from "../api/load";
import { Empty, Shown } from "../kit/states";
import { may } from "../me";
import { moment, waited } from "../words";

interface Project {
  name: string;
  about: string;
  mine: string;
  keeper?: string;
  members?: { of: string; name: string; role: string }[];
  senders?: { of: string; sender: string }[];
}

interface Review {
  id: string;
  study: string;
  by: string;
  project: string;
  reason: string;
  begun: string;
  until: string;
  reviewed: string;
  justified: boolean | null;
  words: string;
  seen: string[];
  /** Who is asked about it; nobody by name where it falls to every administrator. */
  reviewer: string;
  /** Whether the reviewer let the time pass, so that every other administrator is asked, too. */
  climbed: boolean;
  left_s: number;
}

/** Which studies belong together, who is in, and what was opened in an emergency. */
export function ProjectsPart() {
  const source = useRef<Source<Project[]>>(null);
  source.current ??= new Source(async (abort) => (await ask<{ projects: Project[] }>("/api/projects", { abort })).projects);
  const projects = source.current;
  useEffect(() => (void projects.load(), () => projects.stop()), []);
  return (
    <>
      <section aria-labelledby="projects">
        <h2 id="projects">Projects</h2>
        <p class="muted">A study is at home in one project. What is in no other is in the house, where everybody is who was not put out.</p>
        <Shown of={projects} what="the projects">
          {(all) => (
            <table class="plain wide">
              <thead><tr><th scope="col">Name</th><th scope="col">What belongs to it</th><th scope="col">You are</th>{may("project") && <><th scope="col">Who is in it</th><th scope="col">What arrives there</th><th scope="col">Looks through emergencies</th></>}</tr></thead>
              <tbody>
                {all.map((one) => (
                  <tr key={one.name}>
                    <td>{one.name}</td><td>{one.about}</td><td>{one.mine ? (one.mine === "none" ? "put out" : one.mine) : <span class="muted">not in it</span>}</td>
                    {may("project") && <><td>{one.members?.map((m) => `${m.name} (${m.role})`).join(", ") || <span class="muted">{one.name === "house" ? "whoever was not put out" : "nobody"}</span>}</td><td>{one.senders?.map((s) => s.sender).join(", ") || <span class="muted">{one.name === "house" ? "what goes to no other" : "nothing"}</span>}</td><td>{one.keeper || <span class="muted">nobody named</span>}</td></>}
                  </tr>
                ))}
              </tbody>
            </table>
          )}
        </Shown>
        {may("project") && <Acts known={(projects.value ?? []).map((one) => one.name)} done={(all) => projects.put(all)} />}
      </section>
      {may("glass_review") && <Reviews />}
    </>
  );
}

function Acts({ known, done }: { known: string[]; done: (all: Project[]) => void }) {
  const [refused, setRefused] = useState("");
  const act = (path: (name: string) => string, method: "PUT" | "POST") => async (event: SubmitEvent) => {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    const { project, ...body } = Object.fromEntries(new FormData(form)) as Record<string, string>;
    try {
      done((await ask<{ projects: Project[] }>(path(encodeURIComponent(project ?? "")), { method, body })).projects);
      form.reset();
      setRefused("");
    } catch (error) {
      setRefused(asTrouble(error).message);
    }
  };
  const of = <label>That is<select name="of"><option value="account">an account</option><option value="aet">an AE title</option></select></label>;
  const project = <label>Project<select name="project" required>{known.filter((one) => one !== "house").map((one) => <option key={one}>{one}</option>)}</select></label>;
  return (
    <>
      {refused && <p class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {refused}</p>}
      <h3 id="make-project">Make a project</h3>
      <form class="add many" onSubmit={act((name) => `/api/projects/${name}`, "PUT")} aria-labelledby="make-project">
        <label>Name<input name="project" required maxLength={40} pattern="[a-z0-9][a-z0-9_\-]*" title="Small letters, digits, - and _" autocomplete="off" /></label>
        <label>What belongs to it<input name="about" required maxLength={500} autocomplete="off" /></label>
        <label>Who looks through emergencies<input name="keeper" maxLength={64} autocomplete="off" /></label>
        <button>Make the project</button>
      </form>
      {known.some((one) => one !== "house") ? (
        <>
          <h3 id="let-in">Let somebody in, or put them out</h3>
          <form class="add many" onSubmit={act((name) => `/api/projects/${name}/members`, "POST")} aria-labelledby="let-in">
            {project}
            <label>Who<input name="name" required maxLength={64} autocomplete="off" /></label>
            {of}
            <label>Is there<select name="role">{ROLES.map(([role, words]) => <option key={role} value={role}>{words}</option>)}</select></label>
            <button>Save</button>
          </form>
          <h3 id="arrives">What arrives in a project</h3>
          <form class="add many" onSubmit={act((name) => `/api/projects/${name}/senders`, "POST")} aria-labelledby="arrives">
            {project}
            <label>Sender<input name="sender" required maxLength={64} autocomplete="off" /></label>
            {of}
            <button>Its new studies belong there</button>
          </form>
        </>
      ) : <p class="muted">Who is in a project, and which scanner's studies arrive there, is said here once one is made.</p>}
    </>
  );
}

const ROLES = [["reader", "a reader"], ["researcher", "a researcher"], ["planner", "a planner: numbers, no single study"], ["admin", "an admin"], ["service", "a program"], ["none", "nobody: put out"]] as const;

function Reviews() {
  const source = useRef<Source<Review[]>>(null);
  source.current ??= new Source(async (abort) => (await ask<{ reviews: Review[] }>("/api/glass/reviews", { abort })).reviews);
  const reviews = source.current;
  useEffect(() => (void reviews.load(), () => reviews.stop()), []);
  return (
    <section aria-labelledby="reviews">
      <h2 id="reviews">Opened in an emergency</h2>
      <Shown of={reviews} what="the emergencies">
        {(all) => (all.length ? all.map((one) => <Case key={one.id} one={one} again={() => void reviews.load()} />) : (
          <Empty title="Nothing for you to look through">When somebody opens a study of a project that they are not in, and you are the one who is asked about it, it stands here.</Empty>
        ))}
      </Shown>
    </section>
  );
}

/** Who is asked about an emergency, and until when it is theirs alone. */
function asked(one: Review): string {
  if (!one.reviewer) return "Every administrator is asked.";
  const time = waited(Math.abs(one.left_s));
  if (one.climbed || one.left_s < 0) return `${one.reviewer} was asked, and since ${time} every administrator is.`;
  return `${one.reviewer} is asked; in ${time} every administrator is, too.`;
}

function Case({ one, again }: { one: Review; again: () => void }) {
  const [words, setWords] = useState("");
  const [refused, setRefused] = useState("");
  const judge = (justified: boolean) => ask(`/api/glass/${one.id}/review`, { method: "POST", body: { justified, words } }).then(again, (error: unknown) => setRefused(asTrouble(error).message));
  return (
    <article class="for" aria-label={`Opened by ${one.by}`}>
      <p><strong>{one.by}</strong> opened a study of {one.project}, {moment(one.begun)} to {moment(one.until)} UTC: “{one.reason}”. Seen: {one.seen.join(", ") || "nothing"}. <span class="id">{one.study}</span></p>
      {refused && <p class="callout" role="alert"><span class="soon" aria-hidden="true">▲</span> <span class="hidden">Important:</span> {refused}</p>}
      {!one.reviewed && <p class={one.left_s < 0 ? "now" : "muted"}>{asked(one)}</p>}
      {one.reviewed ? <p class="muted">{one.reviewed}: {one.justified ? "rightly so" : "not rightly so"}. {one.words}</p> : (
        <p class="acts">
          <label>Words<input maxLength={1000} value={words} onInput={(event) => setWords(event.currentTarget.value)} /></label>
          <button type="button" onClick={() => void judge(true)}>Rightly so</button>
          <button type="button" disabled={words.trim().length < 3} onClick={() => void judge(false)}>Not rightly so</button>
        </p>
      )}
    </article>
  );
}
