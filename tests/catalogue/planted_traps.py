"""Traps planted in DICOM studies, and what the command says of them: what the tables of traps are written with."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
from phantom_studies import STUDIES, titled
from typer.testing import CliRunner

from isocenter.cli import app
from isocenter.testing.phantoms import abdomen_mr, coronary, dce_mr, fetus, flow_mr, heart, pet_ct

Files = Callable[[], Sequence[bytes]]


SMALL: Mapping[str, Files] = {
    "dynamic": lambda: dce_mr.patient(slices=1, angles=False).files,
    "short": lambda: dce_mr.patient(slices=1, angles=False, times_s=np.arange(50) * 5.0).files,
    "slice": lambda: flow_mr.slice_patient(size=48, mm=3.0, frames=20).files,
    "cine": lambda: heart.patient(seed=3, phases=8, slices=11, size=96).files,
    "cine of 5 slices": lambda: heart.patient(seed=3, phases=10, slices=5, size=96).files,
    "calcium": lambda: coronary.patient().files,
    "liver": lambda: abdomen_mr.patient(size=64, slices=2).files,
    "body": STUDIES["body_composition"].files,
    "pet": lambda: [
        f for f in pet_ct.patient(structures=False).files if pydicom.dcmread(io.BytesIO(f)).Modality == "PT"
    ],
    "fetus": lambda: fetus.patient().files,
    "thyroid": lambda: titled("THYROID"),
    "stiff": lambda: titled("LIVER"),
}


@lru_cache(maxsize=4)
def study(name: str) -> tuple[bytes, ...]:
    return tuple(SMALL[name]() if name in SMALL else STUDIES[name].files())


def of(name: str) -> Files:
    return lambda: study(name)


@dataclass(frozen=True)
class Trap:
    """What is asked of which files, and what the command must say of it.

    Args:
        words: what must stand in the answer.
        files: of the study; by default those of `STUDIES`.
        pixels: what makes other pixels of (stored pixels, dataset) in every image.
        header: keyword -> value in every image, None to take it away; or what makes it of (dataset, number).
        given: parameters of the command beside those of the study.
        keep: which files are sent; all of them by default.
        answer: declined, or found where a number is withheld or a warning given.
    """

    analysis: str
    words: str
    files: Files | None = None
    header: Mapping[str, Any] = field(default_factory=dict)
    given: Mapping[str, Any] = field(default_factory=dict)
    keep: Callable[[Any], bool] | None = None
    pixels: Callable[[npt.NDArray[np.int64], Any], npt.NDArray[Any]] | None = None
    answer: str = "declined"


def put(ds: Any, pixels: npt.NDArray[Any]) -> None:
    ds.Rows, ds.Columns = pixels.shape
    ds.PixelData = np.ascontiguousarray(pixels, dtype="<i2" if ds.PixelRepresentation else "<u2").tobytes()


def changed(files: Sequence[bytes], trap: Trap) -> list[bytes]:
    made = []
    for number, data in enumerate(files):
        ds = pydicom.dcmread(io.BytesIO(data))
        if trap.keep is not None and not trap.keep(ds):
            continue
        if (trap.header or trap.pixels) and str(ds.Modality) not in ("RTSTRUCT", "SEG"):
            if trap.pixels is not None:
                put(ds, trap.pixels(ds.pixel_array.astype(np.int64), ds))
            for keyword, value in trap.header.items():
                if value is None:
                    ds.pop(keyword, None)
                else:
                    setattr(ds, keyword, value(ds, number) if callable(value) else value)
            out = io.BytesIO()
            ds.save_as(out)
            data = out.getvalue()
        made.append(data)
    return made


def told(trap: Trap, folder: Path) -> tuple[str, list[str]]:
    """The answer of the command on the trap's study, and everything that it says in words."""
    base = STUDIES.get(trap.analysis)
    files = changed((trap.files or of(trap.analysis))(), trap)
    for number, data in enumerate(files):
        (folder / f"{number:05d}.dcm").write_bytes(data)
    given = {**(base.parameters if base is not None and trap.files is None else {}), **trap.given}
    said = [part for name, value in given.items() for part in ("--set", f"{name}={value}")]
    done = CliRunner().invoke(app, ["analyse", str(folder), "--only", trap.analysis, "--json", *said])
    assert done.exit_code == 0, done.output
    result = json.loads(done.stdout)[-1]
    measured = [*result["measurements"], *(m for f in result["findings"] for m in f["measurements"])]
    words = [
        *result["reasons"],
        *(f["words"] for f in result["findings"]),
        *(m.get("definition", "") for m in measured),
    ]
    return result["answer"], words
