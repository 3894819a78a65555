import * as core from "@cornerstonejs/core";
import { signal } from "@preact/signals";
import { pause } from "./deadline";

let started: Promise<void> | null = null;
let volumes: boolean | null = null;

/** Start the viewer's engine once. Without WebGL single images are drawn by the processor and planes are refused. */
export function start(): Promise<void> {
  started ??= (async () => {
    // One drawing context for all viewports: each further one costs its start, its shaders and its own copy of every texture.
    core.init({ rendering: { webGlContextCount: 1 } } as Parameters<typeof core.init>[0]);
    if (!canDrawVolumes()) core.setUseCPURendering(true);
    core.cache.setMaxCacheSize(768 * 2 ** 20);
    core.eventTarget.addEventListener(core.Enums.Events.WEBGL_CONTEXT_LOST, () => void renew());
  })();
  return started;
}

let shared: core.RenderingEngine | null = null;

/** The one engine behind all viewports: drawing contexts are few in a browser, and volumes belong to the context that drew them. */
export function engine(): core.RenderingEngine {
  if (!shared || shared.hasBeenDestroyed) {
    shared = withOneSample(() => new core.RenderingEngine("isocenter"));
    letGoUndrawn(shared);
    drawOn(shared);
  }
  return shared;
}

/** What the drawing library has beyond its published types: the canvases behind its viewports, and what draws on them (Cornerstone 5.14). */
interface Pooled {
  _implementation?: { contextPool?: { contexts: { getOpenGLRenderWindow(): Window }[] } };
}

interface Window {
  getContext(): WebGL2RenderingContext | null;
  getViewNodeFactory?(): { get(name: "overrides"): { overrides?: Record<string, () => Drawer> } };
}

/** What draws one image (vtk.js 36). */
interface Drawer {
  get(name: string): Record<string, unknown>;
  set(values: object, quietly: boolean, asTheyAre: boolean): void;
  delete(): void;
}

/** What draws all viewports, for those who make textures before anything is drawn. */
export function drawer(): Window | null {
  return windows(engine())[0] ?? null;
}

const windows = (made: core.RenderingEngine) => ((made as unknown as Pooled)._implementation?.contextPool?.contexts ?? []).map((one) => one.getOpenGLRenderWindow());

/**
 * A browser draws four samples for each pixel where nobody says otherwise, and edges of surfaces gain by it. Images and
 * planes have none, and a processor that draws them takes twice as long. Whoever asks a canvas first decides, and the
 * library does while the engine is made, without a way to say how: a test reads how many there are.
 */
function withOneSample<T>(make: () => T): T {
  const canvas = HTMLCanvasElement.prototype as unknown as Asked;
  const own = canvas.getContext;
  canvas.getContext = function (kind, how) {
    return own.call(this, kind, kind === "webgl2" ? { ...how, antialias: false } : how);
  };
  try {
    return make();
  } finally {
    canvas.getContext = own;
  }
}

interface Asked {
  getContext: (this: HTMLCanvasElement, kind: string, how?: object) => unknown;
}

/** For an image that was let go before it was drawn: there is nothing on the graphics card to give back. */
const nothing = { releaseGraphicsResources: () => {} };
const mended = new WeakSet<object>();

/**
 * An image that is replaced before its turn to be drawn has no texture yet, and vtk.js 36.4 gives that back all the same:
 * it throws in the midst of clearing away, and from then on every viewport of the engine is black for good. It happens to
 * whoever steps through hangings faster than a busy machine draws them.
 */
function letGoUndrawn(made: core.RenderingEngine): void {
  for (const window of windows(made)) {
    const drawers = window.getViewNodeFactory?.().get("overrides").overrides;
    const make = drawers?.[IMAGES];
    if (!drawers || !make || mended.has(drawers)) continue;
    mended.add(drawers); // one table serves every engine
    drawers[IMAGES] = () => {
      const drawer = make();
      const letGo = () => {
        if (!drawer.get(TEXTURE)[TEXTURE]) drawer.set({ [TEXTURE]: nothing }, true, true);
        drawer.delete();
      };
      return Object.freeze({ ...drawer, delete: letGo });
    };
  }
}

const IMAGES = "vtkImageMapper";
const TEXTURE = "openGLTexture";

/** What draws a frame, beyond its published types as well. */
interface Drawing {
  _renderFlaggedViewports(): void;
  _animationFrameSet: boolean;
  _needsRender: Set<string>;
  getRenderer(viewport: string): { getViewProps(): unknown[] } | undefined;
  renderViewportUsingCustomOrVtkPipeline(viewport: object): unknown;
}

