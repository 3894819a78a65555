import type { ComponentChildren } from "preact";
import { spoken } from "../words";
import type { Figure, Model, Told } from "./shapes";

/** An empty field says why it is empty. */
export function Unknown({ because }: { because: string }) {
  return <span class="muted">unknown, because {because}</span>;
}

export function figure({ value, low, high }: Figure): string {
  return low == null || high == null ? rounded(value) : `${rounded(value)} (${rounded(low)}–${rounded(high)})`;
}

/** Three digits: rates to the thousandth, millimetres and millilitres as finely as anybody measures them. */
function rounded(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size <= 1 ? 3 : size < 10 ? 2 : size < 100 ? 1 : 0);
}

/** What a model must not be used for, in one line; empty where its card does not say. */
export function notFor(said: unknown): string {
  return Array.isArray(said) ? said.join("; ") : typeof said === "string" ? said : "";
}

/** A figure of whichever form: what is no interval is named, as the greatest error or the number of cases. */
export function told(one: Told): string {
  const plain = (value: number) => (Number.isInteger(value) ? String(value) : rounded(value));
  if (typeof one === "number") return plain(one);
  const whole = one.low != null && one.high != null;
  const others = Object.entries(one).filter(([name, value]) => value != null && name !== "value" && !(whole && (name === "low" || name === "high")));
  const named = others.map(([name, value]) => `${part(name, one)} ${plain(value!)}`).join(", ");
  return [one.value == null ? "" : figure(one as Figure), named].filter(Boolean).join("; ");
}

/** What a number beside the figure is: without a figure it is how far answers were off the truth, and a low end alone is no interval. */
function part(name: string, one: Exclude<Told, number>): string {
  if (name === "low") return "in 19 of 20 at least";
  const off = one.value == null && (name === "largest" || name === "mean");
  return off ? `${name} error` : spoken(name).toLowerCase();
}

/** What it is for, and not for, stands above every tab. */
const ABOVE = ["title", "intended_use", "not_for"];
const FIELDS: [string, string][] = [
  ["intended_patients", "Patients"], ["intended_users", "Who uses it"], ["limits", "Limits"], ["source", "Data"],
  ["people", "People"], ["groups", "Groups of people"], ["bias", "Against bias"], ["pictures", "Cases"], ["licence", "Licence"], ["developer", "Made by"], ["training", "Training"],
]; // prettier-ignore

export function Card({ model }: { model: Model }) {
  const known = new Set([...ABOVE, ...FIELDS.map(([name]) => name)]);
  const others = Object.keys(model.card).filter((name) => !known.has(name)).map((name) => [name, spoken(name)] as [string, string]);
  return (
    <dl class="facts card-facts">
      {[...FIELDS, ...others].map(([name, title]) => <div key={name}><dt>{title}</dt><dd><Value of={name === "pictures" ? cases(model) : model.card[name]} /></dd></div>)}
    </dl>
  );
}

/** How many cases it learnt from: a recipe for pictures counts pictures, one for outlines cases, one for a table rows. */
function cases({ card }: Model): unknown {
  const counted = (card.training ?? {}) as Record<string, unknown>;
  return card.pictures ?? counted.pictures ?? counted.cases ?? counted.examples ?? counted.rows;
}

export function Value({ of }: { of: unknown }): ComponentChildren {
  if (of === undefined || of === null || of === "") return <Unknown because="its maker did not state it" />;
  if (typeof of === "boolean") return of ? "yes" : "no";
  if (Array.isArray(of)) return of.every(isShort) ? of.join(", ") || "none" : <ul class="bullets">{of.map((one, i) => <li key={i}><Value of={one} /></li>)}</ul>;
  if (typeof of === "object") return <dl class="named">{Object.entries(of).map(([name, one]) => <Named key={name} name={name} of={one} />)}</dl>;
  return typeof of === "string" && of.startsWith("{") ? <Value of={structured(of)} /> : String(of);
}

/** What a text in braces says, where it is JSON; else the text, so that it is not read again. */
function structured(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return ` ${text}`;
  }
}

