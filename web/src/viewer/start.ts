import * as core from "@cornerstonejs/core";

let started: Promise<void> | null = null;
let volumes: boolean | null = null;

/** Start the viewer's engine once. Without WebGL single images are drawn by the processor and planes are refused. */
export function start(): Promise<void> {
  started ??= (async () => {
    // One drawing context for all viewports: each further one costs its start, its shaders and its own copy of every texture.
    core.init({ rendering: { webGlContextCount: 1 } } as Parameters<typeof core.init>[0]);
    if (!canDrawVolumes()) core.setUseCPURendering(true);
    core.cache.setMaxCacheSize(768 * 2 ** 20);
  })();
  return started;
}

let shared: core.RenderingEngine | null = null;

/** The one engine behind all viewports: drawing contexts are few in a browser, and volumes belong to the context that drew them. */
export function engine(): core.RenderingEngine {
  if (!shared || shared.hasBeenDestroyed) shared = new core.RenderingEngine("isocenter");
  return shared;
}

/** Whether this browser can draw planes through a volume. */
export function canDrawVolumes(): boolean {
  return (volumes ??= hasWebGL());
}

function hasWebGL(): boolean {
  const context = document.createElement("canvas").getContext("webgl2");
  context?.getExtension("WEBGL_lose_context")?.loseContext();
  return !!context;
}
