import { AmbientLight, Box3, CanvasTexture, Color, DirectionalLight, Group, type Object3D, PerspectiveCamera, Scene, Sprite, SpriteMaterial, Vector3, WebGLRenderer } from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
import { Trouble } from "../api/door";
import { letter, opposite } from "../viewer/sides";

const modes: XRSessionMode[] = ["immersive-ar", "immersive-vr"];

const LOSSES = ["webglcontextlost", "webglcontextrestored"];

/** Height of a side letter and of a name in a headset. */
const LETTER_M = 0.025, NAME_M = 0.009;

/** What stands beside a surface. */
export interface Sign {
  node: string;
  words: string;
}

/** The patient's sides at the edges of the picture. */
export interface Edges {
  left: string;
  right: string;
  top: string;
  bottom: string;
}

/** Whoever shows a scene: hears when the graphics context is lost or back, and which sides of the patient are where. */
export interface Audience {
  lost(now: boolean): void;
  turned(edges: Edges): void;
}

/** Which kinds of headset this browser has; none where it has no WebXR. */
export async function headsets(): Promise<XRSessionMode[]> {
  const xr = navigator.xr;
  if (!xr) return [];
  const can = await Promise.all(modes.map((mode) => xr.isSessionSupported(mode).catch(() => false)));
  return modes.filter((_, i) => can[i]);
}

/** One scene, drawn flat or in a headset. Lengths are metres: in a headset it has the size that it has in the patient. */
export class Theatre {
  readonly size_mm: [number, number, number];
  private readonly observer: ResizeObserver;
  private readonly keys = (event: KeyboardEvent) => this.key(event);
  private readonly losses = (event: Event) => {
    const lost = event.type === "webglcontextlost";
    this.audience.lost(lost);
    if (!lost) this.draw(); // the library has made its programs anew, and brings its surfaces with the next picture
  };

  static async open(canvas: HTMLCanvasElement, address: string, signs: readonly Sign[], audience: Audience): Promise<Theatre> {
    let renderer: WebGLRenderer;
    try {
      renderer = new WebGLRenderer({ canvas, antialias: true, alpha: true });
    } catch {
      throw new Trouble(-1, "This browser has no WebGL", "surfaces cannot be drawn here", "Take the GLB file to another viewer", "webgl");
    }
    try {
      const { scene } = await new GLTFLoader().setWithCredentials(true).loadAsync(address);
      return new Theatre(canvas, renderer, scene, signs, audience);
    } catch (error) {
      renderer.dispose();
      throw error;
    }
  }

  private readonly scene = new Scene();
  private readonly camera = new PerspectiveCamera(40, 1, 0.005, 20);
  private readonly controls: OrbitControls;
  /** Names and side letters for a headset, where nothing stands beside the picture. */
  private readonly written = new Group();

