import { spoken } from "../words";
import { told, Unknown } from "./parts";
import type { Figure, Model, Subgroup, Told } from "./shapes";

/** Figures of which more is better, the first that the evidence has: groups are held against each other by it. */
const COMPARED = ["sensitivity", "auc", "accuracy", "dice"];

/** The evidence by group of people: of those that one question parts, the worst stands first, with its gap to the best. */
export function Subgroups({ model }: { model: Model }) {
  const groups = model.evidence.subgroups ?? [];
  if (!groups.length) return <p><Unknown because="its evidence names no subgroup" /></p>;
  const names = [...new Set(groups.flatMap((group) => Object.keys(group.metrics ?? {})))];
  const by = COMPARED.find((name) => names.includes(name));
  return (
    <>
      <table class="plain">
        <thead><tr><th scope="col">Group</th><th scope="col" class="num">n</th><th scope="col" class="num">Positive</th>{names.map((name) => <th scope="col" key={name}>{spoken(name)} (95 %)</th>)}{by && <th scope="col" class="num">Gap to the best</th>}</tr></thead>
        <tbody>
          {worstFirst(groups, by).map(({ group, gap, apart }, i) => (
            <tr key={i}>
              <td>{nameOf(group)}</td>
              <td class="num">{group.n ?? ""}</td>
              <td class="num">{group.events ?? group.positives ?? <span class="muted">not told</span>}</td>
              {group.insufficient ? <td colSpan={names.length} class="muted">withheld: {group.insufficient}</td> : names.map((name) => <td key={name}>{group.metrics?.[name] ? told(group.metrics[name]) : <Unknown because="not given" />}</td>)}
              {by && <td class="num">{gap === undefined ? "" : gap === 0 ? "best" : `\u2212${gap.toFixed(3)}`}{apart && <span class="now"> ▲ apart</span>}</td>}
            </tr>
          ))}
        </tbody>
      </table>
      {by && <p class="muted">Worst first by {spoken(by).toLowerCase()}, against the best group of the same question. <span aria-hidden="true">▲</span> apart: the two 95 % intervals do not meet. Many groups are looked at, so that one may be apart by chance.</p>}
    </>
  );
}

interface Held {
  group: Subgroup;
  gap?: number;
  apart: boolean;
}

function worstFirst(groups: Subgroup[], by: string | undefined): Held[] {
  const questions = [...new Set(groups.map(questionOf))];
  return questions.flatMap((question) => {
    const some = groups.filter((group) => questionOf(group) === question);
    const values = some.map((group) => (by && !group.insufficient ? valued(group.metrics?.[by]) : undefined));
    const best = values.reduce<Figure | undefined>((most, one) => (one && (!most || one.value > most.value) ? one : most), undefined);
    const held = some.map((group, i) => {
      const one = values[i];
      if (!one || !best || values.filter(Boolean).length < 2) return { group, apart: false };
      return { group, gap: best.value - one.value, apart: one.high != null && best.low != null && one.high < best.low };
    });
    return held.sort((a, b) => (b.gap ?? -1) - (a.gap ?? -1));
  });
}

function valued(one: Told | undefined): Figure | undefined {
  if (typeof one === "number") return { value: one };
  return one?.value == null ? undefined : (one as Figure);
}

const questionOf = (group: Subgroup) => (typeof group.by === "string" ? group.by : "");

function nameOf(group: Subgroup): string {
  return Object.entries(group).filter(([key, value]) => !["insufficient", "without"].includes(key) && typeof value === "string").map(([, value]) => value).join(" ") || "unnamed";
}
