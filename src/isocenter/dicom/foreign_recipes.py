"""Recipes of other de-identifiers: `deid` (pydicom) and CTP (RSNA), scripts of attributes and of places in pixels.

What such a file asks for is taken over where it can be done here, on top of the table and never instead of it:
attributes kept, emptied and removed, constants over what the table takes away, places that are blanked where a header
fits, objects that go to a person. Each line that cannot be taken over is told with its reason; nobody guesses what was
meant. Pseudonyms and dates are made here alone (keyed, consistent, intervals kept).

Formats: pydicom.github.io/deid (recipe-headers, recipe-filters), mircwiki.rsna.org (The CTP DICOM Anonymizer, The CTP
DICOM Pixel Anonymizer).
"""

from __future__ import annotations

import re
from pathlib import Path

from isocenter.dicom.recipe_ctp import read_places, read_script
from isocenter.dicom.recipe_deid import read_deid
from isocenter.dicom.recipe_wishes import Recipe
from isocenter.errors import Refused

__all__ = ["read_recipe", "recipe_of"]

_LARGEST = 4 << 20  # bytes of a recipe


def read_recipe(path: Path) -> Recipe:
    """Read a recipe from a file; see `recipe_of`."""
    return recipe_of(path.read_bytes())


def recipe_of(data: bytes) -> Recipe:
    """Read a recipe; which kind it is, its content says.

    Raises:
        Refused: it is none of these kinds, or too large.
    """
    if len(data) > _LARGEST:
        raise Refused(f"a recipe of {len(data)} bytes", f"more than {_LARGEST} are no recipe", "name another file")
    words = data.decode("utf-8", "replace")
    if re.match(r"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<script", words, re.DOTALL):
        return read_script(data)
    elif re.search(r"^\s*FORMAT\s+dicom\b", words, re.MULTILINE | re.IGNORECASE):
        return read_deid(data)
    elif re.search(r"\{[^{}]*\.[a-zA-Z]+\([^{}]*\}\s*\(", words):
        return read_places(data)
    raise Refused(
        "a recipe of no known kind", "it begins neither with FORMAT dicom nor with <script>, and has no { conditions }"
        " followed by regions", "give a recipe of deid or a script of CTP",
    )  # fmt: skip
