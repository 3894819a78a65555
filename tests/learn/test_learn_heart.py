"""The heart's network is judged by `isocenter judge` like every other: differences from what experts drew."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import pydicom
import pytest

pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from isocenter.analysis.weights import models
from isocenter.errors import Refused
from isocenter.learn import heart
from isocenter.learn.hearts import _plain, read_hearts
from isocenter.learn.judge import judged
from isocenter.testing.phantoms import heart as heart_phantom
from isocenter.testing.phantoms.patient import Person

KEYS = ("edv_ml", "esv_ml", "ef_percent", "mass_g")


def row(name: str, off: float | None) -> dict[str, Any]:
    truth = dict.fromkeys(KEYS, 100.0)
    if off is None:
        return {"name": name, "truth": truth, "found": None, "why": "no ventricle"}
    return {"name": name, "truth": truth, "found": dict.fromkeys(KEYS, 100.0 + off), "agreement": 1.0}


def test_differences_are_those_of_the_patients_who_were_not_declined(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = {"a": row("a", 3.0), "b": row("b", -5.0), "c": row("c", None)}
    asked: list[str] = []
    monkeypatch.setattr(heart, "read_hearts", lambda folder: asked)
    monkeypatch.setattr(heart, "parts", lambda session: (None, None))
    monkeypatch.setattr(heart, "compared", lambda patient, places, border: rows[patient])
    held = models()["cardiac_cine"][0]
    asked[:] = ["a", "b", "c"]
    figures, told, _ = heart.judged(held, None, Path(), None)
    assert (figures["n"], figures["declined"]) == (3, 1)
    assert figures["remarks"][0].startswith("1 of 3 patients were not measured: they count as declined")
    assert figures["metrics"]["difference"]["edv_ml"] == {"value": -1.0, "patients": 2}
    assert figures["metrics"]["absolute_difference"]["mass_g"] == {"value": 4.0, "patients": 2}
    assert told[2]["declined"] == "no ventricle" and told[0]["esv_ml found"] == 103.0
    asked[:] = ["c"]
    with pytest.raises(Refused, match="all 1 patients were declined"):
        heart.judged(held, None, Path(), None)
    with pytest.raises(Refused, match="no split 'test'"):
        heart.judged(held, None, Path(), "test")


def test_a_folder_without_what_links_images_and_contours_is_refused_with_what_it_lacks(tmp_path: Path) -> None:
    link = tmp_path / "link.csv"
    for text, why in (
        (
            None,
            "no patient with images and contours in .*give both, below folders of the patient's name, or a link.csv",
        ),
        ("", "link.csv has no column 'patient_id'"),
        ("patient_id,name\n1,2\n", "link.csv has no column 'original_id'"),
        ("patient_id,original_id\n1,2\n", "1 names were looked for, of 0 folders and archives"),
    ):
        if text is not None:
            link.write_text(text)
        with pytest.raises(Refused, match=f"(?i){why}"):
            list(read_hearts(tmp_path))


@pytest.mark.data
@pytest.mark.nightly
def test_two_patients_of_sunnybrook(data: Path) -> None:
    found = judged("cardiac_cine", data / "sunnybrook_cine").report
    assert found["n"] == 2 and found["metrics"]["absolute_difference"]["ef_percent"]["value"] < 3


def _patient(name: str, seed: int) -> dict[int, bytes]:
    """Instance Number -> the DICOM file of a small virtual cine."""
    made = heart_phantom.patient(
        seed=seed, phases=4, size=48, slices=5, person=Person(name, "PHANTOM^HEART", "F", "19650322", 1.68, 71.0),
    )  # fmt: skip
    found = {}
    for file in made.files:
        header = pydicom.dcmread(io.BytesIO(file))
        if header.Modality == "MR":
            found[int(header.InstanceNumber)] = file
    return found


def _write(file: Path, data: bytes | str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data.encode() if isinstance(data, str) else data)


def test_copies_of_the_sunnybrook_data_are_read_however_their_folders_are_laid(tmp_path: Path) -> None:
    one, other = _patient("SCD0000101", 3), _patient("SCD0000201", 4)
    square = "10.00 10.00\n20.00 10.00\n20.00 24.00\n10.00 24.00\n"
    ids = {"SC-HF-I-1": ("SCD0000101", one), "SC-HF-I-2": ("SCD0000201", other)}
    link = "PatientID,OriginalID,Pathology\n" + "".join(f"{p},{o.replace('I-', 'I-0')},heart failure\n"
                                                        for o, (p, _) in ids.items())  # fmt: skip
    for layout in ("archives", "folders", "one name", "in one folder"):
        root = tmp_path / layout
        for original, (patient, files) in ids.items():
            drawn = root / ("contours" if layout != "in one folder" else "train") / original
            for kind in ("i", "o", "p1-"):
                _write(drawn / "contours-manual" / "IRCCI" / f"IM-0001-0003-{kind}contour-manual.txt", square)
            if layout == "archives":
                _write(root / "scd_patientdata.csv", link)
                (root / "dicoms").mkdir(exist_ok=True)
                with zipfile.ZipFile(root / "dicoms" / f"{patient}.zip", "w") as archive:
                    for number, data in files.items():
                        archive.writestr(f"{patient}/{number}.dcm", data)
                continue
            if layout == "folders":
                _write(root / "link.csv", link.replace("PatientID,OriginalID", "patient_id,original_id"))
            folder = {
                "folders": root / "dicoms" / patient, "one name": root / "images" / original,
                "in one folder": drawn / "DICOM",
            }[layout]  # fmt: skip
            for number, data in files.items():
                _write(folder / f"IM-0001-{number:04d}.dcm", data)
        found = list(read_hearts(root))
        assert len(found) == 2, layout
        assert [_plain(h.name) for h in found] == ["sc-hf-i-1", "sc-hf-i-2"]
        for heart_, files in zip(found, (one, other), strict=True):
            uid = pydicom.dcmread(io.BytesIO(files[3])).SOPInstanceUID
            slices = heart_.cine.geometry.shape[0]
            assert sorted(o.kind for o in heart_.outlines) == ["i", "o"]
            assert all(heart_.cine.instance_uids[o.phase * slices + o.slice] == uid for o in heart_.outlines)


def test_contours_are_not_laid_on_the_images_of_somebody_else(tmp_path: Path) -> None:
    for patient, seed in (("A", 3), ("B", 4)):
        for number, data in _patient(patient, seed).items():
            _write(tmp_path / "train" / patient / f"{number}.dcm", data)
    _write(tmp_path / "train" / "C" / "IM-0001-0003-icontour-manual.txt", "1 1\n5 1\n5 5\n")
    with pytest.raises(Refused, match=r"images of 2 patients in train.*the contours of train are of one"):
        list(read_hearts(tmp_path))
    (tmp_path / "train" / "C" / "IM-0001-0003-icontour-manual.txt").rename(
        tmp_path / "train" / "A" / "IM-0001-9999-icontour-manual.txt"
    )
    with pytest.raises(Refused, match=r"IM-0001-9999-icontour-manual.txt: A has no image 9999"):
        list(read_hearts(tmp_path))
