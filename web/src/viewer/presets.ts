/** Windows by modality, as centre and width in the image's own unit. Position in the list is the key that takes it. */
export interface Preset {
  name: string;
  centre: number | null;
  width: number | null;
}

const AS_SENT: Preset = { name: "as sent", centre: null, width: null };
const named = (name: string, centre: number, width: number): Preset => ({ name, centre, width });

// Customary CT windows, the four that are taken most first: their keys are in many hands. The server's hangings name the same.
const CT = [named("soft tissue", 40, 400), named("lung", -600, 1500), named("bone", 400, 1800), named("brain", 40, 80), AS_SENT, named("stroke", 35, 40), named("subdural", 75, 215), named("liver", 60, 160), named("vessels", 300, 600)];
const SUV = [named("SUV 0–5", 2.5, 5), named("SUV 0–10", 5, 10), named("SUV 0–20", 10, 20), AS_SENT];

export function presetsOf(modality: string, unit = ""): Preset[] {
  if (modality === "CT") return CT;
  return unit.toLowerCase().includes("suv") ? SUV : [AS_SENT];
}
