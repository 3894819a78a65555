"""The mean pattern about virtual hearts that `isocenter.methods.usual_surroundings` holds, as its source has it.

    python benchmarks/usual_surroundings.py [--first 50000] [--hearts 40]

Hearts are drawn under the header of `wrong_cines.placed` and outlined by the network; those that it cannot outline are
left out.
"""

from __future__ import annotations

import argparse

import numpy as np
from wrong_cines import STEP_MM, drawn, opened

from isocenter.errors import Refused
from isocenter.methods.beside_ventricle import beside_ventricle
from isocenter.methods.short_axis import turned
from isocenter.methods.ventricle import outline, parts


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--first", type=int, default=50000)
    parser.add_argument("--hearts", type=int, default=40)
    said = parser.parse_args()
    network, found = parts(opened()), []
    for seed in range(said.first, said.first + said.hearts):
        turn = turned(drawn(seed))
        try:
            heart = outline(turn, *network)
        except Refused:
            continue
        cavity, muscle, slices = heart.cavity["ed"], heart.muscle["ed"], heart.slices["ed"]
        found.append(beside_ventricle(turn.array, heart.ed, cavity, muscle, slices, (STEP_MM, STEP_MM)).pattern)
    for row in np.round(100 * np.mean(found, axis=0)).astype(int):
        print("    [" + ", ".join(map(str, row)) + "],")


if __name__ == "__main__":
    main()
