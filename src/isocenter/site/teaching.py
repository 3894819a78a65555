"""Training examples out of one archive: what readers signed, of those whose terms of use allow it.

Nothing of a study goes in that somebody may still read blind. The images come from the series that the analysis had
looked at, and the event says how many examples went out, of which studies, and under which digest. Before a model
learns from them the terms of use are asked again, and the journal keeps what it learnt from: a withdrawal names it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isocenter import wholly
from isocenter.analysis import weights
from isocenter.errors import NotFound, Refused
from isocenter.govern.consent import Purpose, Use
from isocenter.govern.policy import Person, must
from isocenter.learn.from_readings import AGREEMENT, MOST, capped, influence, rehearsed
from isocenter.learn.kinds import Boxes, Classes, Masks, Recipe, Structures, Table
from isocenter.learn.recipe_files import recipe_text
from isocenter.learn.recipes import OWN_TRAINING, RECIPES, recipe_behind, taught_by
from isocenter.learn.rehearsed_pairs import rehearsed_pairs
from isocenter.learn.rehearsed_rows import rehearsed_rows
from isocenter.learn.signed_reports import Signed
from isocenter.learn.teachers import teacher_of
from isocenter.record import Code, Cohort, Event, Kind
from isocenter.site.consenting import RECORD_TERMS, Consenting
from isocenter.site.disclosing import Disclosing
from isocenter.site.reports_to_learn import ReportsToLearn

if TYPE_CHECKING:
    from isocenter.analysis.registry import Registry
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["Teaching"]

_ALL = 10_000_000


@dataclass
class Teaching:
    """What one archive can teach.

    Args:
        reports: what was signed, and the images that it speaks of.
        shelf: folder of the site's own weights, or empty.
    """

    index: Index
    journal: Journal
    reports: ReportsToLearn
    disclosing: Disclosing
    consents: Consenting
    clock: Callable[[], datetime]
    registry: Registry
    shelf: str = ""

    def examples(
        self, analysis: str, out: Path, *, who: Person, task: str = "", use: Use | None = None,
        agreement: float = AGREEMENT, without: Collection[str] = (), not_by: Collection[str] = (),
        rehearse: Path | None = None, share: float = 0.3, cohort: Cohort | None = None,
        most: float = MOST,
    ) -> dict[str, Any]:  # fmt: skip
        """Write a training set of an analysis' question into a folder that `train` reads.

        Args:
            analysis: its name; or that of a recipe of outlines or boxes, which then learns from all that was signed.
            task: the recipe that shall learn; where nothing is said, that of the analysis' weights.
            use: what for; training by this person where nothing is said.
            agreement: weight of a label that agrees with a machine whose answer had been seen.
            without: Study Instance UIDs that stay out, such as those of a sealed test.
            not_by: readers whose labels are not taken.
            rehearse: folder of earlier examples; share: part of the whole that they shall be.
            cohort: only its members; all that is signed where nothing is said.
            most: largest part of the weight that one reader may give alone; see `from_readings.capped`.

        Raises:
            NotFound: there is no such analysis and no report on it, or it has no recipe and none is named.
            Refused: no signed report says anything of it, the terms of use close all of them, or one class is left.
        """
        must(who, "train")
        signed = self.reports.signed()
        asked = taught_by(task) if task else None
        by_hand = isinstance(asked, Masks | Boxes) and asked.task == analysis  # what readers drew needs no analysis
        if not by_hand and not any(one.call(analysis) for one in signed):  # one that was taken away since still teaches
            self.registry.get(analysis)
        how = asked or self._own_recipe(analysis)
        # one of the house's own lies on the card of its weights
        own = None if task or how.task in RECIPES or isinstance(how, Structures) else how
        task = str(out / "recipe.toml") if own is not None else task or how.task
        of_places = isinstance(how, Masks | Boxes | Structures)
        teacher = teacher_of(how, analysis, self._looks_for(analysis))
        may_be_asked = self._askable(signed, who, without, not_by, cohort)
        told, lacking = teacher.said(may_be_asked)
        left = Counter(why for uid, why in lacking.items() if uid not in {t.study for t in told})
        if not told:
            whose = f" in the cohort '{cohort.name}'" if cohort is not None else ""
            raise Refused(
                f"no signed report on {analysis}{whose}", _because(left) or "there is nothing to learn from",
                "wait until some are",
            )  # fmt: skip
        studies = {uid: self.index.study(uid) for uid in {t.study for t in told}}
        purpose = use or self.consents.use(Purpose.TRAINING, who=who)
        open_, closed = self.consents.sifted(studies.values(), purpose)
        may = {study.uid for study in open_}
        before = self._earlier(rehearse, purpose, who)
        made, torn = teacher.examples((s for s in told if s.study in may), agreement)
        if not made:
            why = f"most because {closed[0][0]}" if closed else "readers outweigh each other"
            raise Refused(f"none of {len(studies)} studies may be learnt from", why, RECORD_TERMS)
        made, scaled = capped(made, most)
        report = teacher.written(
            out, made, lambda uid, on=None, image="": self.reports.image(studies[uid], analysis, on, image),
            {"analysis": analysis, "task": task, "agreement": agreement, "closed": dict(closed), "left": dict(left),
             "cohort": cohort.name if cohort is not None else "", "readers_apart": torn,
             "silent": len(self._silent(analysis, {one.study for one in may_be_asked} - set(studies) - set(lacking))),
             "readers": dict(sorted(Counter(r for e in made for r in e.readers).items())),
             "influence": {r: round(part, 4) for r, part in influence(made).items()}, "scaled": scaled},
        )  # fmt: skip
        if own is not None:
            wholly.write(out / "recipe.toml", recipe_text(own))
        if rehearse is not None:
            of_rows = isinstance(how, Table) or (isinstance(how, Classes) and how.several)
            mix = rehearsed_pairs if of_places else rehearsed_rows if of_rows else rehearsed
            mixed = mix(out, rehearse, share)
            report["rehearsed"] = {"n": mixed, "share": share}
        details = {k: report[k] for k in ("n", "people", "by_class", "by_mode", "closed", "digest", "agreement")}
        details |= {"studies": sorted({e.study for e in made} | before), "use": _plain(purpose)}
        if cohort is not None:
            details["cohort"] = cohort.name
        self.journal.append(Event(Kind.EXAMPLES_TAKEN, self.clock(), who.name, analysis, details))
        return report

    def _askable(
        self, signed: Sequence[Signed], who: Person, without: Collection[str], not_by: Collection[str],
        cohort: Cohort | None,
    ) -> list[Signed]:  # fmt: skip
        """Reports whose studies this person may learn from, and that nobody may still read blind."""
        out, apart, blind = set(without), set(not_by), set(self.disclosing.blinded(who))
        members = None if cohort is None else set(cohort.members)
        held = self.disclosing.sieve(who, "train")
        return [
            one for one in signed
            if one.study not in out | blind and one.reader not in apart and (members is None or one.study in members)
            and held(one.study)
        ]  # fmt: skip

    def _looks_for(self, analysis: str) -> frozenset[Code]:
        known = self.registry.analyses.get(analysis)
        return frozenset(y.what for y in getattr(known, "yields", ()) if y.what is not None)

    def _silent(self, analysis: str, untold: Collection[str]) -> list[str]:
        """Of studies of which no report told anything those on which the analysis was asked: mostly it declined."""
        heads = self.index.result_heads(sorted(untold), replaced=True) if untold else {}
        return sorted(uid for uid, rows in heads.items() if any(row["name"] == analysis for row in rows))

    def _own_recipe(self, analysis: str) -> Recipe | Structures:
        """The recipe by which an analysis' own weights were trained: one that ships, or the one on their card."""
        known = self.registry.analyses.get(analysis)
        name = str(getattr(known, "weights", "")) or analysis
        if name in RECIPES or name in OWN_TRAINING:
            return taught_by(name)
        held = weights.models(Path(self.shelf) if self.shelf else None).get(name)
        if held is not None and held[0].card.get("training", {}).get("recipe"):
            return recipe_behind(held[0])
        with_own = [n for n, a in self.registry.analyses.items() if getattr(a, "weights", "") in RECIPES]
        raise NotFound(
            f"a recipe of the analysis '{analysis:.64}'",
            f"none has its name; analyses with one of their own are {', '.join(with_own) or 'none'}",
            "name the recipe that shall learn with --task: one that `isocenter recipe` lists, or a .toml file",
        )

    def may_learn(self, data: Path, *, who: Person, purpose: Purpose = Purpose.TRAINING) -> tuple[list[str], Use]:
        """The studies behind a folder of `examples` and the use that was asked for, after asking again for each.

        Raises:
            NotFound: it is no such folder. Refused: another archive wrote it, it was taken for another purpose, or the
                terms of use of a study have ended since.
        """
        must(who, "train")
        file = data / "examples.json"
        if not file.is_file():
            raise NotFound(f"no examples.json in '{data}'", "it is not known whose images they are",
                           "take examples from the archive: isocenter examples take")  # fmt: skip
        digest = str(json.loads(file.read_text("utf-8")).get("digest", ""))
        taken = self.journal.since(kinds=(Kind.EXAMPLES_TAKEN,), limit=_ALL, newest_first=True)
        told = next((s.event.details for s in taken if s.event.details.get("digest") == digest), None)
        if told is None or "studies" not in told:
            raise Refused(
                f"examples of digest {digest[:12]}…", "this archive does not know of which studies they are",
                "name the archive that wrote them, or take them again",
            )  # fmt: skip
        use = _use(told["use"])
        if use.purpose is not purpose:
            raise Refused(
                f"examples that were taken for {use.purpose}", f"nobody was asked about {purpose}",
                f"take them again: isocenter examples take … --purpose {purpose}",
            )  # fmt: skip
        studies = [self.index.study(uid) for uid in told["studies"] if self._here(uid)]
        _, closed = self.consents.sifted(studies, use)
        if closed or len(studies) < len(told["studies"]):
            n = sum(k for _, k in closed) + len(told["studies"]) - len(studies)
            raise Refused(
                f"{n} of {len(told['studies'])} studies", closed[0][0] if closed else "they are not here any more",
                "take the examples again without them: isocenter examples take",
            )  # fmt: skip
        return list(told["studies"]), use

    def taught(
        self, name: str, version: str, digest: str, data: Path, *, who: Person, purpose: Purpose = Purpose.TRAINING
    ) -> int:
        """Keep of which studies a model learnt that was trained on a folder of `examples`; how many they are.

        Raises:
            NotFound, Refused: as `may_learn`; a model that learnt from what was withdrawn meanwhile must not be kept.
        """
        studies, use = self.may_learn(data, who=who, purpose=purpose)
        self.consents.taught(name, version, studies, who=who, use=use, digest=digest)
        return len(studies)

    def _earlier(self, rehearse: Path | None, use: Use, who: Person) -> set[str]:
        """Studies of earlier examples that are mixed in; images that no archive gave have none."""
        if rehearse is None or not (rehearse / "examples.json").is_file():
            return set()
        return set(self.may_learn(rehearse, who=who, purpose=use.purpose)[0])

    def _here(self, uid: str) -> bool:
        return bool(self.index.studies({"StudyInstanceUID": uid}, limit=1))


def _because(left: Mapping[str, int]) -> str:
    return "; ".join(f"{n}: {why}" for why, n in sorted(left.items(), key=lambda one: -one[1]))


def _plain(use: Use) -> dict[str, Any]:
    return {k: sorted(v) if isinstance(v, frozenset) else v for k, v in asdict(use).items()}


def _use(said: Mapping[str, Any]) -> Use:
    told: dict[str, Any] = {k: frozenset(v) if isinstance(v, list) else v for k, v in said.items()}
    return Use(**told | {"purpose": Purpose(str(said["purpose"]))})
