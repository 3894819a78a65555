"""Peers asked for studies, and to send one here: the DIMSE side of `isocenter.site.fetching`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from isocenter.doors.dimse_scu import Peer, find, move

__all__ = ["Elsewhere"]

_PATIENCE_S = 10.0  # for each message of a peer that is only asked what it has


@dataclass(frozen=True)
class Elsewhere:
    """Studies at peers, by C-FIND and C-MOVE (Study Root).

    Args:
        called: where a peer of the archive listens.
        aet: our AE title, which the peer must know with our address: it sends there.
    """

    called: Callable[[Mapping[str, Any]], Peer]
    aet: str

    def find(self, peer: Mapping[str, Any], keys: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
        """Studies that match."""
        return find(self.called(peer), "STUDY", keys, calling=self.aet, timeout_s=_PATIENCE_S)

    def move(self, peer: Mapping[str, Any], study_uid: str, told: Callable[[int, int], None]) -> tuple[int, int, str]:
        """Instances that came, that failed, and what the peer said."""
        keys = {"StudyInstanceUID": study_uid}
        ended = move(self.called(peer), "STUDY", keys, to=self.aet, calling=self.aet, told=told)
        why = ended.comment or ("" if ended.status == 0 else f"status 0x{ended.status:04X}")
        return ended.completed + ended.warnings, ended.failed, why