  private constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly renderer: WebGLRenderer,
    private readonly body: Object3D,
    signs: readonly Sign[],
    private readonly audience: Audience,
  ) {
    const box = new Box3().setFromObject(body);
    const size = box.getSize(new Vector3());
    this.size_mm = [size.x * 1000, size.y * 1000, size.z * 1000];
    this.write(signs, box);
    body.position.sub(box.getCenter(new Vector3()));
    const front = new DirectionalLight(0xffffff, 2.2);
    front.position.set(0.4, 0.8, 1);
    const back = new DirectionalLight(0xffffff, 0.8);
    back.position.set(-0.6, -0.2, -1);
    this.scene.add(body, new AmbientLight(0xffffff, 0.9), front, back);
    this.camera.position.set(0, 0, Math.max(0.02, size.length()) * 1.5);
    this.controls = new OrbitControls(this.camera, canvas);
    this.controls.addEventListener("change", () => this.draw());
    canvas.addEventListener("keydown", this.keys);
    for (const what of LOSSES) canvas.addEventListener(what, this.losses); // after the library's own
    this.observer = new ResizeObserver(() => this.fit());
    this.observer.observe(canvas.parentElement!);
    renderer.setClearColor(new Color(0x000000), 1);
    this.fit();
  }

  show(node: string, on: boolean): void {
    const found = this.body.getObjectByName(node);
    if (found) found.visible = on;
    const sign = this.written.getObjectByName(node);
    if (sign) sign.visible = on;
    this.draw();
  }

  /** The names over their surfaces, and R and L at the patient's sides. */
  private write(signs: readonly Sign[], all: Box3): void {
    const middle = all.getCenter(new Vector3());
    for (const [word, x] of [["R", all.min.x - LETTER_M], ["L", all.max.x + LETTER_M]] as const) this.written.add(sign("", word, LETTER_M, new Vector3(x, middle.y, middle.z)));
    for (const { node, words } of signs) {
      const part = this.body.getObjectByName(node);
      if (!part) continue;
      const box = new Box3().setFromObject(part);
      const at = box.getCenter(new Vector3());
      this.written.add(sign(node, words, NAME_M, new Vector3(at.x, box.max.y + NAME_M, at.z)));
    }
    this.written.visible = false;
    this.body.add(this.written);
  }

  /** Into the headset: 0.6 m before the eyes, at the height of one who sits. It ends with the session. */
  async enter(mode: XRSessionMode): Promise<void> {
    const session = await navigator.xr!.requestSession(mode, { optionalFeatures: ["local-floor"] });
    const at = this.body.position.clone();
    const floor = !session.enabledFeatures || session.enabledFeatures.includes("local-floor"); // else heights count from the eyes
    this.renderer.xr.enabled = true;
    this.renderer.xr.setReferenceSpaceType(floor ? "local-floor" : "local");
    this.renderer.setClearColor(new Color(0x000000), mode === "immersive-ar" ? 0 : 1);
    try {
      await this.renderer.xr.setSession(session);
    } catch (error) {
      this.renderer.xr.enabled = false;
      await session.end().catch(() => undefined); // nobody is left in an empty room
      throw error;
    }
    this.body.position.add(new Vector3(0, floor ? 1.25 : 0, -0.6));
    this.written.visible = true;
    this.renderer.setAnimationLoop(() => this.renderer.render(this.scene, this.camera));
    session.addEventListener("end", () => {
      this.renderer.setAnimationLoop(null);
      this.renderer.xr.enabled = false;
      this.renderer.setClearColor(new Color(0x000000), 1);
      this.written.visible = false;
      this.body.position.copy(at);
      this.fit();
    });
  }

  close(): void {
    this.observer.disconnect();
    this.canvas.removeEventListener("keydown", this.keys);
    for (const what of LOSSES) this.canvas.removeEventListener(what, this.losses);
    this.controls.dispose();
    this.renderer.setAnimationLoop(null);
    this.renderer.dispose();
  }

  private key(event: KeyboardEvent): void {
    const turn = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] }[event.key];
    const zoom = { "+": 0.9, "=": 0.9, "-": 1.1 }[event.key];
    if (!turn && !zoom) return;
    event.preventDefault();
    const place = this.camera.position;
    if (turn) {
      const [around, over] = turn as [number, number];
      const radius = place.length();
      const height = Math.max(-1.5, Math.min(1.5, Math.asin(place.y / radius) - over));
      const angle = Math.atan2(place.x, place.z) + around;
      place.set(radius * Math.cos(height) * Math.sin(angle), radius * Math.sin(height), radius * Math.cos(height) * Math.cos(angle));
    } else place.multiplyScalar(zoom!);
    this.controls.update();
    this.draw();
  }

  private fit(): void {
    const { clientWidth, clientHeight } = this.canvas.parentElement!;
    if (!clientWidth || !clientHeight || this.renderer.xr.isPresenting) return;
    this.renderer.setPixelRatio(Math.min(2, devicePixelRatio));
    this.renderer.setSize(clientWidth, clientHeight - 28, false);
    this.camera.aspect = clientWidth / (clientHeight - 28);
    this.camera.updateProjectionMatrix();
    this.draw();
  }

  private draw(): void {
    if (this.renderer.xr.isPresenting) return;
    this.renderer.render(this.scene, this.camera);
    const [right, up] = [0, 1].map((axis) => letter(asPatient(new Vector3().setFromMatrixColumn(this.camera.matrixWorld, axis)))) as [string, string];
    this.audience.turned({ left: opposite(right), right, top: up, bottom: opposite(up) });
  }
}

/** A direction of the scene (x to the patient's left, y to the head, z to the front) as LPS. */
function asPatient({ x, y, z }: Vector3): number[] {
  return [x, -z, y];
}

/** Words that always face the eye; grey, as nothing that is outlined is. */
function sign(name: string, words: string, height_m: number, at: Vector3): Sprite {
  const canvas = document.createElement("canvas");
  const pen = canvas.getContext("2d")!;
  const font = "600 48px sans-serif";
  pen.font = font;
  [canvas.width, canvas.height] = [Math.min(2048, Math.ceil(pen.measureText(words).width) + 8), 64];
  pen.font = font; // a canvas of another size has forgotten it
  [pen.fillStyle, pen.textBaseline] = ["#fff", "middle"];
  pen.fillText(words, 4, 32);
  const made = new Sprite(new SpriteMaterial({ map: new CanvasTexture(canvas), depthTest: false }));
  made.name = name;
  made.position.copy(at);
  made.scale.set((height_m * canvas.width) / canvas.height, height_m, 1);
  return made;
}
