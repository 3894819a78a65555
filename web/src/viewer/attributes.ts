/** Reading DICOM JSON (PS3.18 F): one value, several values, numbers. */
export type Attributes = Record<string, { vr?: string; Value?: unknown[] } | undefined>;

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
