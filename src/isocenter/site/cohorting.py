"""Cohorts of one archive: a question asked now, its members frozen on a day, and their table taken out with a receipt.

Of people who read, a cohort sees studies whose report is signed: a number of a study that somebody may still read with
their own eyes first is in no table. What is frozen is kept by its digest and never changes; who may no longer be seen,
or is no longer here, is missing from its table and counted.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from isocenter.dicom.alike import SMALLEST_GROUP, age_band, must_be_alike, risk
from isocenter.dicom.pseudonyms import Pseudonyms
from isocenter.dicom.published import is_kind_of_image
from isocenter.errors import LimitReached, NotFound, Refused
from isocenter.govern.consent import Purpose, Use
from isocenter.govern.policy import Person, may, must
from isocenter.population import coarse, events, groups, percentiles, table, tags
from isocenter.population.table import Measured, Member
from isocenter.record import Cohort, Event, Kind, Study, canonical, from_plain
from isocenter.site.consenting import RECORD_TERMS, Consenting
from isocenter.site.counting import Counting
from isocenter.site.disclosing import Disclosing, unbound
from isocenter.site.questioning import Questioning

if TYPE_CHECKING:
    from isocenter.store.blobs import Blobs
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["Cohorting"]

_MOST = 20_000  # studies of one table
_ALL = 10_000_000
_SIGNED = ("signed", "amending")
_ROWS = 200  # that a page shows; an export has all
_PLOTS = 24  # on one page; a question narrows to others
Closed = list[tuple[str, int]]
"""Reasons for which studies may not be used, with how many."""
Listed = tuple[Study, tuple[str, ...], int]
"""A study with its modalities and the number of its images."""

_SEXES = frozenset({"M", "F", "O"})


@dataclass
class Cohorting:
    """What one archive can be asked of many studies.

    Args:
        searched: (who, level, keys) -> None: writes down who asked, and by which fields, never by which values.
    """

    index: Index
    journal: Journal
    blobs: Blobs
    disclosing: Disclosing
    clock: Callable[[], datetime]
    consents: Consenting
    secret: Callable[[str], bytes]
    searched: Callable[[Person, str, Collection[str]], None]
    counting: Counting = field(default_factory=Counting)

    def __post_init__(self) -> None:
        self.questions = Questioning(self.journal, self.clock)
        self._lock = threading.Lock()
        self._numbers: dict[str, Measured] = {}  # by digest, which never changes

    def ask(self, q: str, *, field: str = "", by: str = "", use: Use | None = None, who: Person) -> dict[str, Any]:
        """Who meets a question now: how many, the ledger of those who do not, fields, and the figures of one field.

        Whoever may see no single study is told of people in tens, and of no row (`isocenter.population.coarse`).

        Args:
            use: what for, research by this person where nothing is said; whoever may not be used so is left out.

        Raises:
            Refused: something in the question is no condition, or a field that no study has.
            Unavailable: the question could not be written down.
            TooOften: of whoever may see no single study, for more groups of people than that (see `questioning`).
        """
        must(who, "cohorts")
        listed, unsigned = self._listed(who)
        everybody, closed = self._usable(listed, who, use)
        if not may(who, "cohort_rows"):
            tens = coarse.Tens(self.secret("cohort counts"))
            told = coarse.asked(everybody, q, field, by, tens)
            self.questions.spend(tens.groups, who)
            self._ask(q, who)
            stays = self.consents.demonstrated()
            phantoms = len({m.patient for m in everybody if m.study in stays})
            told |= {"closed": _coarse_closed(closed), "few": table.FEW, "demonstrated": coarse.rounded(phantoms) or 0}
            return {**told, "rows": [], "may_see_rows": False}
        kept, ledger = table.narrow(everybody, table.filters(q))
        self._ask(q, who)
        told = {**self._told(kept, field, by), "of": len(everybody), "ledger": _ledger(ledger), "q": q}
        return {**told, "closed": _closed(closed), "unsigned": unsigned}

    def contrast(self, by: str = "", one: str = "", other: str = "", *, who: Person, **of: str) -> dict[str, Any]:
        """Two groups of people beside each other, field by field; without groups, those that can be chosen.

        Args:
            of: which studies: `q`, a question, or `id` of a frozen cohort.

        Raises:
            Refused: the same group twice, or fewer than ten people in one.
        """
        must(who, "cohort_rows")
        kept, _, closed = self._asked_of(who, **of)
        choices = [one for one in groups.choices(kept) if len(one["values"]) > 1]  # one group has none beside it
        told = {"choices": choices, "closed": _closed(closed), "n": len(kept)}
        return {**told, **groups.contrasted(kept, by, one, other)} if by else told

    def survival(self, event: str = "", by: str = "", *, who: Person, **of: str) -> dict[str, Any]:
        """Time from each person's first study to the first later one that meets a condition.

        Raises:
            Refused: something in it is no condition, or fewer than ten people can be followed.
        """
        must(who, "cohort_rows")
        kept, everybody, closed = self._asked_of(who, **of)
        told = {"choices": groups.choices(kept), "fields": table.fields(kept), "closed": _closed(closed)}
        return {**told, **events.survived(kept, everybody, table.filters(event), by)} if event else told

    def plots(self, *, who: Person, only: Collection[str] = (), **of: str) -> dict[str, Any]:
        """The figures of fields beside each other: histograms of numbers, counts of words.

        Args:
            only: names of fields; of those that no study here has, nothing is told. Empty for the first of all.
        """
        must(who, "cohorts")
        if not may(who, "cohort_rows"):
            if of.get("id"):
                must(who, "cohort_rows")
            members, out = self._members(who)
            tens = coarse.Tens(self.secret("cohort counts"))
            told = coarse.plots(members, of.get("q", ""), _PLOTS, tens, only=only)
            self.questions.spend(tens.groups, who)
            self._ask(of.get("q", ""), who)
            return {**told, "closed": _coarse_closed(out)}
        kept, _, closed = self._asked_of(who, **of)
        known = [f for f in table.fields(kept) if not only or f["name"] in only]
        charts = [{**f, **table.chart(kept, f["name"])} for f in known[:_PLOTS]]
        return {"n": len(kept), "charts": charts, "more": max(0, len(known) - _PLOTS), "closed": _closed(closed)}

    def percentile(
        self, field: str = "", value: float = 0.0, age: float | None = None, sex: str = "", *, who: Person, **of: str
    ) -> dict[str, Any]:
        """Where one value stands among the people of a cohort; without a field, those that can be chosen.

        Raises:
            Refused: a field that is no number, or too few people for a percentile.
        """
        must(who, "cohort_rows")
        kept, _, closed = self._asked_of(who, **of)
        told = {"fields": [f for f in table.fields(kept) if f["kind"] == "number"], "closed": _closed(closed)}
        told |= {"sexes": next((c["values"] for c in groups.choices(kept) if c["name"] == "sex"), [])}
        return {**told, **percentiles.placed(kept, field, value, age=age, sex=sex)} if field else told

    def learned(self, *, who: Person, **of: str) -> dict[str, Any]:
        """What was learned from studies of a cohort, and of how many more a model may learn.

        Returns:
            open: studies whose terms of use allow training by this person; closed: why others may not; taken:
            training sets that have studies of it; models: those that learned from any.
        """
        must(who, "cohort_rows")
        kept, _, _ = self._asked_of(who, **of)
        uids = {m.study for m in kept}
        studies = [study for study, _, _ in self.index.listed(sorted(uids))] if uids else []
        open_, closed = self.consents.sifted(studies, self.consents.use(Purpose.TRAINING, who=who))
        taken = []
        for s in self.journal.since(kinds=(Kind.EXAMPLES_TAKEN,), limit=_ALL, newest_first=True):
            if n := len(uids & set(s.event.details.get("studies", ()))):
                taken.append({
                    "analysis": s.event.subject, "when": s.event.time.isoformat(), "by": s.event.who,
                    "n": s.event.details.get("n"), "of_these": table.count_of(n),
                    "by_class": s.event.details.get("by_class", {}), "digest": s.event.details.get("digest", ""),
                })  # fmt: skip
        return {
            "n": len(uids), "open": table.count_of(len(open_)) if open_ else 0, "closed": _closed(closed),
            "few": table.FEW, "taken": taken, "models": self.consents.learned(uids) if uids else [],
        }  # fmt: skip

    def _asked_of(self, who: Person, *, q: str = "", id: str = "") -> tuple[list[Member], list[Member], Closed]:
        """Studies of a question, or of a frozen cohort; all that may be used of those people; and what may not."""
        everybody, closed = self._members(who)
        if id:
            kept = self._frozen(id, who)[1]
        else:
            kept, _ = table.narrow(everybody, table.filters(q))
            self._ask(q, who)
        people = {m.patient for m in kept}
        return kept, [m for m in everybody if m.patient in people], closed

    def freeze(self, name: str, q: str, *, use: Use | None = None, who: Person) -> str:
        """Keep who meets a question today, under a name; its digest.

        Raises:
            Refused: without a name, or nobody meets it.
        """
        must(who, "cohort_rows")
        if not name.strip():
            raise Refused("a cohort without a name", "nobody could ask for it again", "give it one")
        everybody, closed = self._members(who, use=use)
        kept, ledger = table.narrow(everybody, table.filters(q))
        if not kept:
            why = f"; studies are closed to it, most because {closed[0][0]}" if closed else ""
            raise Refused("a cohort of nobody", f"nothing can be learned from it{why}", "widen the question")
        left_out = {words: n for words, n, _ in ledger if n} | dict(closed)
        made = Cohort(name.strip(), {"q": q}, tuple(sorted(m.study for m in kept)), left_out, self.clock())
        digest = self.blobs.put(canonical(made))
        details = {"name": made.name, "q": q, "n": len(kept), "cohort": digest}
        self.journal.append(Event(Kind.COHORT_FROZEN, self.clock(), who.name, digest, details))
        return digest

    def frozen(self, *, who: Person) -> list[dict[str, Any]]:
        """Every cohort that was frozen, the newest first."""
        must(who, "cohort_rows")
        told = self.journal.since(kinds=(Kind.COHORT_FROZEN,), limit=_ALL, newest_first=True)
        reach = self.disclosing.reach(who, "cohort_rows")
        return [
            {
                "id": s.event.subject, "name": s.event.details["name"], "q": s.event.details["q"],
                "n": s.event.details["n"], "by": s.event.who, "when": s.event.time.isoformat(),
            }
            for s in told
            if reach is None or self._is_within(s.event.subject, who)
        ]  # fmt: skip

    def cohort(self, id: str, *, field: str = "", by: str = "", tag: int = 0, who: Person) -> dict[str, Any]:
        """A frozen cohort with its table as it is today, and who gave which tag to which study.

        Args:
            tag: only studies that carry it; 0 for all.

        Raises:
            NotFound: none of that digest was frozen.
        """
        must(who, "cohort_rows")
        made, seen, closed = self._frozen(id, who)
        held, kept = self._tags(id), list(seen)
        ledger = [{"filter": words, "left_out": n, "missing": None} for words, n in made.left_out.items()]
        if tag:
            kept = [m for m in seen if m.study in held.get(tag, {})]
            ledger.append({"filter": f"tag: {tag}", "left_out": len(seen) - len(kept), "missing": None})
        return {
            **self._told(kept, field, by), "id": id, "name": made.name, "q": made.question["q"],
            "of": len(made.members), "gone": len(made.members) - len(seen), "ledger": ledger, "tag": tag,
            "tags": self._told_tags(held, {m.study for m in seen}),
            "closed": _closed(closed),
            "few_alike": 0 < self._risk(kept)["smallest_group"] < SMALLEST_GROUP,
            "frozen": made.frozen.isoformat() if made.frozen else None,
        }  # fmt: skip

    def tag(self, id: str, tag: int, studies: Sequence[str], *, on: bool, all: bool = False, who: Person) -> int:
        """Give studies of a frozen cohort a tag, or take it off; how many.

        Args:
            studies: of the cohort; nothing selected means that nothing happens. all: all of it that this person sees.

        Raises:
            NotFound: none of that digest was frozen. Refused: no such tag, nothing selected, or a study of another.
        """
        must(who, "cohort_rows")
        _, seen, _ = self._frozen(id, who)
        if tag not in tags.TAGS:
            raise Refused(f"tag {tag}", "tags are the numbers from 1 to 9", "press one of them")
        chosen = self._chosen(seen, studies, all)
        told = {"tag": tag, "on": on, "studies": chosen}
        self.journal.append(Event(Kind.COHORT_TAGGED, self.clock(), who.name, id, told))
        return len(chosen)

    def without(self, id: str, name: str, studies: Sequence[str], reason: str, *, who: Person) -> str:
        """Freeze a cohort anew without some of its studies, which its ledger counts with the reason; its digest.

        Raises:
            NotFound: none of that digest was frozen. Refused: no name, no reason, nothing selected, or nobody is left.
        """
        must(who, "cohort_rows")
        made, seen, _ = self._frozen(id, who)
        if not name.strip() or not reason.strip():
            raise Refused("a cohort made smaller", "it has a name, and says why studies are left out", "give both")
        out = set(self._chosen(seen, studies, False))
        members = tuple(uid for uid in made.members if uid not in out)
        if not members:
            raise Refused("a cohort of nobody", "every study is left out", "leave fewer out")
        left_out = {**made.left_out, f"hand: {reason.strip()}": len(out)}
        question = {**made.question, "of": id}
        digest = self.blobs.put(canonical(Cohort(name.strip(), question, members, left_out, self.clock())))
        details = {"name": name.strip(), "q": made.question["q"], "n": len(members), "cohort": digest, "of": id}
        self.journal.append(Event(Kind.COHORT_FROZEN, self.clock(), who.name, digest, details))
        return digest

    @staticmethod
    def _chosen(seen: Sequence[Member], studies: Sequence[str], all: bool) -> list[str]:
        known = [m.study for m in seen]
        chosen = known if all else [uid for uid in known if uid in set(studies)]
        if not all and set(studies) - set(known):
            raise Refused("a study that is not of this cohort", "its tags belong to it alone", "load the cohort again")
        if not chosen:
            raise Refused("nothing selected", "nothing selected means that nothing happens", "select rows with X")
        return chosen

    def _tags(self, id: str) -> dict[int, dict[str, tags.Tagged]]:
        told = self.journal.since(kinds=(Kind.COHORT_TAGGED,), subject=id, limit=_ALL)
        return tags.tagged(sealed.event for sealed in told)

    @staticmethod
    def _told_tags(held: Mapping[int, Mapping[str, tags.Tagged]], seen: set[str]) -> list[dict[str, Any]]:
        """Of each tag its studies that may be seen, with who gave it last and when."""
        told = []
        for tag, of in held.items():
            mine = sorted((one for one in of.values() if one.study in seen), key=lambda one: one.when)
            if mine:
                last = {"by": mine[-1].by, "when": mine[-1].when.isoformat()}
                told.append({"tag": tag, "n": len(mine), "studies": [one.study for one in mine], **last})
        return told

    def export(self, id: str, form: str, *, reason: str = "", who: Person) -> tuple[bytes, str]:
        """The table of a frozen cohort as CSV or Parquet under pseudonyms, and the digest of the file.

        The pseudonyms are keyed by the secret of the archive and hold for this cohort alone; ages above 90 years are
        given as 90, and no date but the year. Each row says whether it is of the demonstration, whose phantoms would
        be taken for patients elsewhere.

        Args:
            reason: why it may leave although fewer than five people share sex, age, year and kind of image; the
                journal keeps it.

        Raises:
            Refused: nobody of it may be used, or so few are alike and there is no reason.
        """
        must(who, "export", id)
        made, kept, closed = self._frozen(id, who)
        if closed and not kept:
            raise Refused("a table of nobody", closed[0][0], f"{RECORD_TERMS}; or take another cohort")
        told = self._risk(kept)
        must_be_alike(
            told, SMALLEST_GROUP, reason, "freeze more people, or say why they may leave: the journal keeps the reason"
        )
        by = Pseudonyms(self.secret("pseudonyms")).within(f"cohort {id}")
        phantoms = self.consents.demonstrated()
        rows = [
            {"case": by.case(m.study), "person": by.patient(m.patient, ""),
             "demonstration": "yes" if m.study in phantoms else "no", **values}
            for m, values in zip(kept, self.rows(kept), strict=True)
        ]  # fmt: skip
        data = _csv(rows) if form == "csv" else _parquet(rows)
        digest = hashlib.sha256(data).hexdigest()
        details = {"name": made.name, "rows": len(rows), "form": form, "file": digest, "domain": by.domain}
        details |= {"smallest_group": told["smallest_group"], "unique_rate": told["unique_rate"]}
        details |= {"reason": reason.strip()}
        self.journal.append(Event(Kind.COHORT_EXPORTED, self.clock(), who.name, id, details))
        return data, digest

    def called(self, name: str, *, who: Person) -> str:
        """The digest of the newest frozen cohort of a name, or of a digest or its beginning.

        Raises:
            NotFound: none is called so.
        """
        for one in self.frozen(who=who):
            if one["name"] == name or (len(name) >= 8 and str(one["id"]).startswith(name)):
                return str(one["id"])
        known = ", ".join(f"'{one['name']}'" for one in self.frozen(who=who)[:10]) or "none"
        raise NotFound(f"a cohort called '{name:.60}'", f"there are {known}", "name one of them, or ask a question")

    def made(self, name: str, *, who: Person) -> Cohort:
        """A frozen cohort by its name, its digest or the beginning of that, as it was on the day of freezing.

        Raises:
            NotFound: none is called so.
        """
        cohort: Cohort = from_plain(Cohort, json.loads(self.blobs.get(self.called(name, who=who))))
        return cohort

    def going(self, id: str, use: Use, *, who: Person) -> tuple[Cohort, list[Member]]:
        """A frozen cohort, and those of its members that may be used so today.

        Raises:
            NotFound: none of that digest was frozen.
        """
        must(who, "export", id)
        self._frozen(id, who)
        made: Cohort = from_plain(Cohort, json.loads(self.blobs.get(id)))
        stays = self.consents.demonstrated()
        return made, [m for m in self._members(who, made.members, use=use)[0] if m.study not in stays]

    def rows(self, kept: Sequence[Member]) -> list[dict[str, Any]]:
        """What the table of an export says of each study, beside whose it is."""
        names = [f["name"] for f in table.fields(kept) if f["name"] != "description"]
        return [{n: _safe(n, m) for n in names} for m in kept]

    def _risk(self, kept: Sequence[Member]) -> dict[str, Any]:
        """How many people of a table are alike, whatever was measured of them; phantoms are nobody."""
        phantoms, people = self.consents.demonstrated(), dict[str, dict[str, set[str]]]()
        for m in kept:
            if m.study in phantoms:
                continue
            for name in ("sex", "age", "year", "modality"):
                value = m.values.get(name, "")
                said = (
                    age_band(int(min(value, coarse.OLDEST)))
                    if name == "age" and isinstance(value, float)
                    else str(value)
                )
                people.setdefault(m.patient, {}).setdefault(name, set()).add(said)
        return risk(people.values())

    # ---- members ---------------------------------------------------------------------------------------------

    def _frozen(self, id: str, who: Person) -> tuple[Cohort, list[Member], Closed]:
        if not self.journal.since(kinds=(Kind.COHORT_FROZEN,), subject=id, limit=1):
            raise NotFound("a cohort of that digest", "none was frozen", "look into the list of cohorts")
        if not self._is_within(id, who):
            raise NotFound("a cohort of that digest", "none was frozen", "look into the list of cohorts")
        made: Cohort = from_plain(Cohort, json.loads(self.blobs.get(id)))
        self.searched(who, "COHORT", ("cohort",))
        return made, *self._members(who, made.members)

    def _ask(self, q: str, who: Person) -> None:
        """Go on only when it is written down by which fields was asked; of a question that was understood only."""
        self.searched(who, "COHORT", {one.name for one in table.filters(q)})

    def _is_within(self, id: str, who: Person) -> bool:
        """Whether a cohort has a member that somebody may ask for."""
        held = self.disclosing.sieve(who, "cohort_rows")
        return any(held(str(uid)) for uid in json.loads(self.blobs.get(id)).get("members", ()))

    def _members(
        self, who: Person, only: Sequence[str] | None = None, *, use: Use | None = None
    ) -> tuple[list[Member], Closed]:
        """Who may be seen and used, and why how many may not be used."""
        return self._usable(self._listed(who, only)[0], who, use)

    def _listed(self, who: Person, only: Sequence[str] | None = None) -> tuple[list[Listed], int]:
        """Studies within reach, and how many more wait for a signature before somebody who reads may ask of them."""
        listed = self.index.listed(
            only, reach=self.disclosing.reach(who, "cohort_rows" if may(who, "cohort_rows") else "cohorts")
        )
        if unbound(who):
            return listed, 0
        readings = self.index.readings(only)
        signed = [one for one in listed if readings.get(one[0].uid, {}).get("state") in _SIGNED]
        return signed, len(listed) - len(signed)

    def _usable(self, listed: list[Listed], who: Person, use: Use | None) -> tuple[list[Member], Closed]:
        rows = may(who, "cohort_rows")
        open_, closed = self.consents.sifted(
            (study for study, _, _ in listed), use or self.consents.use(Purpose.RESEARCH, who=who)
        )
        usable = {study.uid for study in open_}
        listed = [one for one in listed if one[0].uid in usable]
        if len(listed) > _MOST:
            raise LimitReached(f"{len(listed)} studies", f"a table holds {_MOST}", "ask the archive by command")
        heads = self.index.result_heads([study.uid for study, _, _ in listed])
        hidden = self.disclosing.blinded(who)
        shown = sorted((one for one in listed if one[0].uid not in hidden), key=lambda one: one[0].uid)
        members = [
            table.member(study, kinds, [self._of(str(h["digest"])) for h in heads.get(study.uid, ())])
            for study, kinds, _ in (self.counting.over(shown, "cohort", who=who) if rows else shown)
        ]
        return members, closed

    def _of(self, digest: str) -> Measured:
        with self._lock:
            held = self._numbers.get(digest)
        if held is None:
            result = self.index.result(digest)
            held = table.measured(result, *result.machine[:2])
            with self._lock:
                self._numbers[digest] = held
        return held

    def _told(self, kept: Sequence[Member], field: str, by: str) -> dict[str, Any]:
        known = table.fields(kept)
        names = [f["name"] for f in known]
        phantoms = self.consents.demonstrated()
        return {
            "n": len(kept),
            "people": len({m.patient for m in kept}),
            "few": table.FEW,
            "demonstrated": sum(m.study in phantoms for m in kept),
            "may_see_rows": True,
            "fields": known,
            "chart": table.chart(kept, field, by) if field else None,
            "rows": [{"study": m.study, **{n: m.values[n] for n in names if n in m.values}} for m in kept[:_ROWS]],
        }


def _ledger(ledger: Sequence[tuple[str, int, int]]) -> list[dict[str, Any]]:
    return [{"filter": words, "left_out": n, "missing": missing} for words, n, missing in ledger]


def _closed(closed: Closed) -> list[dict[str, Any]]:
    """Few are not counted: who knows a patient could see from one that it was them."""
    return [{"reason": reason, "studies": n if n >= table.FEW else None} for reason, n in closed]


def _coarse_closed(closed: Closed) -> list[dict[str, Any]]:
    """The reasons that keep ten studies out, in tens."""
    return [{"reason": reason, "studies": coarse.rounded(n)} for reason, n in closed if n >= table.FEW]


def _safe(name: str, of: Member) -> float | str | None:
    value = of.values.get(name)
    if name == "sex" and value not in _SEXES:
        return None
    if name == "modality":  # of a header that says anything else, anything may stand there
        return " ".join(kind for kind in str(value or "").split() if is_kind_of_image(kind)) or None
    if name in ("age", "year") and isinstance(value, float):
        return int(min(value, coarse.OLDEST) if name == "age" else value)
    return value


def _csv(rows: Sequence[Mapping[str, Any]]) -> bytes:
    from isocenter.forms.table import plain_csv

    return plain_csv(rows)


def _parquet(rows: Sequence[Mapping[str, Any]]) -> bytes:
    from isocenter.forms.table import plain_parquet

    return plain_parquet(rows)
