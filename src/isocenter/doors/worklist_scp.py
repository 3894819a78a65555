"""Modality Worklist as provider (PS3.4 annex K): what the scanners of a department are to do next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Protocol

from isocenter.dicom.match import project
from isocenter.dicom.model import Model
from isocenter.doors import commands
from isocenter.doors.service import Asked
from isocenter.errors import Refused
from isocenter.govern.policy import Person

__all__ = ["MODALITY_WORKLIST", "Worklist"]

MODALITY_WORKLIST: Final = "1.2.840.10008.5.1.4.31"


class _Orders(Protocol):
    def scheduled(self, keys: Mapping[str, Any], *, who: Person) -> Iterable[Model]: ...


class Worklist:
    """C-FIND of the worklist.

    Args:
        orders: `isocenter.site.ordering.Ordering`, or what answers like it.
    """

    classes = frozenset({MODALITY_WORKLIST})

    def __init__(self, orders: _Orders) -> None:
        self._orders = orders

    def answer(self, asked: Asked) -> None:
        """Every scheduled step that fits the keys, then success; 0xFE00 where the modality cancelled."""
        if asked.field != commands.C_FIND_RQ:
            return asked.respond(0x0211, "a worklist is only asked")
        try:
            keys = asked.model()
        except Refused as error:
            return asked.respond(0xA900, str(error))
        if not keys:
            return asked.respond(0xA900, "an empty identifier asks for nothing")
        asked.count("worklist")
        for item in self._orders.scheduled(keys, who=asked.who):
            if asked.cancelled():
                return asked.respond(0xFE00)
            made, complete = project(item, keys)
            asked.respond(0xFF00 if complete else 0xFF01, model=made)
        return asked.respond(0x0000)
