// vtk.js pulls in xmlbuilder2 for its XML mesh readers. It needs Node's `events`, leaves a blank page in the browser and
// weighs 309 kB. No page of ours reads such meshes, so this stands in its place and says so should one ever try.
export function create(): never {
  throw new Error("XML mesh files are not read in the browser; ask the server for STL or GLB");
}
export const convert = create;
export const fragment = create;
export const builder = create;
