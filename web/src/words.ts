/** Times, dates and numbers as the pages write them: ISO dates, 24 hours, a unit behind a thin space. */

const THIN = "\u2009";

export function waited(seconds: number): string {
  const minutes = Math.max(0, Math.floor(seconds / 60));
  if (minutes < 60) return `${minutes}${THIN}min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours}${THIN}h\u00a0${String(minutes % 60).padStart(2, "0")}`;
  return `${Math.floor(hours / 24)}${THIN}d`;
}

/** How long until a time in the future, or since when it is over. */
export function until(at: string, now: number): string {
  const seconds = (Date.parse(at) - now) / 1000;
  return seconds <= 0 ? `${waited(-seconds)} over` : waited(seconds);
}

/** A time of today on the clock of whoever looks, with how far that is from UTC: elsewhere times stand in UTC. */
export function clock(time: Date, to: "second" | "minute" = "second"): string {
  const ahead = -time.getTimezoneOffset();
  const [hours, minutes] = [Math.floor(Math.abs(ahead) / 60), Math.abs(ahead) % 60];
  const offset = ahead === 0 ? "" : `${ahead > 0 ? "+" : "−"}${hours}${minutes ? `:${String(minutes).padStart(2, "0")}` : ""}`;
  return `${time.toTimeString().slice(0, to === "second" ? 8 : 5)}\u00a0UTC${offset}`;
}

/** A DICOM or ISO date as ISO; anything else as it came. */
export function day(date: string | null | undefined): string {
  if (!date) return "no date";
  if (/^\d{8}$/.test(date)) return `${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)}`;
  return date.slice(0, 10);
}

export function moment(time: string): string {
  return `${time.slice(0, 10)} ${time.slice(11, 16)}`;
}

/** Whole years at the day of the study, where both dates are known. */
export function age(born: string | null | undefined, at: string | null | undefined): string {
  if (!born || !at) return "";
  const [from, until] = [day(born), day(at)];
  if (!/^\d{4}-\d\d-\d\d$/.test(from) || !/^\d{4}-\d\d-\d\d$/.test(until)) return "";
  const years = Number(until.slice(0, 4)) - Number(from.slice(0, 4)) - (until.slice(5) < from.slice(5) ? 1 : 0);
  return years >= 0 ? String(years) : "";
}

/** A patient's name as DICOM writes it (Family^Given^…, in letters=ideographs=sounds) in the order that people read. */
export function person(name: string): string {
  const said = name.split("=").map((group, at) =>
    group.split("^").slice(0, 2).map((part) => part.trim()).filter(Boolean).join(at ? " " : ", ")).filter(Boolean);
  const [first = "no name", other = first] = said;
  return other === first ? first : `${first} (${other})`;
}

/** Three significant figures: more would pretend to a precision that no method here has. */
export function number(value: number): string {
  if (!Number.isFinite(value)) return "not a number";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1000) return Math.round(value).toString();
  if (size < 0.001) return value.toExponential(2);
  return value.toPrecision(3).replace(/(\.\d*?)0+$/, "$1").replace(/\.$/, "");
}

const units: Record<string, string> = {
  "1": "", "{ratio}": "", "{fraction}": "", "{counts}": "", "{count}": "", "{arbitrary}": "arbitrary units", "mm2": "mm²", "mm3": "mm³", "cm2": "cm²", "cm3": "cm³",
  "ml": "mL", "mL": "mL", "[hnsf'U]": "HU", "{SUVbw}g/ml": "SUVbw", "{SUVbw}g/mL": "SUVbw", "{SUVlbm}g/ml": "SUVlbm", "{SUVibw}g/ml": "SUVibw", "{SUVbsa}cm2/ml": "SUVbsa",
  "um": "µm", "deg": "°", "a": "years",
}; // prettier-ignore

/** A UCUM unit as people write it. */
export function unit(ucum: string): string {
  return units[ucum] ?? ucum.replace(/^\{(.*)\}$/, "$1").replace(/([a-z])2\b/gi, "$1²").replace(/([a-z])3\b/gi, "$1³");
}

/** Value, interval and unit in one phrase. */
export function quantity(value: number, ucum: string, low?: number | null, high?: number | null): string {
  const interval = low != null && high != null ? ` (${number(low)}–${number(high)})` : "";
  const words = unit(ucum);
  return `${number(value)}${interval}${words ? THIN + words : ""}`;
}

/** Words in which no line ends between a number and its unit. */
export function unbroken(words: string): string {
  return words.replace(/(\d) (?=(?:%|mL|mm|cm|HU|Gy|ms|s|min|kg|g|mg|kPa|m\/s|SUV\w*)(?![\w]))/g, "$1\u00a0");
}

export function sure(certainty: number): string {
  if (certainty >= 0.9) return "very likely";
  if (certainty >= 0.7) return "likely";
  if (certainty >= 0.4) return "possible";
  return "unlikely";
}

/** Words of a refusal as a sentence of their own: a capital first, and the full stop left to whoever writes it. */
export function sentence(words: string): string {
  return words.charAt(0).toUpperCase() + words.slice(1).replace(/\.$/, "");
}

export function count(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}

/** How the field writes what a name of a program has in small letters. */
const WRITTEN: Record<string, string> = { ct: "CT", mr: "MR", mri: "MRI", pet: "PET", suv: "SUV", xray: "X-ray", dce: "DCE", dsc: "DSC", ecg: "ECG", t1: "T1", t2: "T2", r2: "R2", "3d": "3D", "4d": "4D", flow4d: "4D flow", adrenalmnist3d: "AdrenalMNIST3D", bccd: "BCCD", breastmnist: "BreastMNIST", pneumoniamnist: "PneumoniaMNIST", retinamnist: "RetinaMNIST", ai: "AI", auc: "AUC", ece: "ECE", ppv: "PPV", npv: "NPV", map50: "mAP50", ap50: "AP50", hd95: "HD95", nsd: "surface Dice", edv: "EDV", esv: "ESV", ef: "EF", ml: "mL" };

/** `chest_xray_opacity` as words, and the unit at the end of `edv_ml` as one. */
export function spoken(name: string): string {
  const words = name.split("_").map((word) => WRITTEN[word] ?? word).join(" ").replace(/ mL$/, " (mL)");
  return words.startsWith("mAP") ? words : words.charAt(0).toUpperCase() + words.slice(1);
}

/** Why a machine was stopped; who stopped it by one press may still have to say so. */
export function whyStopped(reason: string): string {
  return reason || "they have not said why yet";
}
