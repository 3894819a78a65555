"""The test cases behind a figure of a model, to be opened in the reading room where their study is here.

A case is told only of a study whose report is signed and for which the asker may ask: what somebody may still read
blind and what lies in another's project is counted with those that are in no archive, and nothing says which it is.
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
from isocenter.learn.tested import PICKS, digest_of_case, picked
from isocenter.site.disclosing import Disclosing
from isocenter.site.gating import Gating

if TYPE_CHECKING:
    from isocenter.store.blobs import Blobs
    from isocenter.store.index import Index

__all__ = ["Evidencing"]

_MOST = 200  # cases that are told at once, the most wrong
_TOLD = ("truth", "said", "score", "right", "declined", "groups")


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
        self, name: str, of: str = "all", *, by: str = "", group: str = "", bin: int = -1, who: Person
    ) -> dict[str, Any]:
        """Cases behind one figure of the last look at the sealed test, the most wrong first.

        Args:
            of: which, a name of `isocenter.learn.tested.PICKS`.
            by, group: only those of one group of people. bin: only those of one filled bin of the calibration.

        Returns:
            ``{"model", "digest", "test", "of", "words", "n", "elsewhere", "cases": [{"study", "date", "modalities",
            "truth", "said", "score", "right", "declined", "groups"}]}``: of the `n` cases `elsewhere` are in no study
            that the asker may be told of; at most 200 `cases`.

        Raises:
            NotFound: no such model, it was not measured here, or the cases of that look were not kept.
            Refused: no figure of the test is about such cases, or the group is too small to be opened.
            Unavailable: the look could not be written down.
        """
        must(who, "test_cases", name)
        model = self.gating.model(name)
        judged = self.disclosing.gates().of(model.digest).judged
        if not judged.get("cases"):
            why = "the cases of that look were not kept" if judged else "they were measured on no sealed test here"
            raise NotFound(
                f"test cases of these weights of {name:.64}", why,
                f"isocenter release {name:.64} --data FILE measures it and keeps them",
            )  # fmt: skip
        some = picked(json.loads(self.blobs.get(judged["cases"]))["cases"], of, by=by, group=group, bin=bin)
        self.opened(who, name, model.digest, str(judged["test"]))
        told = self._told(some, who)
        for case in told[:_MOST]:
            self.look(who, case["study"])
            study = self.index.study(case["study"])
            case |= {"date": study.date.isoformat() if study.date else None, "modalities": list(study.modalities)}
        return {
            "model": name, "digest": model.digest, "test": judged["test"], "of": of, "words": PICKS[of], "n": len(some),
            "elsewhere": len(some) - len(told), "cases": told[:_MOST],
        }  # fmt: skip

    def _told(self, lines: Sequence[Mapping[str, Any]], who: Person) -> list[dict[str, Any]]:
        """Those of a study of which its reader may be told."""
        held, found = self.disclosing.sieve(who, "results"), self.index.studies_of([digest_of_case(x) for x in lines])
        uids = {uid for uid in found.values() if held(uid)}
        states = self.index.readings(sorted(uids)) if uids else {}
        free = {u for u in uids if self.disclosing.free(u, who, state=str(states.get(u, {}).get("state", "waiting")))}
        studies = [found.get(digest_of_case(line), "") for line in lines]
        return [
            {"study": uid, **{k: line[k] for k in _TOLD}}
            for uid, line in zip(studies, lines, strict=True)
            if uid in free
        ]
