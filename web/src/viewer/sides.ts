/** The patient's sides at the right and the lower edge of a picture, from its direction cosines or from the words of a radiograph. */
export function sidesOf(cosines: number[], words: string[]): [string, string] | null {
  if (cosines.length === 6) return [letter(cosines.slice(0, 3)), letter(cosines.slice(3))];
  if (words.length === 2 && words.every(Boolean)) return [words[0]!, words[1]!];
  return null;
}

/** The strongest one or two of the patient's directions (LPS) along a vector. */
export function letter([x = 0, y = 0, z = 0]: number[]): string {
  const parts: [number, string][] = [[Math.abs(x), x > 0 ? "L" : "R"], [Math.abs(y), y > 0 ? "P" : "A"], [Math.abs(z), z > 0 ? "H" : "F"]];
  return parts
    .filter(([size]) => size > 0.3)
    .sort((a, b) => b[0] - a[0])
    .slice(0, 2)
    .map(([, name]) => name)
    .join("");
}

const other: Record<string, string> = { L: "R", R: "L", A: "P", P: "A", H: "F", F: "H" };

export function opposite(side: string): string {
  return [...side].map((one) => other[one] ?? one).join("");
}
