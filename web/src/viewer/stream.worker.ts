import { stream } from "./stream";
import type { Asked, Told } from "./stream-apart";

/** Takes answers apart beside the page. */
self.addEventListener("message", ({ data: { id, url, headers } }: MessageEvent<Asked>) => {
  const tell = (told: Told, give: ArrayBuffer[] = []) => self.postMessage(told, { transfer: give });
  let bytes = 0;
  stream(
    url,
    headers,
    (image) => {
      tell({ id, image, bytes }, [image.head, image.body]);
      bytes = 0;
    },
    (some) => (bytes += some),
  ).then(
    () => tell({ id, end: "" }),
    (error: unknown) => tell({ id, end: (error as Error).message || "the images did not come" }),
  );
});
