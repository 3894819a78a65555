"""How much of single people an attacker reads out of the tens of a cohort, by how many questions.

The strongest attacker: knows of everybody in a made-up archive age, year and sex, and wants one more word of each (ill
or not: half are). Asks how many of a random range of ages and years, of one sex or both, are ill; every question
another group. Lays all answers over each other (ridge regression on the tens), and calls each person ill or not. By
chance 50 % are right, and as many of the tenth of whom the attacker is surest.

    .venv/bin/python benchmarks/bench_questions.py
"""

from __future__ import annotations

import numpy as np

from isocenter.population.coarse import Tens

ARCHIVES, PEOPLE = 10, 70


def attacked(people: int, questions: int, seed: int, key: bytes) -> tuple[float, float]:
    """Share of people of whom the word is told rightly; and of the tenth of whom the attacker is surest."""
    rng = np.random.default_rng(seed)
    decade = np.arange(people) // 10  # a filter sees ages in groups of ten people
    year, sex, ill = rng.integers(0, 5, people), rng.integers(0, 2, people), rng.random(people) < 0.5
    names, less = np.array([f"P{n}" for n in range(people)]), 9.0 if key else 4.5
    rows, told, had = [], [], set()
    for _ in range(50 * questions):
        if len(rows) == questions:
            break
        (a, b), (c, d), s = np.sort(rng.integers(0, decade[-1] + 1, 2)), np.sort(rng.integers(0, 5, 2)), rng.integers(3)
        within = (decade >= a) & (decade <= b) & (year >= c) & (year <= d) & ((sex == s) | (s == 2))
        if (mark := within.tobytes()) not in had:
            had.add(mark)
            rows.append(within)
            n = Tens(key).of(names[within & ill])
            told.append(less if n is None else n + less)
    asked = np.array(rows, float)
    off = np.array(told) - asked.sum(1) / 2
    word = asked.T @ np.linalg.solve(asked @ asked.T + (120 if key else 60) * np.eye(len(asked)), off)
    right, surest = (word > 0) == ill, np.argsort(-np.abs(word))[: people // 10]
    return float(right.mean()), float(right[surest].mean())


def main() -> None:
    for questions in (20, 100, 300, 1000):
        for name, key in (("tens", b""), ("keyed tens", b"k")):
            found = np.array([attacked(PEOPLE, questions, n, key) for n in range(ARCHIVES)]).mean(0)
            print(f"{PEOPLE} people, {questions:4d} questions, {name:10s}: right {found[0]:.2f}, "
                  f"of the surest tenth {found[1]:.2f}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
