"""What was said of an image stays with it, where an analysis looked at several of a study."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np

from isocenter.learn.images_of_reports import digests_of, image_of, lies_on, parted, series_of
from isocenter.record import Finding, Origin, Outcome, Receipt, Result, codes
from isocenter.space import Geometry, Region

NOW = datetime(2026, 11, 30, tzinfo=UTC)
GRID = Geometry.regular(shape=(1, 8, 8), spacing_mm=(1.0, 1.0, 1.0))


def marked(series: str) -> Finding:
    mask = np.zeros((1, 8, 8), bool)
    mask[0, 2:5, 2:5] = True
    return Finding(codes.OPACITY, where=Region(GRID, mask=mask, series_uid=series))


def said(series: str, *files: str, by: str = "finder", findings: tuple[Finding, ...] = ()) -> Result:
    outcome = Outcome.FOUND if findings else Outcome.NONE
    return Result("1.2", outcome, Origin("machine", by, "1"), NOW, findings=findings,
                  receipt=Receipt(inputs=files, series=(series,) if series else ()))  # fmt: skip


def by_hand(*findings: Finding) -> Result:
    return Result("1.2", Outcome.FOUND, Origin("person", "ito"), NOW, findings=findings)


def test_a_picture_is_named_by_its_files_and_a_volume_by_its_series() -> None:
    assert image_of(said("1.5", "aa")) == "1.5 aa" and image_of(said("1.5", *"abcdefgh")) == "1.5"
    assert image_of(said("")) == ""
    assert (series_of("1.5 aa"), digests_of("1.5 aa"), digests_of("1.5")) == ("1.5", ["aa"], [])


def test_what_a_reader_marked_on_one_view_says_nothing_of_the_other() -> None:
    left, right = said("1.5", "aa"), said("1.6", "bb", findings=(marked("1.6"),))
    own, nameless = by_hand(marked("1.5"), marked("1.6")), by_hand(Finding(codes.OPACITY, words="somewhere"))
    found, nowhere = parted([left, right, own, nameless], "finder")
    assert list(found) == ["1.5 aa", "1.6 bb"] and nowhere == [nameless]
    assert [f.where.series_uid for r in found["1.5 aa"] for f in r.findings if f.where] == ["1.5"]
    assert [f.where.series_uid for r in found["1.6 bb"] for f in r.findings if f.where] == ["1.6", "1.6"]


def test_two_films_of_one_series_are_not_told_apart_by_a_mark_on_the_series() -> None:
    images = ["1.5 aa", "1.5 bb"]
    assert not any(lies_on(marked("1.5"), image, images) for image in images)
    assert lies_on(marked("1.9"), "1.5 aa", ["1.5 aa"]), "of one image all is said"


def test_where_the_analysis_looked_at_nothing_there_is_one_image_without_a_name() -> None:
    own = by_hand(marked("1.5"))
    assert parted([own], "finder") == ({"": [own]}, [])
