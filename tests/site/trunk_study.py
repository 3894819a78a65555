"""A PET/CT of a trunk with its structures, as files, and as a study with its files by digest: made once for all."""

from __future__ import annotations

import functools
import hashlib

from isocenter.dicom.header import merge, read_header
from isocenter.record import Study
from isocenter.testing.phantoms import Person, Phantom, pet_ct


@functools.cache
def trunk() -> Phantom:
    return pet_ct.patient(person=Person("P", "PHANTOM^TRUNK", "F", "19610214", 1.66, 68.0))


@functools.cache
def kept() -> tuple[Study, dict[str, bytes]]:
    (study,) = merge(read_header(d) for d in trunk().files)
    return study, {hashlib.sha256(d).hexdigest(): d for d in trunk().files}
