/** Windows by modality, as centre and width in the image's own unit. Position in the list is the key that takes it. */
export interface Preset {
  name: string;
  centre: number | null;
  width: number | null;
}

const AS_SENT: Preset = { name: "as sent", centre: null, width: null };

const presets: Record<string, Preset[]> = {
  CT: [
    { name: "soft tissue", centre: 40, width: 400 },
    { name: "lung", centre: -600, width: 1500 },
    { name: "bone", centre: 400, width: 1800 },
    { name: "brain", centre: 40, width: 80 },
    AS_SENT,
  ],
};

export function presetsOf(modality: string): Preset[] {
  return presets[modality] ?? [AS_SENT];
}
