"""The cases behind a figure of a model, to be opened in the reading room where their study is here.

They are those of the sealed test, those of the validation that its training claims (`isocenter.learn.tested.laid`), or
those on which `judge` measured it here.

A case is told only of a study whose report is signed and for which the asker may ask: what somebody may still read
blind and what lies in another's project is counted with those that are in no archive, and nothing says which it is. Of
these the predictions stand alone, without image, day or group, and where they are fewer than ten not at all: else one
study that waits for its reader could be told by what is missing.
Whoever sees single cases of a sealed test could make a model that fits them: each such look is written down before
anything is shown, and counted beside the test for everybody who weighs its figures.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from isocenter.errors import NotFound
from isocenter.govern.policy import Person, must
from isocenter.learn.tested import PICKS, digest_of_case, picked, read
from isocenter.methods.subgroups import FEW
from isocenter.record import Model
from isocenter.site.disclosing import Disclosing
from isocenter.site.gating import Gating

if TYPE_CHECKING:
    from isocenter.store.blobs import Blobs
    from isocenter.store.index import Index

__all__ = ["CLAIMED", "Evidencing"]

_PAGE = 200  # cases that are told at once, the most wrong first
_ALONE = ("truth", "said", "score", "right", "declined")
_TOLD = (*_ALONE, "groups")
CLAIMED = "claimed"


@dataclass(frozen=True)
class Evidencing:
    """Test cases of the models of one archive.

    Args:
        opened: (who, model, digest of its weights, digest of the test) -> None: writes down who saw single cases.
        look: (who, study) -> None: writes down that somebody was shown what a machine said of a study.
    """

    index: Index
    blobs: Blobs
    gating: Gating
    disclosing: Disclosing
    opened: Callable[[Person, str, str, str], None]
    look: Callable[[Person, str], None]

    def cases(
        self, name: str, of: str = "all", *, by: str = "", group: str = "", bin: int = -1, on: str = "",
        start: int = 0, who: Person,
    ) -> dict[str, Any]:  # fmt: skip
        """Cases behind one figure, the most wrong first.

        Args:
            of: which, a name of `isocenter.learn.tested.PICKS`.
            by, group: only those of one group of people. bin: only those of one filled bin of the calibration.
            on: empty for the last look at the sealed test, `CLAIMED` for what its training claims, or the digest of
                the data on which `judge` measured it here.
            start: how many are left out before a page of 200.

        Returns:
            ``{"model", "digest", "test", "of", "words", "n", "elsewhere", "start", "page", "cases": [{"study", "date",
            "modalities", "truth", "said", "score", "right", "declined", "groups"}], "alone": [{"truth", "said",
            "score", "right", "declined"}], "withheld"}``: `test` is the digest of the data; of the `n` cases
            `elsewhere` are in no study that the asker may be told of, and `alone` are a page of their predictions,
            which are withheld where all cases elsewhere are fewer than ten.

        Raises:
            NotFound: no such model, it was not measured so here, or the cases of that were not kept.
            Refused: no figure is about such cases, or the group is too small to be opened.
            Unavailable: the look could not be written down.
        """
        must(who, "test_cases", name)
        model = self.gating.model(name)
        data, lines = self._lines(model, on)
        some = picked(lines, of, by=by, group=group, bin=bin)
        if not on or self.gating.sealed_for(data, who=who):
            self.opened(who, name, model.digest, data)
        told, alone = self._told(some, who)
        withheld = len(self._told(lines, who)[1]) < FEW
        page = slice(start, start + _PAGE)
        for case in told[page]:
            self.look(who, case["study"])
            study = self.index.study(case["study"])
            case |= {"date": study.date.isoformat() if study.date else None, "modalities": list(study.modalities)}
        return {
            "model": name, "digest": model.digest, "test": data, "of": of, "words": PICKS[of], "n": len(some),
            "elsewhere": len(alone), "start": start, "page": _PAGE, "cases": told[page],
            "alone": [] if withheld else alone[page], "withheld": withheld and len(alone) > 0,
        }  # fmt: skip

    def _lines(self, model: Model, on: str) -> tuple[str, list[Mapping[str, Any]]]:
        """The digest of the data of a measurement, and the cases behind it."""
        if on == CLAIMED:
            lines = read(self.gating.beside(model.name), model)
            return str(model.evidence["cases"].get("data", "")), list(lines)
        if on:
            held: Mapping[str, Any] = next((m for m in self.gating.measured(model) if m["data"] == on), {})
            data, absent, do = on, "they were not measured on these data here", "judge"
        else:
            held = self.disclosing.gates().of(model.digest).judged
            data, absent, do = str(held.get("test", "")), "they were measured on no sealed test here", "release"
        if not held.get("cases"):
            why = "the cases of that look were not kept" if held else absent
            raise NotFound(
                f"{'test ' if do == 'release' else ''}cases of these weights of {model.name:.64}", why,
                f"measure it, which keeps them: isocenter {do} {model.name:.64} --data FILE --folder ARCHIVE",
            )  # fmt: skip
        return data, json.loads(self.blobs.get(str(held["cases"])))["cases"]

    def _told(
        self, lines: Sequence[Mapping[str, Any]], who: Person
    ) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        """Those of a study of which its reader may be told, and the predictions of all others."""
        held, found = self.disclosing.sieve(who, "results"), self.index.studies_of([digest_of_case(x) for x in lines])
        uids = {uid for uid in found.values() if held(uid)}
        states = self.index.readings(sorted(uids)) if uids else {}
        free = {u for u in uids if self.disclosing.free(u, who, state=str(states.get(u, {}).get("state", "waiting")))}
        told, alone = [], []
        for line in lines:
            if (uid := found.get(digest_of_case(line), "")) in free:
                told.append({"study": uid, **{k: line[k] for k in _TOLD}})
            else:
                alone.append({k: line[k] for k in _ALONE})
        return told, alone
