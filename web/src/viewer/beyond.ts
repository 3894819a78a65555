/**
 * What the drawing library has beyond its published types (Cornerstone 5.14, vtk.js 36 behind it).
 *
 * Every name that another version may take away stands here and nowhere else, and each is looked for when it is used: a
 * library that has it no more is said to, and no picture is drawn by chance.
 */
import type * as core from "@cornerstonejs/core";

/** The library's own texture of a volume. */
export interface Texture {
  getHandle(): WebGLTexture | null | undefined;
  setUpdatedFrame(frame: number): void;
  activate(): void;
  deactivate(): void;
  destroyTexture(): void;
  create3DFromRaw(how: Made): boolean;
  update3DFromRaw(): unknown;
  getOpenGLDataType(type: string): number;
  setInternalFormat(format: number): void;
  get(): { context: WebGL2RenderingContext; target: number; format: number; openGLDataType: number; width: number; height: number; components: number };
}

/** How a texture is asked for. */
export interface Made {
  width: number;
  height: number;
  depth: number;
  numComps: number;
  dataType: string;
  data: null;
}

/** What the library keeps of a volume that fills. */
interface Filling {
  load: () => void;
  vtkOpenGLTexture: Texture;
}

interface Pooled {
  _implementation?: { contextPool?: { contexts: { getOpenGLRenderWindow(): { getCanvas(): HTMLCanvasElement } }[] } };
}

interface Camera {
  azimuth(degrees: number): void;
  elevation(degrees: number): void;
  orthogonalizeViewUp(): void;
}

interface Actor {
  actor?: { getMapper?: () => { setViewSpecificProperties?: (specific: unknown) => void } | null };
}

/** One drawing context for all viewports: each further one costs its start, its shaders and its own copy of every texture. */
export const ONE_CONTEXT = { rendering: { webGlContextCount: 1 } } as Parameters<typeof core.init>[0];

/** The canvases behind an engine's viewports; none where it has no pool of them. */
export function canvasesOf(engine: core.RenderingEngine): HTMLCanvasElement[] {
  return ((engine as unknown as Pooled)._implementation?.contextPool?.contexts ?? []).map((one) => one.getOpenGLRenderWindow().getCanvas());
}

/** From now on a volume fills as we say: the library loads nothing by itself, and draws from the texture that is made of its own. */
export function fillBy(volume: core.Types.IStreamingImageVolume, textureOf: (own: Texture) => Texture): void {
  const filling = volume as unknown as Filling;
  if (!filling.vtkOpenGLTexture?.create3DFromRaw) throw new Error("the drawing library keeps its textures elsewhere than in version 5.14");
  filling.load = () => undefined;
  filling.vtkOpenGLTexture = textureOf(filling.vtkOpenGLTexture);
}

/** The camera of a body: protected in the types, and the only way to turn it. */
export function cameraOf(viewport: core.VolumeViewport3D): Camera {
  return (viewport as unknown as { getVtkActiveCamera(): Camera }).getVtkActiveCamera();
}

/** Give what draws each of these another program. */
export function replaceShaders(actors: readonly unknown[], specific: unknown): void {
  for (const one of actors as Actor[]) one.actor?.getMapper?.()?.setViewSpecificProperties?.(specific);
}
