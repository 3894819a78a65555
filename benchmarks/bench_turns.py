"""Two states of the code received into by turns, several servers of each, so that a difference can be told from chance.

    git worktree add /tmp/before COMMIT
    python benchmarks/bench_turns.py --sources /tmp/before/src,src [--of 3] [--images 100] [--turns 16]

All servers are open from the beginning. In each turn every one takes in the same images, in an order that is drawn
anew. Equal servers differ on a busy machine, by a third of the rate at times: what the sources differ by means
something where it is more than that. Run it in a network namespace, as `bench_receive.py` says.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from bench_receive import isocenter, make_images, processor_s, send


@dataclass
class Server:
    """One that is open, and what was seen of it: images a second, and ms of processor of each image."""

    source: Path
    pid: int
    port: int
    held: Callable[[], int]
    rates: list[float] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)

    def take(self, paths: list[Path], associations: int) -> None:
        """Send it images and note how it went."""
        before = processor_s(self.pid)
        took, _ = send(paths, self.port, "ISOCENTER", associations, nodelay=True)
        self.rates.append(len(paths) / took)
        self.costs.append((processor_s(self.pid) - before) / len(paths) * 1000)


def main() -> None:
    """Measure and print one line a server."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--sources", default="src", help="folders that hold the package, by commas")
    parser.add_argument("--of", type=int, default=3, help="servers of each")
    parser.add_argument("--images", type=int, default=100, help="in one turn")
    parser.add_argument("--turns", type=int, default=16)
    parser.add_argument("--associations", type=int, default=5)
    given = parser.parse_args()
    sources = [Path(name).resolve() for name in given.sources.split(",")]
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as opened:
        images = Path(temporary) / "images"
        images.mkdir()
        paths = make_images(images, given.images * (given.turns + 1), study="1.2.826.0.1.3680043.9.7133.1")
        servers = []
        for number in range(len(sources) * given.of):
            source, folder = sources[number % len(sources)], Path(temporary) / f"archive-{number}"
            folder.mkdir()
            os.environ["PYTHONPATH"] = str(source)
            servers.append(Server(source, *opened.enter_context(isocenter(folder))))
        for turn in range(given.turns + 1):
            part = paths[turn * given.images : (turn + 1) * given.images]
            for one in random.sample(servers, len(servers)):
                one.take(part, given.associations)
        for one in servers:
            rates, costs = one.rates[1:], one.costs[1:]  # in the first turn everything is loaded
            print(
                f"{one.source}  median {statistics.median(rates):6.1f}/s, best {max(rates):6.1f}  "
                f"processor of each: median {statistics.median(costs):.2f} ms, best {min(costs):.2f}",
                flush=True,
            )
            if one.held() != len(paths):
                raise SystemExit(f"a server of {one.source} does not hold all of {len(paths)} images")
        print("load at the end: {:.1f} {:.1f} {:.1f}".format(*os.getloadavg()))


if __name__ == "__main__":
    main()
