// A headset in a page, for tests: WebXR as three.js asks for it, two eyes 64 mm apart that stand 1.25 m above the floor and look
// ahead. What each eye saw last is in `headset.seen`: the box of what was drawn in colour, in pixels, and `headset.focal` of a pixel at one metre.
(() => {
  const SIDE = 512, HALF = (7 * Math.PI) / 180, EYES = [-0.032, 0.032];
  const [near, far, f] = [0.05, 20, 1 / Math.tan(HALF)];
  const projectionMatrix = new Float32Array([f, 0, 0, 0, 0, f, 0, 0, 0, 0, (far + near) / (near - far), -1, 0, 0, (2 * far * near) / (near - far), 0]);
  const headset = (globalThis.headset = { seen: [], focal: (f * SIDE) / 2, floor: true, session: null, asked: [] });
  let gl, framebuffer;
  class Layer {
    framebufferWidth = SIDE * EYES.length;
    framebufferHeight = SIDE;
    ignoreDepthValues = true;
    constructor(session, context) {
      gl = context;
      framebuffer = gl.createFramebuffer();
      const before = gl.getParameter(gl.FRAMEBUFFER_BINDING);
      gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
      for (const [format, to] of [[gl.RGBA8, gl.COLOR_ATTACHMENT0], [gl.DEPTH_COMPONENT24, gl.DEPTH_ATTACHMENT]]) {
        const held = gl.createRenderbuffer();
        gl.bindRenderbuffer(gl.RENDERBUFFER, held);
        gl.renderbufferStorage(gl.RENDERBUFFER, format, this.framebufferWidth, SIDE);
        gl.framebufferRenderbuffer(gl.FRAMEBUFFER, to, gl.RENDERBUFFER, held);
      }
      gl.bindFramebuffer(gl.FRAMEBUFFER, before);
      this.framebuffer = framebuffer;
    }
    getViewport({ eye }) {
      return { x: eye * SIDE, y: 0, width: SIDE, height: SIDE };
    }
  }
  const box = (eye) => {
    const pixels = new Uint8Array(SIDE * SIDE * 4);
    gl.readPixels(eye * SIDE, 0, SIDE, SIDE, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
    let [left, right, low, high] = [SIDE, -1, SIDE, -1];
    for (let i = 0; i < SIDE * SIDE; i += 1) {
      const colour = [...pixels.subarray(4 * i, 4 * i + 3)];
      if (Math.max(...colour) - Math.min(...colour) < 12) continue; // black, or the grey of words and side letters
      if (colour.reduce((sum, one) => sum + one) < 24) continue;
      const [x, y] = [i % SIDE, Math.floor(i / SIDE)];
      [left, right, low, high] = [Math.min(left, x), Math.max(right, x), Math.min(low, y), Math.max(high, y)];
    }
    return { left, right, low, high };
  };
  class Session extends EventTarget {
    enabledFeatures = headset.floor ? ["local-floor", "viewer"] : ["local", "viewer"];
    inputSources = [];
    renderState = {};
    updateRenderState(state) {
      Object.assign(this.renderState, state);
    }
    async requestReferenceSpace(kind) {
      if (!this.enabledFeatures.includes(kind)) throw new DOMException(`no ${kind} here`, "NotSupportedError");
      return { kind };
    }
    requestAnimationFrame(draw) {
      return requestAnimationFrame((time) => {
        if (this.over) return;
        const height = this.enabledFeatures.includes("local-floor") ? 1.25 : 0;
        const views = EYES.map((x, eye) => ({ eye, projectionMatrix, transform: { matrix: new Float32Array([1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, x, height, 0, 1]) } }));
        draw(time, { session: this, getViewerPose: () => ({ views, transform: views[0].transform }) });
        const before = gl.getParameter(gl.FRAMEBUFFER_BINDING);
        gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
        headset.seen = EYES.map((_, eye) => box(eye));
        gl.bindFramebuffer(gl.FRAMEBUFFER, before);
      });
    }
    cancelAnimationFrame(number) {
      cancelAnimationFrame(number);
    }
    async end() {
      this.over = true;
      headset.session = null;
      headset.seen = [];
      this.dispatchEvent(new Event("end"));
    }
  }
  globalThis.XRWebGLLayer = Layer;
  globalThis.XRWebGLBinding = undefined;
  Object.defineProperty(navigator, "xr", {
    value: {
      isSessionSupported: async (mode) => mode === "immersive-vr",
      requestSession: async (mode, options) => (headset.asked.push([mode, options]), (headset.session = new Session())),
      addEventListener: () => undefined,
    },
  });
  const context = HTMLCanvasElement.prototype.getContext;
  HTMLCanvasElement.prototype.getContext = function (...asked) {
    const made = context.apply(this, asked);
    if (made && "drawArrays" in made) made.makeXRCompatible = async () => undefined;
    return made;
  };
})();
