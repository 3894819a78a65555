"""Links through which studies are seen without an account: given, listed, extended, ended, and looked at beforehand.

What a link opens for whoever holds it is in `through_links`.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import timedelta
from typing import Any

from isocenter.dicom.alike import SMALLEST_GROUP, must_be_alike
from isocenter.errors import Refused
from isocenter.govern import sharing
from isocenter.govern.consent import Purpose
from isocenter.govern.people import secret_digest
from isocenter.govern.policy import Person, must
from isocenter.govern.sharing import MOST, May, Share
from isocenter.site.pseudonymising import alike
from isocenter.site.through_links import ThroughLinks, images_of

__all__ = ["Sharing"]


class Sharing(ThroughLinks):
    """The links of one archive."""

    def share(
        self, studies: str | Sequence[str], *, who: Person, hours: float = 72.0, to: str = "", word: str = "",
        purpose: Purpose = Purpose.CARE, may: Collection[May] = (May.VIEW,), pseudonym: bool = False,
        check: bool = False, reason: str = "", institution: str = "", country: str = "", transfer_reason: str = "",
    ) -> tuple[str, dict[str, Any]]:  # fmt: skip
        """A secret that opens some studies, and the link as lists show it; with ``code`` where a check is wanted.

        Args:
            purpose: care of the patient, or sharing for the research of another house.
            may: what its holder may do; seeing the images is always among it.
            pseudonym: show them without the person: copies are made first, and what is not surely clean is not shown.
            check: open nothing before it was confirmed who holds it.
            reason: why a pseudonym does where fewer people than `SMALLEST_GROUP` are alike; the journal keeps it.
            institution: of whoever it is for. country: of that, ISO 3166 two letters; terms of use are asked for both.
            transfer_reason: why it may leave the site's own region (`region`).

        Raises:
            NotFound: no such study.
            Refused: a life that is too long, a word that can be guessed, terms of use that do not permit it, a
                pseudonym where nothing is surely clean, or so few are alike and there is no reason, or a country
                outside the region without one.
            Unavailable: the copies are not made yet.
        """
        chosen = (studies,) if isinstance(studies, str) else tuple(studies)
        self._must_all(chosen, who)
        for uid in chosen:
            self.consents.allowed(uid, purpose, who=who, **sharing.where(institution, country))
            self.consents.leaving(uid)
        now = self.clock()
        given = sharing.share(
            chosen, who=who.name, now=now, life=timedelta(hours=hours), to=to, word=word, purpose=purpose, may=may,
            pseudonym=pseudonym, check=check, reason=reason, institution=institution,
            country=country, region=self.region(), transfer_reason=transfer_reason,
        )  # fmt: skip
        if pseudonym:
            made = [self.pseudonymising.of(images_of(self.index.study(uid)), to) for uid in dict.fromkeys(chosen)]
            must_be_alike(
                alike(made), SMALLEST_GROUP, reason,
                "add studies of more patients, or say why these may be shown: the journal keeps the reason",
            )  # fmt: skip
        self.journal.append(*given.events)
        row = self._known.state()[secret_digest(given.secret)].told(now)
        return given.secret, row | ({"code": given.code} if given.code else {})

    def region(self) -> tuple[str, ...]:
        """Countries of the site's own region, as it set them; none: nobody is asked where a recipient is."""
        return tuple(self.consents.site_wide().get("region") or ())

    def shares(self, *, who: Person, study_uid: str = "") -> list[dict[str, Any]]:
        """Links that were given, the newest first.

        ``closed`` says why one opens nothing though it has not ended, ``shut`` the same of single studies of it, and
        ``models`` which models learned from its studies.
        """
        must(who, "share", study_uid)
        now = self.clock()
        found = sorted(
            (s for s in self._mine(who).values() if not study_uid or study_uid in s.studies), key=lambda s: s.given
        )
        learned: dict[tuple[str, ...], list[dict[str, Any]]] = {}
        rows = []
        for one in reversed(found):
            if one.studies not in learned:
                learned[one.studies] = self.consents.learned(self._here(one.studies))
            shut = {uid: why for uid in one.studies if (why := self._shut(one, uid))} if one.lives(now) else {}
            closed = next(iter(shut.values())) if len(shut) == len(one.studies) else ""
            rows.append(one.told(now) | {"closed": closed, "shut": shut, "models": learned[one.studies]})
        return rows

    def end(self, id: str, *, who: Person, reason: str = "") -> None:
        """End a link now."""
        must(who, "share")
        self.journal.append(*sharing.end(self._mine(who), id, who=who.name, now=self.clock(), reason=reason))

    def extend(self, id: str, *, who: Person, hours: float, reason: str = "") -> dict[str, Any]:
        """Let a link open for so many hours from now on; the link as lists show it.

        Raises:
            NotFound: none of that name that lives. Refused: an end that is too far off or before the one that it has,
                terms of use that do not permit it (any more), a study of the demonstration, or a country outside
                the site's region for which no reason was given.
        """
        must(who, "share")
        mine, now = self._mine(who), self.clock()
        link = sharing.living(mine, id, now)
        for uid in link.studies:
            self.consents.allowed(uid, link.purpose, who=who, **sharing.where(link.institution, link.country))
            self.consents.leaving(uid)
        sharing.must_stay_within(self.region(), link.country, link.transfer_reason)
        longer = sharing.extend(mine, id, who=who.name, now=now, life=timedelta(hours=hours), reason=reason)
        self.journal.append(*longer)
        return self._known.state()[link.digest].told(now)

    def judge(self, id: str, claim: str, accepted: bool, *, who: Person, reason: str = "") -> dict[str, Any]:
        """Accept or refuse what somebody stated who holds a link; the link as lists show it.

        Raises:
            NotFound: none of that name that lives. WrongState: nobody states that now.
        """
        must(who, "share")
        mine, now = self._mine(who), self.clock()
        link = sharing.living(mine, id, now)
        self.journal.append(*sharing.judge(mine, id, claim, accepted, who=who.name, now=now, reason=reason))
        return self._known.state()[link.digest].told(now)

    # ---- beforehand ------------------------------------------------------------------------------------------

    def preview(
        self, studies: Sequence[str], *, who: Person, to: str = "", may: Collection[May] = (May.VIEW,),
        pseudonym: bool = False, signed_in: Callable[[], bool] = lambda: True,
    ) -> str:  # fmt: skip
        """A secret by which whoever may give a link sees for half an hour what it would show; a look of their own.

        Args:
            signed_in: whether the session in which it was asked for lives; the secret opens nothing when it has ended.

        Raises:
            NotFound: no such study.
        """
        self._must_all(studies, who)
        now = self.clock()
        link = Share(
            secrets.token_hex(8), "", tuple(dict.fromkeys(studies)), who.name, now, now, to,
            may=frozenset({May.VIEW, *may}), pseudonym=pseudonym,
        )  # fmt: skip
        return self._previewed(link, who, signed_in)

    def preview_of(self, id: str, *, who: Person, signed_in: Callable[[], bool] = lambda: True) -> str:
        """The same for a link that was given and lives."""
        must(who, "share")
        return self._previewed(sharing.living(self._mine(who), id, self.clock()), who, signed_in)

    def without_person(self, studies: Sequence[str], *, who: Person, to: str = "") -> dict[str, Any]:
        """What a recipient would see and not see of studies under a pseudonym: computed from the copies themselves.

        Returns:
            ``done`` and ``of`` images looked through; when all were, ``studies``, each as `Copies.told` says it, and
            ``few_alike``: whether so few of their people are alike that a link asks for a reason.

        Raises:
            NotFound: no such study. Refused: one of which nothing can be shown.
        """
        self._must_all(studies, who)
        records = [images_of(self.index.study(uid)) for uid in dict.fromkeys(studies)]
        far = [self.pseudonymising.so_far(one, to) for one in records]
        told: dict[str, Any] = {"done": sum(done for done, _, _ in far), "of": sum(of for _, of, _ in far)}
        if not all(made for _, _, made in far):
            return told
        made = [self.pseudonymising.of(one, to) for one in records]
        studies_ = [copies.told() | {"study": one.uid} for copies, one in zip(made, records, strict=True)]
        return told | {"studies": studies_, "few_alike": 0 < alike(made)["smallest_group"] < SMALLEST_GROUP}

    def _must_all(self, studies: Sequence[str], who: Person) -> None:
        must(who, "share", studies[0] if studies else "")
        if not 0 < len(studies) <= MOST:
            raise Refused(f"{len(studies)} studies at once", f"at least one and at most {MOST}", "choose others")

    def _here(self, studies: Sequence[str]) -> set[str]:
        return {uid for uid in studies if self.index.studies({"StudyInstanceUID": uid}, limit=1)}

    def _mine(self, who: Person) -> Mapping[str, Share]:
        return {d: s for d, s in self._known.state().items() if all(self.holds(uid, who, "share") for uid in s.studies)}
