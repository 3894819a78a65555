import { useEffect, useRef } from "preact/hooks";
import { ask } from "../api/door";
import { Source } from "../api/load";
import { Empty, Shown } from "../kit/states";
import { to } from "../router";
import { type Shared, Viewing } from "../shared/viewing";
import { behind } from "../shared/ways";
import { draft } from "./draft";
import { withStudies } from "./give";

/** The page of the recipient through their own eyes, before anybody has it: the same addresses under a secret of half an hour, and no look of theirs is counted. */
export function PreviewPage({ studies, link }: { studies: string[]; link: string }) {
  const secret = useRef("");
  const source = useRef<Source<Shared>>(null);
  source.current ??= new Source(async (abort) => {
    const { to: whom, may, pseudonym } = draft.peek();
    const path = link ? `/api/links/${link}/preview` : "/api/links/preview";
    const told = await ask<{ secret: string }>(path, { method: "POST", body: link ? {} : { studies, to: whom, may, pseudonym }, abort });
    secret.current = told.secret;
    return ask<Shared>("/api/shared", { headers: { "X-Isocenter-Link": told.secret }, abort, deadline_s: 60 });
  });
  const shown = source.current;
  useEffect(() => (void shown.load(), () => shown.stop()), []);
  const back = link ? to.sharing() : withStudies(studies);
  if (!link && !studies.length) return <main><Empty title="Nothing is chosen"><p>Choose a study under <a href={to.sharing()}>Sharing</a> first.</p></Empty></main>;
  if (!shown.value) return <main><h1 class="hidden">What they would see</h1><p class="acts"><a class="button" href={back}>Back to sharing</a></p><Shown of={shown} what="what they would see">{() => null}</Shown></main>;
  return (
    <Shown of={shown} what="what they would see">
      {(told) => (
        <Viewing
          shared={told}
          door={behind({ "X-Isocenter-Link": secret.current })}
          closed={() => void shown.load()}
          top={
            <p class="callout slim" role="status">
              <span class="soon" aria-hidden="true">▲</span> <span><strong>Preview.</strong> {link ? "The link shows this and nothing else." : `A link to ${studies.length === 1 ? "this study" : "these studies"} shows this and nothing else.`} That you look is in the journal as your own.</span>
              <span class="gap" />
              <a class="button" href={back}>Back to sharing</a>
            </p>
          }
        />
      )}
    </Shown>
  );
}
