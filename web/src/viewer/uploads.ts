import { pause } from "./deadline";
import { asHalves, fitsHalves } from "./halves";

/** The drawing library's own texture of a volume, beyond its published types (vtk.js 36 behind Cornerstone 5.14). */
export interface Texture {
  getHandle(): WebGLTexture | null | undefined;
  setUpdatedFrame(frame: number): void;
  activate(): void;
  deactivate(): void;
  destroyTexture(): void;
  setOpenGLRenderWindow(window: Drawn): void;
  enableUseHalfFloat(use: boolean): void;
  resetFormatAndType(): void;
  setTextureParameters(how: { width: number; height: number; depth: number; numberOfComponents: number; dataType: string }): void;
  create3DFromRaw(how: Made): boolean;
  update3DFromRaw(): unknown;
  getOpenGLDataType(type: string): number;
  setInternalFormat(format: number): void;
  get(): { context: WebGL2RenderingContext; target: number; format: number; openGLDataType: number; width: number; height: number; components: number };
}

/** What draws, beyond the published types as well. */
export interface Drawn {
  getContext(): WebGL2RenderingContext | null;
}

interface Made {
  width: number;
  height: number;
  depth: number;
  numComps: number;
  dataType: string;
  data: null;
}

/** What of an image goes into the texture. */
export interface Values {
  values: ArrayLike<number>;
  /** Smallest and largest of them. */
  ends: [low: number, high: number];
}

/** So long planes may take until they have drawn for the first time; a volume that nobody draws goes on without them. */
const FIRST_MS = 600;
const LOOK_MS = 20;
/** Bytes of zeros that may be held beside a texture for a moment. */
const LARGEST_BLANK = 256 * 2 ** 20;

/**
 * Images of a volume on their way into its texture, each as it comes.
 *
 * Where the graphics know no texture of 16 bits with values in between (software rendering), the library makes whole
 * numbers floating point of 32 bits: twice the bytes, in a new array for each image, within the frame that draws, and
 * again for every new plane. Here one array serves all of them, each image goes once, and whole numbers that fit go as
 * halves (see halves.ts). An image that does not fit turns the whole texture into floats.
 */
export class Uploads {
  /** What the library is to draw from: its own texture, with another way for values to come. */
  readonly texture: Texture;
  private readonly come = new Set<number>();
  private halves = true;
  private busy = () => !this.own.getHandle();
  private made: Made | null = null;
  private floats = new Float32Array(0);
  private half = new Uint16Array(0);

  constructor(private readonly own: Texture, private readonly of: (frame: number) => Values | null, private readonly ended: AbortSignal) {
    this.texture = Object.create(own, {
      create3DFromRaw: { value: (how: Made) => this.make(how) },
      update3DFromRaw: { value: () => undefined }, // it would bring all images again
    }) as Texture;
  }

  /** When the graphics are done with making the texture; where it was not made ahead the first plane that is drawn makes it. */
  async ready(): Promise<void> {
    const began = performance.now();
    while (this.busy() && !this.ended.aborted && performance.now() - began < FIRST_MS) await pause(LOOK_MS);
  }

  /** One image of the volume has come; the texture takes it now, or when it is made. */
  take(frame: number): void {
    const image = this.of(frame);
    if (!image) return;
    this.come.add(frame);
    if (!this.own.getHandle()) return;
    if (this.halves && !fitsHalves(image.ends)) return this.widen();
    this.put(frame, image);
  }

  /**
   * Make the texture before any plane is drawn, as the library would for the first of them. Without a graphics card room for
   * a volume takes a quarter of a second, and whoever draws waits for it; images that travel meanwhile do not.
   */
  ahead(window: Drawn | null, how: Made): void {
    const gl = window?.getContext();
    if (!window || !gl || gl.getExtension("EXT_texture_norm16")) return; // graphics that know 16 bits are quick enough, and the library's way for them is its own
    this.own.setOpenGLRenderWindow(window);
    this.own.enableUseHalfFloat(false);
    this.own.resetFormatAndType();
    this.own.setTextureParameters({ ...how, numberOfComponents: how.numComps });
    this.make(how);
    const done = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    gl.flush();
    if (done) this.busy = () => gl.getSyncParameter(done, gl.SYNC_STATUS) === gl.UNSIGNALED;
  }

  private make(how: Made): boolean {
    this.made = how;
    const gl = this.own.get().context;
    const images = [...this.come].map((frame) => [frame, this.of(frame)] as const);
    this.halves &&= how.numComps === 1 && /^U?[iI]nt16Array$/.test(how.dataType) && this.own.getOpenGLDataType(how.dataType) === gl.FLOAT && images.every(([, image]) => !image || fitsHalves(image.ends));
    if (this.halves) this.own.setInternalFormat(gl.R16F);
    const made = this.own.create3DFromRaw(how);
    if (this.halves) this.blank(how);
    for (const [frame, image] of images) if (image) this.put(frame, image);
    return made;
  }

  /** Zeros for the whole texture at once, from memory that is zero already: a browser that has to fill it before its first part comes takes a quarter of a second longer. */
  private blank({ width, height, depth }: Made): void {
    const bytes = 2 * width * height * depth;
    if (bytes > LARGEST_BLANK) return;
    const { context: gl, target, format } = this.own.get();
    const zeros = gl.createBuffer();
    this.own.activate();
    gl.bindBuffer(gl.PIXEL_UNPACK_BUFFER, zeros);
    gl.bufferData(gl.PIXEL_UNPACK_BUFFER, bytes, gl.STREAM_DRAW);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.texSubImage3D(target, 0, 0, 0, 0, width, height, depth, format, gl.HALF_FLOAT, 0);
    gl.bindBuffer(gl.PIXEL_UNPACK_BUFFER, null);
    gl.deleteBuffer(zeros);
    this.own.deactivate();
  }

  /** From halves to floats, with all that has come. */
  private widen(): void {
    this.halves = false;
    this.own.destroyTexture();
    this.make(this.made!);
  }

  private put(frame: number, { values }: Values): void {
    const { context: gl, target, format, openGLDataType, width, height, components } = this.own.get();
    if (values.length !== width * height * components) return; // another size than its series
    this.own.activate();
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.pixelStorei(gl.UNPACK_FLIP_Y_WEBGL, false);
    const type = this.halves ? gl.HALF_FLOAT : openGLDataType;
    gl.texSubImage3D(target, 0, 0, 0, frame, width, height, 1, format, type, this.halves ? this.asHalves(values as Int16Array) : type === gl.FLOAT ? this.asFloats(values) : (values as Int16Array));
    this.own.deactivate();
  }

  private asHalves(values: Int16Array): Uint16Array {
    if (this.half.length !== values.length) this.half = new Uint16Array(values.length);
    return asHalves(values, this.half);
  }

  private asFloats(values: ArrayLike<number>): Float32Array {
    if (values instanceof Float32Array) return values;
    if (this.floats.length !== values.length) this.floats = new Float32Array(values.length);
    this.floats.set(values);
    return this.floats;
  }
}
