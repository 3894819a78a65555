import { spoken } from "../words";
import { told, Unknown } from "./parts";
import type { Figure, Model, Subgroup, Told } from "./shapes";

/** Figures of which more is better, the first that the evidence has: groups are held against each other by it. */
const COMPARED = ["sensitivity", "auc", "accuracy", "dice"];
/** Corrected chance below which a gap is told (`isocenter.govern.fairness.LEVEL`). */
const CORRECTED = 0.03;

/** Told of each group whatever the evidence holds: how far a call can be believed, and how far a certainty is off. */
const PPV = "ppv";

/** The evidence by group of people: of those that one question parts, the worst stands first, with its gap to the best. */
export function Subgroups({ model }: { model: Model }) {
  const groups = model.evidence.subgroups ?? [];
  const held = typeof model.card.groups === "string" ? model.card.groups : "";
  if (!groups.length) return <p><Unknown because={`its evidence names no subgroup: ${held || "nobody who judged it told the sex, age, site or scanner of the cases"} (isocenter judge --groups measures it on cases whose groups you know)`} /></p>;
  const names = [...new Set(groups.flatMap((group) => Object.keys(group.metrics ?? {})))].filter((name) => name !== PPV);
  const by = COMPARED.find((name) => names.includes(name));
  const columns = names.length + 2;
  return (
    <>
      {held && <p><strong>Its data:</strong> {held}.</p>}
      <div class="lesion-scroll" tabIndex={0} role="group" aria-label="Figures by group">
      <table class="plain">
        <caption class="hidden">Figures by group of people</caption>
        <thead><tr><th scope="col">Group</th><th scope="col" class="num">n</th><th scope="col" class="num">Events</th>{names.map((name) => <th scope="col" key={name}>{spoken(name)} (95{"\u2009"}%)</th>)}<th scope="col">PPV (95{"\u2009"}%)</th><th scope="col" class="num">ECE</th>{by && <th scope="col" class="num">Gap to the best</th>}<th scope="col">After correction for many</th></tr></thead>
        <tbody>
          {worstFirst(groups, by).map(({ group, gap, apart }, i) => (
            <tr key={i}>
              <td>{nameOf(group)}</td>
              <td class="num">{group.n ?? ""}</td>
              <td class="num">{group.events ?? group.positives ?? <span class="muted">not told</span>}</td>
              {group.insufficient ? <td colSpan={columns} class="muted">withheld: {group.insufficient}</td> : (
                <>
                  {names.map((name) => <td key={name}>{group.metrics?.[name] ? told(group.metrics[name]) : <Unknown because={whyNot(group)} />}</td>)}
                  <td>{group.metrics?.[PPV] ? told(group.metrics[PPV]) : <Unknown because={whyNot(group)} />}</td>
                  <td class="num">{group.calibration ? group.calibration.ece.toFixed(3) : <Unknown because={whyNot(group)} />}</td>
                </>
              )}
              {by && <td class="num">{gap === undefined ? <span class="muted">{group.insufficient ? "" : "nothing beside it"}</span> : gap === 0 ? "best" : `\u2212${gap.toFixed(3)}`}{apart && <span class="now"> ▲ apart</span>}</td>}
              <td>{group.insufficient ? "" : <Corrected of={group} />}</td>
            </tr>
          ))}
        </tbody>
      </table>
      </div>
      {by && <p class="muted">Worst first by {spoken(by).toLowerCase()}, against the best group of the same question. <span aria-hidden="true">▲</span> apart: the two 95{"\u2009"}% intervals do not meet. {groups.length} groups are looked at: of so many one may be apart by chance, which the last column takes away where the evidence was made so. ECE: the expected error of a stated certainty, in ten bins.</p>}
    </>
  );
}

/** Why a group has no such figure. */
function whyNot(group: Subgroup): string {
  return group.without || "its evidence was made without it";
}

/** What is left of the gaps of a group when all comparisons are counted. */
function Corrected({ of }: { of: Subgroup }) {
  const gaps = Object.entries(of.gaps ?? {});
  if (!gaps.length) return <Unknown because={of.gaps ? "it has too few cases beside it to be compared" : "its evidence compares no group with all others (isocenter judge --groups does)"} />;
  const [figure, least] = gaps.reduce((least, one) => (one[1].p_corrected < least[1].p_corrected ? one : least));
  const apart = least.p_corrected < CORRECTED;
  return <>{apart ? <span class="now">▲ {least.value < 0 ? "worse" : "better"}</span> : "within chance"} <span class="muted">{spoken(figure).toLowerCase()} {least.value < 0 ? "\u2212" : "+"}{Math.abs(least.value).toFixed(3)}, p {least.p_corrected.toFixed(3)}</span></>;
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
