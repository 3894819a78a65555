import { useEffect, useRef } from "preact/hooks";
import { ask } from "../api/door";
import { Source } from "../api/load";
import { Shown } from "../kit/states";
import { to } from "../router";
import { type SharedStudy, Viewing } from "../shared/viewing";
import { loadSeries } from "../viewer/series";

/** The page that a link shows, before anybody has it: the same series, tools and words, and no look is counted. */
export function PreviewPage({ study: uid }: { study: string }) {
  const source = useRef<Source<SharedStudy>>(null);
  source.current ??= new Source((abort) => ask<SharedStudy>(`/api/studies/${uid}/links/preview`, { abort }));
  const study = source.current;
  useEffect(() => (void study.load(), () => study.stop()), []);
  if (!study.value) return <main><h1 class="hidden">What they would see</h1><Shown of={study} what="what they would see">{() => null}</Shown></main>;
  return (
    <Shown of={study} what="what they would see">
      {(told) => (
        <Viewing
          study={told}
          load={(series) => loadSeries(uid, series)}
          closed={() => void study.load()}
          top={
            <p class="callout slim" role="status">
              <span class="soon" aria-hidden="true">▲</span> <span><strong>Preview.</strong> A link to this study shows this and nothing else. That you look is in the journal as your own.</span>
              <span class="gap" />
              <a class="button" href={`${to.sharing()}?study=${uid}`}>Back to sharing</a>
            </p>
          }
        />
      )}
    </Shown>
  );
}
