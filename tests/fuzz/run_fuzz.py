"""Look for inputs that a target does not survive, by coverage: needs `atheris` (extra `fuzz`).

    python tests/fuzz/run_fuzz.py --seconds 60 [TARGET …]

What is new in coverage is added to `tests/fuzz/corpus/TARGET` while it is small; what breaks a target is written beside
it as `crash-…` or `timeout-…` and ends the run with exit code 1.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

_LARGEST, _FILES = 4096, 80  # bytes of a kept input, and how many are kept of a target


def one(target: str, seconds: int) -> None:
    """Fuzz one target in this process; atheris never returns."""
    import atheris

    with atheris.instrument_imports(include=["isocenter"]):
        import fuzz_targets as fuzz

    with tempfile.TemporaryDirectory() as folder:
        for number, data in enumerate(fuzz.seeds(target)):
            (Path(folder) / f"seed{number}").write_bytes(data)
            fuzz.checked(target, data)  # what is loaded with the first input takes longer than any input may
        found = Path(os.environ["FOUND"])
        atheris.Setup(
            [sys.argv[0], str(found), folder, str(fuzz.CORPUS / target), f"-max_total_time={seconds}",
             f"-timeout={int(fuzz.PATIENCE_S)}", f"-max_len={1 << 15}", "-rss_limit_mb=2048", "-verbosity=0",
             "-print_final_stats=1", f"-artifact_prefix={fuzz.CORPUS / target}/"],
            lambda data: fuzz.checked(target, data),
        )  # fmt: skip
        atheris.Fuzz()


def main() -> None:
    """Every target in a process of its own."""
    sys.path.insert(0, str(Path(__file__).parent))
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("targets", nargs="*")
    asked.add_argument("--seconds", type=int, default=60, help="for each target")
    asked.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    given = asked.parse_args()
    if given.inside:
        one(given.targets[0], given.seconds)  # nothing of ours may be loaded before it is instrumented
        return
    import fuzz_targets as fuzz

    broken = 0
    for target in given.targets or fuzz.TARGETS:
        (fuzz.CORPUS / target).mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as found:
            words = [sys.executable, __file__, target, "--seconds", str(given.seconds), "--inside"]
            done = subprocess.run(words, env=os.environ | {"FOUND": found}, check=False, capture_output=True, text=True)
            added = _keep(fuzz.CORPUS / target, sorted(Path(found).iterdir(), key=lambda p: p.stat().st_size))
        bad = [p.name for p in fuzz.kept(target) if p.name.startswith(("crash-", "timeout-", "oom-"))]
        broken += bool(bad) or done.returncode != 0
        counted = "stat::number_of_executed_units:"
        runs = next((line for line in done.stderr.splitlines() if line.startswith(counted)), "")
        said = f"{int(runs.removeprefix(counted))} inputs," if runs and not done.returncode else done.stderr[-2000:]
        print(f"{target}: {said} {added} kept{'; BROKEN BY ' + ', '.join(bad) if bad else ''}")
    raise SystemExit(bool(broken))


def _keep(place: Path, found: list[Path]) -> int:
    there = len(list(place.iterdir()))
    added = 0
    for path in found:
        data = path.read_bytes()
        name = place / hashlib.sha256(data).hexdigest()[:16]
        if len(data) <= _LARGEST and there + added < _FILES and not name.exists():
            name.write_bytes(data)
            added += 1
    return added


if __name__ == "__main__":
    main()
