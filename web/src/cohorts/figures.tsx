import { to } from "../router";
import { number, spoken, unit } from "../words";
import type { Column, Figures, Group } from "./shapes";

const [WIDE, HIGH, LEFT, FOOT] = [520, 200, 40, 24];

/** The figures of one field: a histogram or words, and a summary for each group; each plot with its table. */
export function Chart({ of, column }: { of: Figures; column: Column | undefined }) {
  const title = column?.title ?? of.field;
  const words = column ? unit(column.unit) : "";
  return (
    <section aria-label={`Figures of ${title}`}>
      <h2>{title} {words && <span class="muted">{words}</span>}</h2>
      {column && <Made column={column} few={of.few} />}
      {of.bins.some((one) => one.n) && <Histogram of={of} title={title} words={words} />}
      {of.words.length > 0 && <Words of={of} />}
      {of.groups.some((one) => one.n !== null) && <Boxes groups={of.groups} title={title} />}
      {!of.bins.some((one) => one.n) && !of.words.length && <p class="muted">Withheld: fewer than {of.few} studies have it.</p>}
    </section>
  );
}

/** How the values of a field came about: which attribute or analysis, in which versions, how many have it. */
function Made({ column, few }: { column: Column; few: number }) {
  const told = (n: number | null) => n ?? `under ${few}`;
  return (
    <dl class="facts">
      <div><dt>How made</dt><dd>{column.source ? <>from the headers: {column.source}</> : column.made_by === "person" ? "measured by people, as they signed it" : <>by the analysis <a href={to.analyses(column.made_by)}>{spoken(column.made_by)}</a>, after readers had kept, changed or struck what it found</>}</dd></div>
      {column.versions.length > 0 && <div><dt>Version</dt><dd>{column.versions.map((one) => `${one.version}: ${told(one.n)} studies`).join(" · ")}</dd></div>}
      <div><dt>Held by</dt><dd>{told(column.n)} studies{column.missing === 0 ? "" : `, missing in ${told(column.missing)}`}; of several values in a study the largest counts</dd></div>
    </dl>
  );
}

function Histogram({ of, title, words }: { of: Figures; title: string; words: string }) {
  const most = Math.max(1, ...of.bins.map((one) => one.n ?? 0));
  const width = (WIDE - LEFT) / of.bins.length;
  const [first, last] = [of.bins[0]!, of.bins.at(-1)!];
  return (
    <div class="plot-and-table">
      <svg class="histogram" viewBox={`0 0 ${WIDE} ${HIGH}`} width={WIDE} height={HIGH} role="img" aria-label={`Histogram of ${title}, ${of.bins.length} bins from ${number(first.from)} to ${number(last.to)} ${words}; the table beside it has every count`}>
        {[0.5, 1].map((part) => <g key={part} class="tick"><path d={`M${LEFT} ${(HIGH - FOOT) * (1 - part)}H${WIDE}`} /><text x={LEFT - 6} y={(HIGH - FOOT) * (1 - part) + 10} text-anchor="end">{Math.round(part * most)}</text></g>)}
        {of.bins.map((one, i) => {
          const tall = ((one.n ?? 0) / most) * (HIGH - FOOT);
          return one.n === null ? <rect key={i} class="withheld" x={LEFT + i * width + 1} y={HIGH - FOOT - 3} width={width - 2} height={3} /> : <rect key={i} x={LEFT + i * width + 1} y={HIGH - FOOT - tall} width={width - 2} height={tall} />;
        })}
        <text x={LEFT} y={HIGH - 6}>{number(first.from)}</text><text x={WIDE} y={HIGH - 6} text-anchor="end">{number(last.to)} {words}</text>
      </svg>
      <table class="plain">
        <thead><tr><th scope="col">From</th><th scope="col">To</th><th scope="col" class="num">Studies</th></tr></thead>
        <tbody>{of.bins.map((one) => <tr key={one.from}><td>{number(one.from)}</td><td>{number(one.to)}</td><td class="num">{one.n ?? <span class="muted">under {of.few}</span>}</td></tr>)}</tbody>
      </table>
    </div>
  );
}

function Words({ of }: { of: Figures }) {
  return (
    <table class="plain">
      <thead><tr><th scope="col">Value</th><th scope="col" class="num">Studies</th></tr></thead>
      <tbody>{of.words.map((one) => <tr key={one.word}><td>{one.word}</td><td class="num">{one.n}</td></tr>)}</tbody>
      {!!of.withheld && <caption class="muted">{of.withheld} more values have fewer than {of.few} studies each.</caption>}
    </table>
  );
}

/** Box from quartile to quartile, whiskers from the 5th to the 95th centile. */
function Boxes({ groups, title }: { groups: Group[]; title: string }) {
  const told = groups.filter((one) => one.n !== null);
  const low = Math.min(...told.map((one) => one.p5!));
  const high = Math.max(...told.map((one) => one.p95!));
  const x = (value: number) => LEFT + ((value - low) / (high - low || 1)) * (WIDE - LEFT - 10);
  return (
    <div class="plot-and-table">
      <svg class="boxes" viewBox={`0 0 ${WIDE} ${told.length * 28 + FOOT}`} width={WIDE} height={told.length * 28 + FOOT} role="img" aria-label={`${title} by group: quartiles, and the 5th to the 95th centile; the table beside it says the same`}>
        {told.map((one, i) => (
          <g key={one.group} transform={`translate(0 ${i * 28 + 4})`}>
            <path class="whisker" d={`M${x(one.p5!)} 10H${x(one.p95!)}M${x(one.p5!)} 5v10M${x(one.p95!)} 5v10`} />
            <rect x={x(one.q1!)} y={2} width={Math.max(1, x(one.q3!) - x(one.q1!))} height={16} />
            <path class="median" d={`M${x(one.median!)} 2v16`} />
            <text x={0} y={14}>{one.group.slice(0, 5)}</text>
          </g>
        ))}
        <text x={LEFT} y={told.length * 28 + FOOT - 6}>{number(low)}</text><text x={WIDE} y={told.length * 28 + FOOT - 6} text-anchor="end">{number(high)}</text>
      </svg>
      <table class="plain">
        <thead><tr><th scope="col">Group</th><th scope="col" class="num">n</th><th scope="col" class="num">5 %</th><th scope="col" class="num">25 %</th><th scope="col" class="num">Median</th><th scope="col" class="num">75 %</th><th scope="col" class="num">95 %</th></tr></thead>
        <tbody>
          {groups.map((one) => (
            <tr key={one.group}>
              <td>{one.group}</td>
              {one.n === null ? <td colSpan={6} class="muted">withheld: too few studies</td> : [one.n, one.p5, one.q1, one.median, one.q3, one.p95].map((value, i) => <td key={i} class="num">{number(value!)}</td>)}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