/**
 * Once the drawing of a frame has thrown, the library asks for no other: it still holds that one is on its way, and every
 * viewport stays as it is, or black, for good. What was to be drawn is tried again, a second long at most for one fault.
 */
function drawOn(made: core.RenderingEngine): void {
  const inner = (made as unknown as { _implementation?: Drawing })._implementation;
  if (!inner?._renderFlaggedViewports) return;
  const draw = inner._renderFlaggedViewports;
  const later = () => !made.hasBeenDestroyed && made.renderViewports([...inner._needsRender]);
  let failed = 0;
  inner._renderFlaggedViewports = () => {
    if (held) {
      inner._animationFrameSet = false;
      makePrograms(made, inner, held.made);
      if (!held.asked) void held.until.then(later);
      held.asked = true;
      return;
    }
    try {
      draw();
      failed = 0;
    } catch (trouble) {
      inner._animationFrameSet = false;
      console.warn("a frame could not be drawn", trouble);
      failed += 1;
      if (failed <= MOST_TRIES) setTimeout(later, AGAIN_MS);
      else failed = 0;
    }
  };
}

/** Until when no frame is drawn, whether one waits for it, and the viewports whose programs are made meanwhile. */
let held: { until: Promise<void>; asked: boolean; made: Set<string> } | null = null;

/** Draw nothing until then: a frame would wait for what the graphics are busy with, and everything else for the frame. */
export function holdFrames(until: Promise<unknown>): void {
  const mine = { until: Promise.allSettled([held?.until, until]).then(() => void (held === mine && (held = null))), asked: false, made: new Set<string>() };
  held = mine;
}

/**
 * The graphics make a program for each viewport when it is first drawn, one after the other, and without a graphics card
 * that takes longer than to draw it. Draw one point of each where nobody sees it while frames are held: nothing waits for that.
 * A body in three dimensions is drawn by way of other canvases, and whole.
 */
function makePrograms(made: core.RenderingEngine, inner: Drawing, done: Set<string>): void {
  const gl = drawer()?.getContext();
  for (const id of inner._needsRender) {
    const viewport = made.getViewport(id);
    if (!gl || !viewport || viewport.type === core.Enums.ViewportType.VOLUME_3D || done.has(id) || !inner.getRenderer(id)?.getViewProps().length) continue;
    done.add(id);
    const scissor = gl.scissor.bind(gl);
    Object.assign(gl, { scissor: () => scissor(0, 0, 1, 1) });
    Object.assign(inner, { _copyToOnscreenCanvas: () => undefined });
    try {
      inner.renderViewportUsingCustomOrVtkPipeline(viewport);
    } catch (trouble) {
      console.warn("a program could not be made ahead", trouble); // the frame itself says so if it is of importance
    } finally {
      Reflect.deleteProperty(gl, "scissor");
      Reflect.deleteProperty(inner, "_copyToOnscreenCanvas");
    }
  }
}

const AGAIN_MS = 50;
const MOST_TRIES = 20;

/** Whether the drawing context was lost, and another is being made: a driver was restarted, or another page took too much. */
export const lost = signal(false);
/** Those who have something on screen: each lets go of it at once, and draws it anew when the promise is kept. */
const holders = new Set<(another: Promise<void>) => void>();

export function onLost(holder: (another: Promise<void>) => void): () => void {
  holders.add(holder);
  return () => holders.delete(holder);
}

/** Everything in a lost context is gone: textures, programs, volumes. Another engine serves in its place. */
async function renew(): Promise<void> {
  if (lost.peek()) return;
  lost.value = true;
  let ready = () => undefined as void;
  const another = new Promise<void>((resolve) => (ready = resolve));
  for (const holder of [...holders]) holder(another);
  await pause(LET_GO_MS); // what is let go takes itself off the old engine
  shared?.destroy();
  shared = null;
  for (let wait = LET_GO_MS; !hasWebGL() && wait <= LONGEST_MS; wait *= 2) await pause(wait); // a browser gives none while its graphics process starts again
  lost.value = false;
  ready();
}

const LET_GO_MS = 100;
const LONGEST_MS = 6400;

/** Whether this browser can draw planes through a volume. */
export function canDrawVolumes(): boolean {
  return (volumes ??= hasWebGL());
}

function hasWebGL(): boolean {
  const context = document.createElement("canvas").getContext("webgl2");
  context?.getExtension("WEBGL_lose_context")?.loseContext();
  return !!context;
}
