"""From findings of signed reports to images with outlines: what counts, what is left out, and what is refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.learn.from_readings import Said
from isocenter.learn.kinds import Masks
from isocenter.learn.outlined import pairs_in, people_of, read_case
from isocenter.learn.outlines_from_readings import Outlines
from isocenter.learn.signed_reports import Signed
from isocenter.record import Code, Finding, Origin, Outcome, Result, Verdict, codes
from isocenter.space import Geometry, Reference, Region, Shape, Volume

NOW = datetime(2026, 11, 16, 8, tzinfo=UTC)
GRID = Geometry.regular(shape=(10, 12, 14), spacing_mm=(3.0, 1.0, 0.5), frame_of_reference="1.9")
ORGAN = Masks("organ", ("front", "back"), known_as={"SCT:10200004": 2})
LESION = Masks("lesion", ("opacity",), may_lack=True)
BOTH = replace(LESION, classes=("opacity", "bright"), known_as={"99ISO:enhancement": 2})
MACHINE = Origin("machine", "finder", "1")
READER = Origin("person", "ito")


def at(z: int, label: str = "", grid: Geometry = GRID) -> Region:
    mask = np.zeros(grid.shape, bool)
    mask[z : z + 2, 2:5, 3:7] = True
    return Region(grid, mask=mask, label=label, series_uid="1.1")


def found(*findings: Finding, origin: Origin = MACHINE) -> Result:
    return Result("1.2", Outcome.FOUND if findings else Outcome.NONE, origin, NOW, findings=findings)


def finding(what: Code, where: Region | None, verdict: Verdict = Verdict.KEPT, **more: Any) -> Finding:
    return Finding(what, where=where, verdict=verdict, **more)


def signed(study: str, *results: Result, final: bool | None = True, machine: bool = True, mode: str = "concurrent",
           first: bool | None = None, reader: str = "ito", minute: int = 0) -> Signed:  # fmt: skip
    call = {"analysis": "finder", "mode": mode, "machine": machine, "final": final, "first": first}
    time = NOW.replace(minute=minute).isoformat()
    return Signed(
        study,
        f"|{study}",
        reader,
        time,
        [] if final is None else [call],
        lambda: results,
        lambda: [was for one in results if (was := before(one)) is not None],
    )


def before(one: Result) -> Result | None:
    """What the machine had said: what is changed lay a slice lower, and nobody had added anything."""
    if one.origin is READER:
        return None
    kept = [f for f in one.findings if f.verdict is not Verdict.ADDED]
    return replace(one, findings=tuple(
        replace(f, where=at(0)) if f.verdict is Verdict.CHANGED and f.reason != "words" else f for f in kept
    ))  # fmt: skip


def said(how: Masks, *reports: Signed, looks_for: Sequence[Code] = ()) -> tuple[list[Said], dict[str, str]]:
    return Outlines(how, "finder", looks_for).said(reports)


def test_a_report_that_leaves_a_structure_open_does_not_teach_that_it_is_not_there() -> None:
    front, back = finding(codes.STRUCTURE, at(1, "Front")), finding(codes.STRUCTURE, None, site=codes.LIVER)
    whole = signed("a", found(front, replace(back, where=at(5))))
    told, left = said(
        ORGAN, whole, signed("b", found(front)), signed("c", found(front, back)), signed("d", found(), final=False)
    )
    assert [s.study for s in told] == ["a"] and sorted(told[0].answer) == [1, 2]
    assert left == {
        "b": "no outline of 'back'", "c": "'back' is in the report without an outline", "d": "no outline of 'front'"
    }  # fmt: skip
    spot = finding(codes.OPACITY, at(1))
    with pytest.raises(Refused, match="teach no outline: 1: nobody looked for 'bright'"):
        said(BOTH, signed("a", found(spot)), looks_for=[codes.OPACITY])


def test_a_label_that_was_looked_for_and_not_found_is_not_there() -> None:
    spot = finding(codes.OPACITY, at(1))
    struck = replace(spot, verdict=Verdict.STRUCK)
    told, left = said(
        BOTH, signed("a", found(spot)), signed("b", found(struck), final=False), signed("c", found(), final=False,
        machine=False, first=False, mode="unaided-first"), looks_for=[codes.OPACITY, codes.ENHANCEMENT],
    )  # fmt: skip
    assert [(s.study, s.final, sorted(s.answer)) for s in told] == [
        ("a", True, [1]),
        ("b", False, []),
        ("c", False, []),
    ]
    assert not left
    weights = {e.study: (e.mode, e.weight) for e in Outlines(BOTH, "finder", ()).examples(told, 0.25)[0]}
    assert weights == {"a": ("followed", 0.25), "b": ("overruled", 1.0), "c": ("unaided", 1.0)}


def test_what_a_reader_drew_or_changed_counts_whole_whatever_was_said_before() -> None:
    changed, drawn = finding(codes.OPACITY, at(1), Verdict.CHANGED), finding(codes.OPACITY, at(3), Verdict.ADDED)
    kept, worded = finding(codes.OPACITY, at(1)), replace(changed, reason="words")
    told, _ = said(
        LESION, signed("a", found(changed), mode="unaided-first", first=True),
        signed("b", found(kept), mode="unaided-first", first=True),
        signed("c", found(drawn, origin=READER), final=None),
        signed("e", found(worded)),
        signed("d", found(kept), reader="ito", minute=1), signed("d", found(changed), reader="lee", minute=2),
    )  # fmt: skip
    made, torn = Outlines(LESION, "finder", ()).examples(told, 0.25)
    assert {e.study: (e.mode, e.weight) for e in made} == {
        "a": ("overruled", 1.0), "b": ("followed", 0.25), "c": ("unaided", 1.0), "d": ("overruled", 1.0),
        "e": ("followed", 0.25),
    } and not torn  # fmt: skip


def test_what_another_analysis_found_counts_where_nothing_else_lies() -> None:
    """The one that was asked had missed the second: the report says that it is there."""
    another = Origin("machine", "another", "1")
    here, there = (finding(codes.OPACITY, at(z), tracking=str(z)) for z in (1, 6))
    coarse = finding(codes.OPACITY, at(1, grid=GRID.cropped((0, 0, 0), (5, 12, 14))), tracking="3")
    told, _ = said(
        LESION, signed("a", found(here, there, origin=another), found(here)),
        signed("b", found(), found(there, origin=another), final=False, machine=False),
        signed("c", found(coarse, origin=another), found(here)),
        signed("d", found(here, origin=another), found(replace(there, verdict=Verdict.ADDED), origin=READER)),
    )  # fmt: skip
    assert [len(s.answer[1]) for s in told] == [2, 1, 1, 2]
    assert [e.mode for e in Outlines(LESION, "finder", ()).examples(told, 0.25)[0]] == [
        "followed", "followed", "followed", "overruled"
    ]  # fmt: skip


def test_what_an_analysis_found_besides_does_not_teach_that_the_other_is_not_there() -> None:
    kept, other = finding(codes.OPACITY, at(1)), finding(codes.ENHANCEMENT, at(1))
    reports = [signed("a", found(kept)), signed("b", found(other)), signed("c", found(), final=False), signed("d")]
    told, left = said(LESION, *reports)
    assert [s.study for s in told] == ["a", "c"]
    assert left == {"b": "nobody looked for 'opacity'", "d": "what its report rests on was erased"}
    told, left = said(LESION, *reports, looks_for=[codes.ENHANCEMENT, codes.OPACITY])
    assert [s.study for s in told] == ["a", "b", "c"]


def test_each_picture_is_an_example_and_one_that_lacks_what_another_shows_is_none() -> None:
    kept = finding(codes.OPACITY, at(1))
    flat = Geometry.regular(shape=(1, 8, 9), reference=Reference.PLANE)
    views = [replace(kept, where=Region(flat, mask=np.ones(flat.shape, bool), instance_uid=uid)) for uid in "ab"]
    other = replace(kept, where=at(1, grid=replace(GRID, frame_of_reference="1.8")))
    told, left = said(LESION, signed("a", found(kept)), signed("b", found(*views)), signed("c", found(kept, other)))
    made = Outlines(LESION, "finder", ()).examples(told, 0.25)[0]
    assert [(e.study, len(e.answer.regions[1])) for e in made] == [
        ("a", 1),
        ("b", 1),
        ("b", 1),
        ("c", 1),
        ("c", 1),
    ] and not left
    assert [e.answer.regions[1][0].instance_uid for e in made[1:3]] == ["a", "b"]
    bright = replace(views[1], what=codes.ENHANCEMENT)
    told, left = said(BOTH, signed("b", found(views[0], bright)), signed("c", found(kept), final=False),
                      signed("d", found(views[0], bright, replace(bright, where=views[0].where), views[1])),
                      looks_for=[codes.OPACITY, codes.ENHANCEMENT])  # fmt: skip
    assert [s.study for s in told] == ["c", "d"] and left == {"b": "outlined each on another picture"}


def test_refusals_name_what_was_outlined() -> None:
    nodule = Code("27925004", "SCT", "Nodule")
    with pytest.raises(Refused, match=r"is called opacity: outlined are Nodule\. Name these .*known_as"):
        said(LESION, signed("a", found(finding(nodule, at(1)))))
    with pytest.raises(Refused, match="teach no outline: all say that there is nothing"):
        said(LESION, signed("a", found(), final=False))
    line = Region(GRID, Shape.POLYLINE, None, np.diag([1.0, 2.0, 3.0])[:2])
    with pytest.raises(Refused, match="teach no outline: 1: 'opacity' is in the report without an outline"):
        said(LESION, signed("a", found(finding(codes.OPACITY, line))))
    anything = finding(codes.REGION, at(1, "Region"), Verdict.ADDED)
    with pytest.raises(Refused, match="outlined are Image Region: Region"):
        said(LESION, signed("a", found(anything)))
    kept = finding(codes.OPACITY, at(1))
    left = said(LESION, signed("a", found(kept)), signed("b", found(anything), final=False))[1]
    assert left == {"b": "something is outlined that is not named"}


def test_the_folder_is_read_as_it_was_signed(tmp_path: Path) -> None:
    """Every voxel where it was, whatever the axes; labels by number, people kept together, nobody named."""
    teacher = Outlines(ORGAN, "finder", ())
    turned = GRID.permuted((1, 2, 0)).flipped(0)
    front, back = at(1, "front"), at(2, "back")
    reports = [signed(n, found(*(finding(codes.STRUCTURE, r) for r in (front, back)))) for n in ("a", "b", "c")]
    told, _ = teacher.said(reports)
    made = [replace(e, person="|PAT") if e.study in "ab" else e for e in teacher.examples(told, 0.25)[0]]
    grey = np.random.default_rng(0).normal(size=GRID.shape).astype(np.float32)
    seen = Volume(grey, GRID)

    def images(study: str, on: Region | None = None, image: str = "") -> tuple[Volume, Sequence[str]]:
        assert on is not None
        if study == "c":
            raise Refused("the images that were looked at", "they are not here any more")
        return (seen, ["d" * 64]) if study == "a" else (Volume(np.transpose(grey, (1, 2, 0))[::-1].copy(), turned), [])

    report = teacher.written(tmp_path / "set", made, images, {"left": {"why": 2}})
    assert report["by_class"] == {"front": 2, "back": 2} and report["overlapping"] == 2
    assert report["left"] == {"why": 2, "the images that were looked at": 1} and report["learned_from"] == ["d" * 64]
    assert not any("PAT" in str(p) for p in tmp_path.rglob("*"))
    pairs, alone = pairs_in(tmp_path / "set")
    assert not alone and len(set(people_of(pairs, tmp_path / "set"))) == 1
    one, other = (read_case(*pair, ORGAN) for pair in pairs)
    assert np.array_equal(one.image, other.image) and np.array_equal(one.labels, other.labels)
    assert one.spacing_mm == (0.5, 1.0, 3.0)
    assert np.bincount(one.labels.ravel())[1:].tolist() == [12, 24]  # the back lies over one slice of the front
    corner = np.argwhere(one.labels == 2).min(0)
    place = one.affine @ [*corner, 1]
    assert np.allclose(place[:3] * [-1, -1, 1], GRID.to_patient((2, 4, 6)))  # RAS: its first voxel is the leftmost
