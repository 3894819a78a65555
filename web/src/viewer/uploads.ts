/** The drawing library's own texture of a volume, beyond its published types (vtk.js 36 behind Cornerstone 5.14). */
export interface Texture {
  getHandle(): WebGLTexture | null | undefined;
  setUpdatedFrame(frame: number): void;
  activate(): void;
  deactivate(): void;
  get(): { context: WebGL2RenderingContext; target: number; format: number; openGLDataType: number; width: number; height: number; components: number };
}

/** So long planes may take until they have drawn for the first time; a volume that nobody draws goes on without them. */
const FIRST_MS = 600;
const LOOK_MS = 20;

/**
 * Images of a volume on their way into its texture, each as it comes.
 *
 * Software rendering knows no texture of 16 bits with values in between, so that whole numbers travel as floating
 * point. The library makes a new array for each image, within the frame that draws all that came since the last one:
 * half the time of a volume. Here one array serves all of them.
 */
export class Uploads {
  private floats = new Float32Array(0);

  constructor(private readonly texture: Texture, private readonly ended: AbortSignal) {}

  /** When the texture is there: the first plane that is drawn makes it. */
  async ready(): Promise<void> {
    const began = performance.now();
    while (!this.texture.getHandle() && !this.ended.aborted && performance.now() - began < FIRST_MS) await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }

  /** One image of the volume has come; the library takes it with the next drawing where there is no texture yet, or one of another type. */
  take(frame: number, values: ArrayLike<number>): void {
    const { texture } = this;
    if (!texture.getHandle()) return texture.setUpdatedFrame(frame);
    const { context: gl, target, format, openGLDataType, width, height, components } = texture.get();
    if (openGLDataType !== gl.FLOAT || values.length !== width * height * components) return texture.setUpdatedFrame(frame);
    texture.activate();
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.pixelStorei(gl.UNPACK_FLIP_Y_WEBGL, false);
    gl.texSubImage3D(target, 0, 0, 0, frame, width, height, 1, format, openGLDataType, this.asFloats(values));
    texture.deactivate();
  }

  private asFloats(values: ArrayLike<number>): Float32Array {
    if (values instanceof Float32Array) return values;
    if (this.floats.length !== values.length) this.floats = new Float32Array(values.length);
    this.floats.set(values);
    return this.floats;
  }
}
