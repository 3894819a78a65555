"""What the header of an arriving image says, kept in the journal so that only who has the key of its study reads it.

An entry of the journal is never changed, and every backup has it. Of a study that is sealed the entry therefore holds
in the clear only what names bytes (UIDs, digests, sizes, the kind of the objects); who the patient is, what was
examined and every other word of the header stand sealed beside it. When the key of the study is destroyed they are
gone from the journal and from every copy of it, and its chain of hashes is whole all the same.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from typing import Any

from isocenter.errors import Erased, NotFound, Refused
from isocenter.record.plain import Plain, canonical
from isocenter.store.keyring import Keyring
from isocenter.store.master_key import unwrap, wrap

__all__ = ["closed", "opened"]

_SEALED = "sealed"
_OPEN_OF_SERIES = frozenset({"modality"})
_OPEN_OF_INSTANCE = frozenset({"study_uid", "series_uid", "sop_uid", "sop_class", "transfer_syntax", "digest", "size"})


def closed(details: Plain, key: tuple[bytes, bytes]) -> Plain:
    """The details of an `Kind.INSTANCES_RECEIVED` as the journal of a sealed study holds them.

    Args:
        details: ``study``, ``series``, ``instances``.
        key: name and key of the study, as `Keyring.of` gives them.
    """
    name, secret = key
    study_uid = str(details["study"]["uid"])
    sealed = wrap(secret, zlib.compress(canonical(details), 6), _purpose(name, study_uid))
    return Plain(
        study=_blank(details["study"], frozenset({"uid"})),
        series={uid: _blank(one, _OPEN_OF_SERIES) for uid, one in details["series"].items()},
        instances=[_blank(one, _OPEN_OF_INSTANCE) for one in details["instances"]],
        sealed={"key": name.hex(), "words": base64.b64encode(sealed).decode()},
    )


def opened(details: Mapping[str, Any], keyring: Keyring | None, *, gone: bool = False) -> Mapping[str, Any]:
    """The details as they came; of a study whose key was destroyed what stands in the clear.

    Args:
        details: of an `Kind.INSTANCES_RECEIVED`, sealed or not.
        keyring: of the archive.
        gone: a later entry says that the study was erased; then nobody needs its key.

    Raises:
        Refused: there are no keys, the master key is missing, or what is sealed was changed.
        NotFound: these keys never had the one of this study.
    """
    told = details.get(_SEALED)
    if told is None:
        return details
    if keyring is None:
        raise Refused(
            "an entry of the journal is sealed", "the keys of the archive are not here",
            "open it with its folder of keys and ISOCENTER_MASTER_KEY",
        )  # fmt: skip
    name = bytes.fromhex(str(told["key"]))
    try:
        secret = keyring.key(name)
    except Erased:
        return details
    except NotFound:
        if gone:
            return details
        raise
    sealed = unwrap(secret, base64.b64decode(told["words"]), _purpose(name, str(details["study"]["uid"])))
    words: Mapping[str, Any] = json.loads(zlib.decompress(sealed))
    return words


def _blank(told: Mapping[str, Any], clear: frozenset[str]) -> dict[str, Any]:
    """The same names with nothing said under those that are not clear."""
    return {name: value if name in clear else _nothing(value) for name, value in told.items()}


def _nothing(value: Any) -> Any:
    if isinstance(value, str):
        return ""
    if isinstance(value, Mapping):
        # The words of a patient have names of their own, those of a header are its very content.
        return {name: _nothing(one) for name, one in value.items()} if "issuer" in value else {}
    return 0 if isinstance(value, int) and not isinstance(value, bool) else None


def _purpose(name: bytes, study_uid: str) -> bytes:
    return b"isocenter words of an arrival " + name + study_uid.encode("utf-8", "surrogatepass")
