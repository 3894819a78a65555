/** Reading DICOM JSON (PS3.18 F): one value, several values, numbers. */
export type Attributes = Record<string, { vr?: string; Value?: unknown[]; InlineBinary?: string } | undefined>;

export function text(of: Attributes, tag: string): string {
  const value = of[tag]?.Value?.[0];
  return value === undefined || value === null ? "" : String(value);
}

export function numbers(of: Attributes, tag: string): number[] {
  return (of[tag]?.Value ?? []).map(Number).filter(Number.isFinite);
}

export function numberOf(of: Attributes, tag: string): number | null {
  return numbers(of, tag)[0] ?? null;
}

/** Colour tables come as bytes in text; the loader wants them as numbers. */
export function spellOutPalettes(of: Attributes): void {
  for (const [table, descriptor] of [["00281201", "00281101"], ["00281202", "00281102"], ["00281203", "00281103"]] as const) {
    const bytes = of[table]?.InlineBinary;
    if (!bytes) continue;
    const raw = Uint8Array.from(atob(bytes), (one) => one.charCodeAt(0));
    const [entries = 0, , bits = 16] = numbers(of, descriptor);
    const packed = bits === 8 && raw.length < 2 * (entries || 65536); // tables of 8 bits may stand two in a word
    of[table] = { vr: "OW", Value: [...(packed ? raw : new Uint16Array(raw.buffer, 0, raw.length >> 1))] };
  }
}
