import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

// The decoders are CommonJS files inside the loader, which itself must stay out of pre-bundling or its worker is lost.
const loader = "@cornerstonejs/dicom-image-loader";
const codecs = [
  "codec-charls/decodewasmjs",
  "codec-libjpeg-turbo-8bit/decodewasmjs",
  "codec-openjpeg/decodewasmjs",
  "codec-openjph/wasmjs",
  "codec-libjxl/decodewasmjs",
].map((codec) => `${loader} > @cornerstonejs/${codec}`);

export default defineConfig({
  resolve: { alias: { xmlbuilder2: here("./stub/xmlbuilder2.ts") } },
  worker: { format: "es" },
  optimizeDeps: { exclude: [loader], include: ["dicom-parser", ...codecs] },
  build: {
    outDir: here("../src/isocenter/doors/web"),
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 4000,
    manifest: true,
  },
  server: { proxy: { "/api": "http://127.0.0.1:8000", "/dicom-web": "http://127.0.0.1:8000" } },
});
