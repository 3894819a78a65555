"""Projects that are kept sealed, new keys for them, and the destruction of a key, which two persons do together.

A project that asks for it is sealed by one verb: what arrives for it, and everything that is made of it, is written
under keys that the project's own key opens. A study or a project is erased by destroying its key. One person asks with
a reason, another does it, both are events; afterwards nothing of it can be read, in no backup either, and the index
keeps the names of its images.

A study that moves to another project takes its key along: the key of the project that it left opens nothing of it any
more. The move is written down first; where the process is killed before the key has followed, the study is still read
with the key that it had, and the next move, sealing or erasure does what is left.

Equal bytes are kept once, so that two studies may need the same map. As long as an open one does, it keeps its copy in
the clear; and before a key is destroyed, every other study that needs what it opens is given a copy of its own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from isocenter.errors import Damaged, NotFound, Refused, WrongState
from isocenter.govern.policy import Person, must, must_be_a_person
from isocenter.record import Event, Kind, canonical
from isocenter.record.project import ORDER, PATIENT, SENDER, STEP, WORKITEM

if TYPE_CHECKING:
    from isocenter.site.projecting import Projects
    from isocenter.store.blobs import Blobs
    from isocenter.store.database import Database
    from isocenter.store.journal import Journal
    from isocenter.store.keyring import Keyring
    from isocenter.store.master_key import MasterKey

__all__ = ["Sealing"]

Told = Callable[[str, int, int], None]
_SHORTEST = 3  # characters of a reason
_BATCH = 256  # studies for which it is asked at once who else needs what they have
_UNSEALED = ("", "house")
_OF_STUDIES = {Kind.ORDER_PLACED: ORDER, Kind.STEP_BEGUN: STEP, Kind.WORKITEM_CREATED: WORKITEM}
"""What is told of studies under names of its own: orders first, by which steps are known as theirs."""


def _quiet(words: str, done: int, of: int) -> None:
    return None


@dataclass(frozen=True)
class Sealing:
    """The sealed projects of one archive.

    Args:
        mac: keyed digest of a patient's number and issuer, by which a withdrawal is remembered of who is gone.
    """

    database: Database
    blobs: Blobs
    journal: Journal
    clock: Callable[[], datetime]
    projects_of: Projects | None = None
    mac: Callable[[tuple[str, str]], str] = lambda patient: ""

    @property
    def _keyring(self) -> Keyring:
        if self.blobs.keyring is None:
            raise Refused("this archive has no folder of keys", "nothing can be sealed", "open it with its settings")
        return self.blobs.keyring

    def projects(self, *, who: Person) -> list[dict[str, Any]]:
        """Every project that is or was sealed: project, version of its key, rotating, erased, master."""
        must(who, "site")
        return [
            {"project": p.project, "version": p.version, "rotating": bool(p.old), "erased": p.erased,
             "master": p.master}
            for p in self._keyring.projects()
        ]  # fmt: skip

    def seal(self, project: str, *, who: Person, told: Told = _quiet) -> dict[str, Any]:
        """Seal a project: what comes from now on, and what is here already. Called again, it does what is left.

        Args:
            project: its name; what is in no project stays as it is.
            told: progress: words, studies done, in all.

        Returns:
            project, version of its key, studies, files that were sealed.

        Raises:
            Refused: there is no master key, or no such project can be sealed.
            Unavailable: a disk said no; what was sealed stays so, and the next call goes on.
        """
        from isocenter.store.erasures import studies

        must(who, "site")
        if project in _UNSEALED or not project.strip():
            raise Refused(f"the project '{project:.64}'", "what is in no project of its own is not sealed", "name one")
        if self.projects_of is not None and project not in self.projects_of.known().about:
            raise NotFound(f"project '{project:.64}'", "there is none of that name", "found it first")
        keys = self._keyring
        state = keys.seal(project)
        mine = [uid for uid in studies(self.database) if keys.home(uid) == project]
        files = 0
        for start in range(0, len(mine), _BATCH):
            files += self._brought_home(*mine[start : start + _BATCH])
            told("studies", min(start + _BATCH, len(mine)), len(mine))
        done = {"version": state.version, "studies": len(mine), "files": files}
        self._tell(Kind.PROJECT_SEALED, who, project, **done)
        return {"project": project, **done}

    def must_take(self, study_uid: str, project: str) -> None:
        """Go on only if a study can be put into a project and be kept there as it has to be.

        Raises:
            Refused: what is sealed would go where nothing is, or the key of the project was destroyed.
        """
        keys = self.blobs.keyring
        if keys is None or not keys.active:
            return
        there = next((p for p in keys.projects() if p.project == project), None)
        if there is not None and there.erased:
            raise Refused(
                f"a move to '{project}'", "its key was destroyed, and nothing can be sealed for it",
                "seal the project anew, or choose another",
            )  # fmt: skip
        if there is None and keys.project_of(study_uid):
            raise Refused(
                f"a move to '{project}'", "the study is sealed and that project is not: a move does not lay open",
                "choose a project that is sealed, or seal it with `isocenter seal`",
            )  # fmt: skip

    def follow(self, study_uid: str) -> bool:
        """Keep a study under the key of the project in which it is now; whether anything was left to do.

        Raises:
            Unavailable: a disk said no; the study is read as before, and the next call goes on.
        """
        keys = self.blobs.keyring
        if keys is None or not keys.active:
            return False
        was = keys.project_of(study_uid)
        return self._brought_home(study_uid) > 0 or keys.project_of(study_uid) != was

    def _brought_home(self, *study_uids: str) -> int:
        """Bring the keys of studies into their project, and seal what lies in the clear; how many files were."""
        from isocenter.store.erasures import belongings

        for uid in study_uids:
            self._keyring.bring_home(uid)
        mine = {uid: belongings(self.database, self.blobs, uid) for uid in study_uids}
        clear = {digest for some in mine.values() for digest in some if not self.blobs.is_sealed(digest)}
        others = self._others(clear, study_uids)
        shared = {digest for digest, needed in others.items() if not all(map(self._keyring.seals, needed))}
        return sum(self._sealed(d, uid, alone=d not in shared) for uid, some in mine.items() for d in some)

    def _sealed(self, digest: str, study_uid: str, *, alone: bool) -> bool:
        # A damaged file stays what it is, for the scrub to name it; what is erased stays erased.
        with contextlib.suppress(Damaged, Refused, NotFound):
            return self.blobs.seal(digest, study_uid, alone=alone)
        return False

    def _others(self, digests: Collection[str], study_uids: Collection[str]) -> dict[str, set[str]]:
        """Who needs some bytes besides these studies."""
        from isocenter.store.needing import needing

        return needing(self.database, self.blobs, digests, besides=study_uids)

    def _shared_out(self, gone: Collection[str]) -> int:
        """Give whoever else needs what these studies have a copy that opens without their keys; how many files."""
        from isocenter.store.erasures import belongings

        mine = {d for uid in gone for d in belongings(self.database, self.blobs, uid) if self.blobs.is_sealed(d)}
        others = self._others(mine, gone)
        for digest, needed in others.items():
            with contextlib.suppress(Damaged, Refused, NotFound):  # damaged, or erased before: nobody can be given it
                data = self.blobs.get(digest)
                for uid in sorted(needed):
                    self.blobs.put(data, of=uid)
        return len(others)

    def rotate(self, project: str, *, who: Person, told: Told = _quiet) -> int:
        """Give a project a new key; how many keys of studies are sealed with it. The archive goes on meanwhile.

        Raises:
            NotFound: the project is not sealed. Refused: its key was destroyed.
        """
        must(who, "site")
        done = self._keyring.rotate(project, told=told)
        version = next(p.version for p in self._keyring.projects() if p.project == project)
        self._tell(Kind.KEY_ROTATED, who, project, version=version, keys=done)
        return done

    def change_master(self, new: MasterKey, *, who: Person) -> int:
        """Seal the keys of projects with another master key; how many are."""
        must(who, "site")
        done = self._keyring.change_master(new)
        self._tell(Kind.KEY_ROTATED, who, "master", version=new.name, keys=done)
        return done

    def ask_erasure(self, subject: str, *, what: str, reason: str, who: Person) -> int:
        """Ask that the key of a study or of a project be destroyed; another person has to do it. The event's number.

        Args:
            what: "study" (then the subject is its Study Instance UID) or "project".

        Raises:
            NotFound: it is not sealed, or in a project that this person is not in.
            Refused: no reason, or the house itself asks. WrongState: it was asked before.
        """
        self._must_be_of(subject, what, who)
        if len(reason.strip()) < _SHORTEST:
            raise Refused("no reason", "whoever looks for it later must learn why it is gone", "say why")
        self._must_be_sealed(subject, what)
        if self._asked(subject, what) is not None:
            raise WrongState(
                f"the erasure of {what} {subject:.64}",
                "somebody asked for it already",
                "erase it as another administrator, who gives no reason",
            )
        (made,) = self._tell(Kind.ERASURE_ASKED, who, subject, what=what, reason=reason[:500])
        return int(made.number)

    def erase(self, subject: str, *, what: str, who: Person) -> dict[str, Any]:
        """Destroy the key that another person asked to destroy. First it is written down, then the key goes.

        Called again after a crash in between, it does what is left.

        Returns:
            what, subject, studies, keys: how many were destroyed; shared: files that another study needs, and keeps;
            log: whether the database's own log or pages may still hold words of the index for a while.

        Raises:
            WrongState: nobody asked. NotFound: it is in a project that this person is not in.
            Refused: the same person asked; or studies have left the project and still need its key.
        """
        from isocenter.site.erasing import told_again
        from isocenter.store.erasures import shared_patients

        self._must_be_of(subject, what, who)
        asked = self._asked(subject, what)
        if asked is None:
            return self._finished(subject, what)
        if asked.event.who == who.name:
            raise Refused("the same person", "who asks does not erase: four eyes", "let another administrator do it")
        gone = [subject] if what == "study" else self._settled(subject)
        shared = self._shared_out(gone)
        digests = {uid: self._only_its_own(uid) for uid in gone}
        others = shared_patients(self.database, gone)
        now, number = self.clock(), asked.number
        mine = {key for uid in gone for key in self._keyring.names_of(uid)}
        before, merges = told_again(
            self.database, self.blobs, self.journal, gone=gone, keys=mine, mac=self.mac, who=who, now=now
        )
        beside = sorted(self._beside(gone))
        events = [
            Event(
                Kind.STUDY_ERASED, now, who.name, uid,
                {"asked": number, "digests": digests[uid], "beside": beside if uid == gone[-1] else []},
            )
            for uid in gone
        ]  # fmt: skip
        if what == "project":
            told = {"asked": number, "studies": len(gone)}
            events.append(Event(Kind.PROJECT_ERASED, now, who.name, subject, told))
        self.journal.append(*before, *events)
        return {**self._destroyed(subject, what, digests, beside, again=others or merges), "shared": shared}

    # ---- the parts

    def _destroyed(
        self, subject: str, what: str, digests: dict[str, list[str]], beside: Collection[str], *, again: bool
    ) -> dict[str, Any]:
        from isocenter.store.refold import rebuild

        keys = self._keyring.erase_project(subject) if what == "project" else 0
        for uid, some in digests.items():
            keys += self._keyring.erase_study(uid)
            for digest in some:
                # Meanwhile another study may have been given the very same bytes.
                if not any(map(self.blobs.knows, self.blobs.sealed_by(digest))) and self.blobs.is_sealed(digest):
                    self.blobs.remove(digest)
        self._keyring.erase_named(map(bytes.fromhex, beside))
        if again:  # what the index says of their patients may come from what was erased
            rebuild(self.database, self.blobs)
        gone = self.database.forget()
        return {"what": what, "subject": subject, "studies": len(digests), "keys": keys, "shared": 0, "log": not gone}

    def _finished(self, subject: str, what: str) -> dict[str, Any]:
        """Take away what a crash has left of what was written down as erased.

        Raises:
            WrongState: nothing was.
        """
        kind = Kind.STUDY_ERASED if what == "study" else Kind.PROJECT_ERASED
        last = self.journal.since(kinds=(kind,), subject=subject, newest_first=True, limit=1)
        if not last:
            raise WrongState(
                f"the erasure of {what} {subject:.64}",
                "nobody asked for it",
                "ask for it first: --reason; another administrator then erases",
            )
        asked = last[0].event.details["asked"]
        digests: dict[str, list[str]] = {}
        beside = list[str]()
        for one in self.journal.each(int(asked), kinds=(Kind.STUDY_ERASED,)):
            if one.event.details["asked"] == asked:
                digests[one.event.subject] = list(one.event.details["digests"])
                beside += one.event.details.get("beside", ())
        return self._destroyed(subject, what, digests, beside, again=True)

    def _beside(self, gone: Collection[str]) -> set[str]:
        """Names of the keys of orders, steps and work items that are of these studies, and of patients who had no
        others: what was told of them goes with them."""
        patients, orders = self._whose(gone), set[str]()
        left = {row["PatientID"] for row in self._studies_besides(gone, {id for id, _ in patients})}
        wholly = {id for id, _ in patients if id and id not in left}
        today = self.clock().date().isoformat()
        names = set[str]()
        for kind, prefix in _OF_STUDIES.items():
            for sealed in self.journal.each(kinds=(kind,)):
                told, name = sealed.event.details, sealed.event.subject
                if "sealed" in told:
                    continue
                order = told.get("order", {})
                whose = order.get("patient", {}).get("id")
                mine = (whose, order.get("accession")) in patients
                # Of who is gone every order is, but one that is still to come.
                mine = mine or (whose in wholly and (order.get("date") or "") < today)
                mine = mine or bool(orders & set(told.get("orders", ())))
                if mine or any(f'"{uid}"'.encode() in canonical(told) for uid in gone):
                    orders |= {name} if kind is Kind.ORDER_PLACED else set()
                    names.add(f"{prefix}{name}")
        names |= {f"{PATIENT}{id}" for id in wholly}
        names |= {f"{SENDER}{one}" for one in self._refused_for({self._keyring.project_of(uid) for uid in gone})}
        return {key.hex() for name in names for key in self._keyring.names_of(name)}

    def _refused_for(self, projects: Collection[str]) -> set[str]:
        """Who sent files into some projects that were refused: nobody knows of which study those were."""
        told = self.journal.each(kinds=(Kind.INSTANCES_REJECTED,))
        return {one.event.who for one in told if one.event.details.get("project") in projects}

    def _whose(self, study_uids: Collection[str]) -> set[tuple[str, str]]:
        """Patient and accession number of studies; of one without number the patient alone."""
        from isocenter.store.index import Index

        index = Index(self.database)
        some = [row for uid in study_uids for row in index.find("STUDY", {"StudyInstanceUID": uid})]
        return {(str(row["PatientID"]), str(row.get("AccessionNumber") or "-")) for row in some}

    def _studies_besides(self, study_uids: Collection[str], patients: Collection[str]) -> list[dict[str, Any]]:
        from isocenter.store.index import Index

        index = Index(self.database)
        rows = [row for id in patients if id for row in index.find("STUDY", {"PatientID": id})]
        return [row for row in rows if row["StudyInstanceUID"] not in study_uids]

    def _only_its_own(self, study_uid: str) -> list[str]:
        from isocenter.store.erasures import belongings

        keys = self._keyring.names_of(study_uid)
        sealed = ((d, self.blobs.sealed_by(d)) for d in belongings(self.database, self.blobs, study_uid))
        return [digest for digest, names in sealed if names and set(names) <= keys]

    def _settled(self, project: str) -> list[str]:
        """Every study that goes with the key of a project, once what has moved in or out has taken its key along.

        Raises:
            Refused: a study has moved to where nothing is sealed, and its key did not follow.
        """
        from isocenter.store.erasures import studies

        keys, gone, left = self._keyring, list[str](), list[str]()
        for uid in studies(self.database):
            if project in (keys.home(uid), keys.project_of(uid)):
                self._brought_home(uid)
                if keys.project_of(uid) == project:
                    (gone if keys.home(uid) == project else left).append(uid)
        if left:
            raise Refused(
                f"the key of project '{project}'", f"{len(left)} studies that have left it still need it: {left[0]}",
                "seal the projects where they are, or move them to one that is sealed",
            )  # fmt: skip
        return gone

    def _must_be_of(self, subject: str, what: str, who: Person) -> None:
        """Go on only if somebody, and not the house, may destroy keys in the project that this is about.

        Raises:
            NotFound: they are not in it; the same as for what does not exist.
        """
        from isocenter.govern.projects import only_of, role_in

        must(who, "purge", subject)
        must_be_a_person(who)
        if self.projects_of is None:
            return
        if what == "study":
            must(self.projects_of.at(subject, who), "purge", subject)
        elif what == "project":
            role = role_in(self.projects_of.known(), who, subject)
            if role is None or "purge" not in only_of(role):
                raise NotFound(
                    f"project '{subject:.64}'",
                    "there is none of that name in which you may erase",
                    "list the projects: `isocenter project list`",
                )

    def _must_be_sealed(self, subject: str, what: str) -> None:
        if what == "project":
            if not any(p.project == subject and not p.erased for p in self._keyring.projects()):
                raise NotFound(f"a key of project '{subject:.64}'", "it is not sealed", "see `isocenter seals`")
        elif what != "study":
            raise Refused(f"'{what:.20}'", "a study or a project is erased", "say study or project")
        elif not self._keyring.project_of(subject):
            raise NotFound(
                f"a key of study {subject:.64}", "it is not sealed, and cannot be erased by its key",
                "reject and purge it, or seal its project first",
            )  # fmt: skip

    def _asked(self, subject: str, what: str) -> Any:
        """The request that stands, or None."""
        kinds = (Kind.ERASURE_ASKED, Kind.STUDY_ERASED if what == "study" else Kind.PROJECT_ERASED)
        last = self.journal.since(kinds=kinds, subject=subject, newest_first=True, limit=1)
        stands = bool(last) and last[0].event.kind is Kind.ERASURE_ASKED and last[0].event.details["what"] == what
        return last[0] if stands else None

    def _tell(self, kind: Kind, who: Person, subject: str, **details: Any) -> Any:
        return self.journal.append(Event(kind, self.clock(), who.name, subject, details))
