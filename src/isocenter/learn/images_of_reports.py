"""On which image of a study something was said: an analysis may have looked at several, as at the views of a breast.

What the analysis said belongs to the image that it looked at, and so does what was marked there; what lies nowhere
belongs to the only image, where there is but one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from isocenter.record import Finding, Result

__all__ = ["digests_of", "image_of", "lies_on", "parted", "series_of"]

_FEW = 4  # files by which a picture is named among others of its series; a volume is its series


def image_of(result: Result) -> str:
    """The image that an answer is on: the first series that was looked at, and of few files these; empty for none."""
    looked = result.receipt
    if not looked.series:
        return ""
    return " ".join((looked.series[0], *(looked.inputs if len(looked.inputs) <= _FEW else ())))


def series_of(image: str) -> str:
    """The series of an image.

    >>> series_of("1.2.3 aa bb"), digests_of("1.2.3 aa bb"), digests_of("1.2.3")
    ('1.2.3', ['aa', 'bb'], [])
    """
    return image.split(" ")[0]


def digests_of(image: str) -> list[str]:
    """The files of an image, among others perhaps; none where it is its whole series."""
    return image.split(" ")[1:]


def lies_on(finding: Finding, image: str, images: Sequence[str]) -> bool:
    """Whether a finding lies on an image, and on no other of these."""
    where = finding.where.series_uid if finding.where is not None else ""
    return len(images) == 1 or [one for one in images if series_of(one) == where] == [image]


def parted(results: Sequence[Result], analysis: str) -> tuple[dict[str, list[Result]], list[Result]]:
    """What was said on each image that an analysis looked at, in their order, and what was said on none of them.

    Where it looked at none, or nothing tells at which, there is one image without a name.
    """
    images = list(dict.fromkeys(image_of(r) for r in results if r.machine.analysis == analysis)) or [""]
    found = {image: list[Result]() for image in images}
    nowhere = list[Result]()
    for result in results:
        if result.machine.analysis == analysis:
            found[image_of(result)].append(result)
            continue
        for image in images:
            on_it = tuple(f for f in result.findings if lies_on(f, image, images))
            if len(images) == 1 or on_it:
                found[image].append(result if len(images) == 1 else replace(result, findings=on_it, measurements=()))
        rest = tuple(f for f in result.findings if not any(lies_on(f, image, images) for image in images))
        if len(images) > 1 and (rest or result.measurements):
            nowhere.append(replace(result, findings=rest))
    return found, nowhere
