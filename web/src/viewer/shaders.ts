interface Actor {
  actor?: { getMapper?: () => Mapper | null };
}

interface Mapper {
  getViewSpecificProperties?: () => { OpenGL?: unknown } | undefined;
  setViewSpecificProperties?: (specific: unknown) => void;
}

/** What stands in a shader of the drawing library, and what is to stand in its place; with `all` the first is a pattern. */
export type Replacement = [shader: "Vertex" | "Fragment", original: string, replacement: string, all?: true];

/** The drawing library's own hook: what draws a viewport's actors gets these replacements; what has some already keeps those. */
export function replaceShaders(replacements: Replacement[]): (actors: readonly unknown[]) => void {
  const specific = { OpenGL: { ShaderReplacements: replacements.map(([shaderType, originalValue, replacementValue, all]) => ({ shaderType, originalValue, replacementValue, replaceFirst: false, replaceAll: !!all })) } };
  return (actors) => {
    for (const one of actors as Actor[]) {
      const mapper = one.actor?.getMapper?.();
      if (!mapper?.getViewSpecificProperties?.()?.OpenGL) mapper?.setViewSpecificProperties?.(specific);
    }
  };
}
