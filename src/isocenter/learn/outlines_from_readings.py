"""Signed reports as images with outlines: what readers kept, changed or drew, as volumes or pictures with labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from isocenter import wholly
from isocenter.errors import Refused
from isocenter.learn.from_readings import Example, Said, examples_of, laid
from isocenter.learn.kinds import Masks
from isocenter.learn.labels_of_findings import GENERAL, called, label_of, label_of_code, names_of_labels
from isocenter.record import Code, Finding, Outcome, Result, Verdict
from isocenter.space import Geometry, Reference, Region, Shape, Volume

if TYPE_CHECKING:
    from isocenter.learn.signed_reports import Images, Signed

__all__ = ["Outlines"]

_OWN = (Verdict.ADDED, Verdict.CHANGED)
_SEEN, _UNSEEN = "concurrent", "shadow"  # modes of reading (see `from_readings.weight_of`)


@dataclass(frozen=True, eq=False)
class Told:
    """Where the findings of one report lie, by label; and what keeps it from being learnt from, empty for nothing."""

    regions: Mapping[int, Sequence[Region]]
    own: bool
    lacks: str = ""


class Outlines:
    """Reports teach where the structures of a recipe lie; see `signed_reports.Teacher`.

    Of a report count the findings of the analysis and those of the reader, as they stood when it was signed, that have
    the code or the name of a label. An analysis that looks for a label and a report without it say together that it is
    not there, where the recipe says that this may be (`kinds.Masks.may_lack`).
    """

    def __init__(self, how: Masks, analysis: str, looks_for: Collection[Code]) -> None:
        self._how, self._analysis = how, analysis
        self._names = names_of_labels(how.classes, how.known_as, first=1)
        sought = {label_of_code(code, self._names) for code in looks_for}
        self._sought = {1} if len(how.classes) == 1 else sought - {None}

    def said(self, signed: Iterable[Signed]) -> tuple[list[Said], dict[str, str]]:
        """Where the findings of each report lie; left out are those that would teach that something is not there."""
        found, left, others = list[Said](), dict[str, str](), set[str]()
        for one in signed:
            call = one.call(self._analysis)
            told = self._told(one.results(), looked=call is not None, others=others)
            if told is None:
                continue
            if told.lacks:
                left[one.study] = told.lacks
                continue
            there = bool(told.regions)
            mode = str(call["mode"]) if call else _UNSEEN
            if there and not told.own:
                mode = _SEEN  # who kept the machine's outline has seen it, whatever they had said before
            found.append(Said(
                one.study, one.person, one.reader, one.time, mode, bool(call and call["machine"]), there,
                call["first"] if call and not there else None, own=told.own, answer=told.regions,
            ))  # fmt: skip
        if not any(s.final for s in found):
            self._refuse(len(found) + len(left), Counter(left.values()), others)
        return found, left

    def _told(self, results: Sequence[Result], *, looked: bool, others: set[str]) -> Told | None:
        """None where the report tells nothing of what the recipe outlines."""
        regions: dict[int, list[Region]] = {}
        bare, nameless, own = set[int](), False, False
        for finding, is_own in _counted(results, self._analysis):
            label = label_of(finding, self._names)
            if label is None:
                if finding.where is not None:
                    others.add(called(finding))
                nameless |= is_own and finding.what in GENERAL
            elif finding.where is None or finding.where.shape is not Shape.MASK or not finding.where.voxels:
                bare.add(label)
            else:
                regions.setdefault(label, []).append(finding.where)
                own |= is_own
        if not regions and not bare and not looked:
            return None
        return Told(regions, own, self._lacks(regions, bare, looked=looked, nameless=nameless))

    def _lacks(self, regions: Collection[int], bare: Collection[int], *, looked: bool, nameless: bool) -> str:
        """Why a report says less than it seems to; empty where it says all."""
        classes = self._how.classes
        if missing := sorted(bare):
            return f"'{classes[missing[0] - 1]}' is in the report without an outline"
        lacking = sorted(set(range(1, len(classes) + 1)) - set(regions))
        if not lacking:
            return ""
        if not self._how.may_lack:
            return f"no outline of '{classes[lacking[0] - 1]}'"
        if nameless:
            return "something is outlined that is not named"
        if unsought := [k for k in lacking if not looked or k not in self._sought]:
            return f"nobody looked for '{classes[unsought[0] - 1]}'"
        return ""

    def _refuse(self, reports: int, left: Mapping[str, int], others: Collection[str]) -> None:
        if not reports:
            return  # no report at all, which is said elsewhere
        if others and not any("without an outline" in why for why in left):
            raise Refused(
                f"no finding of {reports} signed reports is called {' or '.join(self._how.classes)}",
                f"outlined are {', '.join(sorted(others)[:8])}",
                "name these in the recipe: [known_as], such as \"SCT:39607008\" = 1",
            )  # fmt: skip
        why = "; ".join(f"{n}: {reason}" for reason, n in left.items())
        raise Refused(f"{reports} signed reports teach no outline", why or "all say that there is nothing",
                      "outline findings, or keep outlines of the analysis, and sign")  # fmt: skip

    def examples(self, told: Iterable[Said], agreement: float) -> tuple[list[Example], int]:
        """Readers are added up on whether anything is there; of those who prevail the latest of the weightiest outlines
        it."""
        return examples_of(told, agreement)

    def written(
        self, out: Path, examples: Sequence[Example], images: Images, told: Mapping[str, Any]
    ) -> dict[str, Any]:  # fmt: skip
        """``imagesTr`` and ``labelsTr`` with a NIfTI file each, numbered, as `outlined` reads them.

        Raises:
            Conflict: the folder holds something already. Refused: a label of the recipe is outlined nowhere.
        """
        facts = {**told, "overlapping": 0}

        def keep(example: Example, name: str) -> tuple[str, list[str], Sequence[str]]:
            volume, labels, digests, overlaps = self._drawn(example, images)
            facts["overlapping"] += overlaps
            file = f"imagesTr/{name}.nii.gz"
            for folder, array in (("imagesTr", np.asarray(volume.array, np.float32)), ("labelsTr", labels)):
                (out / folder).mkdir(exist_ok=True)
                wholly.write(out / folder / f"{name}.nii.gz", self._file(array, volume.geometry))
            return file, [self._how.classes[k - 1] for k in np.unique(labels).tolist() if k], digests

        report = laid(out, examples, self._how.classes, keep, facts)
        for name, n in report["by_class"].items():
            if not n:
                raise Refused(f"no outline of '{name}' in {report['n']} examples", "what is nowhere is not learnt",
                              "wait for reports that show it, or leave it out of the recipe")  # fmt: skip
        return report

    def _drawn(self, example: Example, images: Images) -> tuple[Volume, npt.NDArray[np.uint8], Sequence[str], int]:
        """Image, labels on its grid, digests of its files, and whether labels lie over each other."""
        regions: Mapping[int, Sequence[Region]] = example.answer
        every = [region for own in regions.values() for region in own]
        volume, digests = images(example.study, every[0] if every else None)
        volume = _grey(volume)
        flat = len(self._how.spacing_mm) == 2
        if flat != (volume.geometry.shape[0] == 1):
            raise Refused(f"{'a volume' if flat else 'a picture'} where the recipe is of "
                          f"{'pictures' if flat else 'volumes'}", "they are outlined by another network")  # fmt: skip
        labels, overlaps = np.zeros(volume.geometry.shape, np.uint8), False
        for label in sorted(regions):
            for region in regions[label]:
                mask = _on(region, volume.geometry)
                overlaps |= bool(np.setdiff1d(labels[mask], (0, label)).size)
                labels[mask] = label
        return volume, labels, digests, int(overlaps)

    def _file(self, array: npt.NDArray[Any], grid: Geometry) -> bytes:
        """NIfTI of a volume; of a picture with columns first and both axes against those of NIfTI, as ITK has it."""
        import gzip

        import nibabel

        if len(self._how.spacing_mm) == 3:
            image = nibabel.Nifti1Image(np.ascontiguousarray(array.transpose(2, 1, 0)), grid.ras_affine())
        else:
            down, across = self._how.spacing_mm if grid.reference is Reference.PIXEL else grid.spacing_mm[1:]
            image = nibabel.Nifti1Image(np.ascontiguousarray(array.transpose(2, 1, 0)), np.diag([-across, -down, 1, 1]))
        image.header.set_xyzt_units("mm")
        return gzip.compress(image.to_bytes(), 6, mtime=0)


def _counted(results: Sequence[Result], analysis: str) -> Iterable[tuple[Finding, bool]]:
    """Findings that stand and are of the analysis or of a person, and whether a person drew or changed them."""
    for result in results:
        if result.outcome is Outcome.DECLINED:
            continue
        for finding in result.findings:
            own = finding.verdict in _OWN or not result.machine.analysis
            if (
                finding.verdict is not Verdict.STRUCK
                and not finding.research
                and (own or result.machine.analysis == analysis)
            ):
                yield finding, own


def _grey(volume: Volume) -> Volume:
    """One value for each voxel: the mean of colours.

    Raises:
        Refused: several times, echoes or directions.
    """
    if not volume.axes:
        return volume
    if [axis.name for axis in volume.axes] != ["channel"]:
        raise Refused(f"a series with {', '.join(a.name for a in volume.axes)}", "it has several values at each place")
    return replace(volume, array=volume.array.astype(np.float32).mean(axis=0), axes=())


def _on(region: Region, grid: Geometry) -> npt.NDArray[np.bool_]:
    """A mask on the grid of an image; of another grid in its frame of reference by the nearest voxel.

    Raises:
        Refused: it lies in another frame of reference, or outside of the image.
    """
    from isocenter.space.resample import resample_region

    moved = region if region.geometry.same_grid(grid) else resample_region(region, grid)
    assert moved.mask is not None
    if not moved.voxels:
        raise Refused("an outline beside its image", "none of its voxels lies on it")
    return np.asarray(moved.mask, bool)