const isShort = (one: unknown) => typeof one === "number" || (typeof one === "string" && one.length < 24);
/** More than this many settings are folded away, to be read by whoever asks. */
const MANY = 6;

function Named({ name, of }: { name: string; of: unknown }) {
  const told = typeof of === "string" && of.startsWith("{") ? structured(of) : of;
  const many = !!told && typeof told === "object" && !Array.isArray(told) && Object.keys(told).length > MANY;
  return (
    <div>
      <dt>{spoken(name)}</dt>
      <dd>{many ? <details><summary>{Object.keys(told).length} settings</summary><Value of={told} /></details> : <Value of={told} />}</dd>
    </div>
  );
}

/** Test cases that the evidence rests on, else those of its first figure; undefined where neither tells. */
export function casesOf({ n, metrics }: Model["evidence"]): number | undefined {
  const counted = metrics?.n;
  const first = Object.values(metrics ?? {}).find((one) => typeof one === "object" && one?.n != null);
  return n ?? (typeof counted === "number" ? counted : typeof first === "object" ? (first.n ?? undefined) : undefined);
}

/** What a model is held to by its card's goal, else its first figure: what a list has room for. */
export function Leading({ card, evidence }: Pick<Model, "card" | "evidence">) {
  const { metrics } = evidence;
  if (!metrics) return <Unknown because="no evidence came with it" />;
  const goal = (card.goal ?? {}) as Record<string, number>;
  const held = Object.keys(goal).filter((name) => name in metrics);
  const first = "auc" in metrics ? "auc" : Object.keys(metrics).find((name) => typeof metrics[name] === "object");
  const names = held.length ? held : first ? [first] : [];
  return <>{names.map((name) => <div key={name}>{spoken(name)} {told(casesOf(evidence) === undefined ? metrics[name]! : alone(metrics[name]!))}{name in goal && <span class="muted">, goal {goal[name]}</span>}</div>)}</>;
}

/** A figure without the number of cases that it was taken over, where it has a value of its own. */
function alone(one: Told): Told {
  return typeof one === "number" || one.value == null ? one : { value: one.value, low: one.low, high: one.high };
}

export function Figures({ evidence }: { evidence: Model["evidence"] }) {
  const { metrics, positives, declined, out_of_scope } = evidence;
  const n = casesOf(evidence);
  if (!metrics) return <p><Unknown because="no evidence came with the weights" /></p>;
  return (
    <>
      <h2>Claimed by its maker{n !== undefined && ` on ${n.toLocaleString("en")} test cases`}{positives !== undefined && `, ${positives} of them positive`}{declined !== undefined && `; it declined ${declined}`}</h2>
      <table class="plain"><thead><tr><th scope="col">Figure</th><th scope="col">Value (95 %)</th></tr></thead>
        <tbody>{Object.entries(metrics).map(([name, one]) => <tr key={name}><td>{spoken(name)}</td><td>{told(one)}</td></tr>)}</tbody></table>
      {out_of_scope && (
        <>
          <h2>What it was not made for, and how often it said so</h2>
          <table class="plain"><thead><tr><th scope="col">Pictures</th><th scope="col" class="num">Given</th><th scope="col" class="num">Declined</th></tr></thead>
            <tbody>{Object.entries(out_of_scope).map(([name, one]) => <tr key={name}><td>{name}</td><td class="num">{one.n}</td><td class="num">{one.declined}</td></tr>)}</tbody></table>
        </>
      )}
    </>
  );
}

export function Lineage({ model }: { model: Model }) {
  return (
    <dl class="facts card-facts">
      <div><dt>Weights</dt><dd class="id">{model.digest}</dd></div>
      <div><dt>Parent</dt><dd>{model.parent ? <span class="id">{model.parent}</span> : "none: it is the first of its line"}</dd></div>
      <div><dt>Examples</dt><dd>{model.examples ? <span class="id">{model.examples}</span> : <Unknown because="the list of examples was not frozen" />}</dd></div>
      <div><dt>Code</dt><dd>{model.code ? <span class="id">{model.code}</span> : <Unknown because="its maker did not state it" />}</dd></div>
    </dl>
  );
}
