import { AmbientLight, Box3, Color, DirectionalLight, type Object3D, PerspectiveCamera, Scene, Vector3, WebGLRenderer } from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";
import { GLTFLoader } from "three/addons/loaders/GLTFLoader.js";
import { Trouble } from "../api/door";

const modes: XRSessionMode[] = ["immersive-ar", "immersive-vr"];

const LOSSES = ["webglcontextlost", "webglcontextrestored"];

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
    this.lost(lost);
    if (!lost) this.draw(); // the library has made its programs anew, and brings its surfaces with the next picture
  };

  /** `lost` hears when the graphics context is lost, and when it is back. */
  static async open(canvas: HTMLCanvasElement, address: string, lost: (now: boolean) => void): Promise<Theatre> {
    let renderer: WebGLRenderer;
    try {
      renderer = new WebGLRenderer({ canvas, antialias: true, alpha: true });
    } catch {
      throw new Trouble(-1, "This browser has no WebGL", "surfaces cannot be drawn here", "Take the GLB file to another viewer", "webgl");
    }
    try {
      const { scene } = await new GLTFLoader().setWithCredentials(true).loadAsync(address);
      return new Theatre(canvas, renderer, scene, lost);
    } catch (error) {
      renderer.dispose();
      throw error;
    }
  }

  private readonly scene = new Scene();
  private readonly camera = new PerspectiveCamera(40, 1, 0.005, 20);
  private readonly controls: OrbitControls;

  private constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly renderer: WebGLRenderer,
    private readonly body: Object3D,
    private readonly lost: (now: boolean) => void,
  ) {
    const box = new Box3().setFromObject(body);
    const size = box.getSize(new Vector3());
    this.size_mm = [size.x * 1000, size.y * 1000, size.z * 1000];
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
    this.draw();
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
    this.renderer.setAnimationLoop(() => this.renderer.render(this.scene, this.camera));
    session.addEventListener("end", () => {
      this.renderer.setAnimationLoop(null);
      this.renderer.xr.enabled = false;
      this.renderer.setClearColor(new Color(0x000000), 1);
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
    if (!this.renderer.xr.isPresenting) this.renderer.render(this.scene, this.camera);
  }
}
