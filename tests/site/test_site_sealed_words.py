"""What was typed, ordered and told of a study goes with its key: planted words are in no file, and the chain holds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from rejecting_samples import ANNA, BERT, NOON, files, opened
from test_site_sealing import SCANNER, admitted, clear, given, joined, law, rejected, sealable

from fresh_database import fresh_database
from isocenter.dicom.header import read_header
from isocenter.errors import Erased, NotFound, Refused
from isocenter.govern.consent import Purpose
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.reading.consultation import View
from isocenter.reading.critical import Communication
from isocenter.record import Event, Kind
from isocenter.record.study import Patient
from isocenter.site.verbs import Site
from isocenter.store import rebuild
from isocenter.store.backup import restore
from isocenter.store.entry_words import WORDS
from isocenter.store.tables import PROJECTION, event

HIS, ITO, EVA = Person("HIS", Role.SERVICE, "aet"), Person("ito", Role.READER), Person("eva", Role.READER)
TYPED = "CANARY typed sentence"
WHO = (b"CANARY", b"HOSTILE^MEMBER", b"MEIER^CANARY", b"19310207", b"1931-02-07", b"TYPED SENTENCE")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with opened(tmp_path / "a") as one:
        sealed(one, tmp_path)
        yield one


def sealed(site: Site, folder: Path) -> None:
    """A project for what the scanner and the hospital send, with its people, sealed."""
    sealable(site, folder)
    site.projects.rule("trial", HIS.name, who=HOUSE)
    admitted(site)
    for who in (ITO, EVA):
        set_up = {"role": "reader", "credential": "", "disabled": False}
        site.journal.append(Event(Kind.PERSON_ADDED, site.clock(), "isocenter", who.name, set_up))
        joined(site, who.name, who.role)
    told = {"name": HIS.name, "of": "aet", "role": "service"}
    site.journal.append(Event(Kind.PROJECT_JOINED, site.clock(), "isocenter", "trial", told))
    site.sealing.seal("trial", who=ANNA)


def hl7(kind: str, *lines: str, control: str) -> bytes:
    return "\r".join((f"MSH|^~\\&|HIS|H|||20261126||{kind}|{control}|P|2.5.1", *lines, "")).encode()


def told(site: Site, study: str) -> None:
    """Everything that persons, a modality and the hospital can say of a study."""
    pid = "PID|1||CANARY^^^||Meier^CANARY||19310207|F"
    order = ("ORC|NW|A1", "OBR|1|A1||CT^CANARY typed sentence^L")
    for n, message in enumerate((("ADT^A08", pid), ("ORM^O01", pid, *order), ("ADT^A08", pid + "|"))):
        answer = site.messaging.hear(hl7(message[0], *message[1:], control=str(n)), who=HIS)
        assert b"MSA|AA" in answer, answer
    text = {"vr": "LO", "Value": [TYPED]}
    of = {"0020000D": {"vr": "UI", "Value": [study]}, "00080050": {"vr": "SH", "Value": ["A1"]}}
    began: dict[str, Any] = {
        "00080060": {"vr": "CS", "Value": ["CT"]}, "00400253": {"vr": "SH", "Value": ["S"]},
        "00400241": {"vr": "AE", "Value": ["CT1"]}, "00400244": {"vr": "DA", "Value": ["20261126"]},
        "00400245": {"vr": "TM", "Value": ["0800"]}, "00400252": {"vr": "CS", "Value": ["IN PROGRESS"]},
        "00400270": {"vr": "SQ", "Value": [of]}, "00100020": {"vr": "LO", "Value": ["CANARY"]}, "00400254": text,
    }  # fmt: skip
    site.ordering.begin("1.2.840.9.1", began, who=HIS)
    site.ordering.perform("1.2.840.9.1", {"00400280": text}, who=HIS)
    due = {"vr": "DT", "Value": ["20261126080000"]}
    item = {
        "00741200": {"vr": "CS", "Value": ["HIGH"]}, "00741204": text, "00404005": due,
        "00404041": {"vr": "CS", "Value": ["READY"]}, "00404021": {"vr": "SQ", "Value": [of]},
    }  # fmt: skip
    site.working.create("1.2.840.9.2", item, who=HIS)
    site.working.update("1.2.840.9.2", {"00741204": text}, who=HIS)
    site.reviews.remark(View(study), TYPED, who=ITO)
    site._tell(Kind.RESEARCH_RUN, "ito", study, analysis="thin", series=[], said=[TYPED], unmet=[f"series {TYPED}"])
    site.open(study, who=ITO)
    site.type_line(study, TYPED, who=ITO)
    site.reviews.ask_followup(study, who=ITO, finding=TYPED, due=NOON.date() + timedelta(90), responsible=TYPED)
    alert = site.alerts.raise_(study, TYPED, 1, identified=NOON, responsible=TYPED, who=ITO)
    said = Communication("", NOON, "ito", TYPED, NOON, "telephone", True)
    site.alerts.acknowledge(alert.id, said, who=ITO)
    site.alerts.raise_(study, f"{TYPED} too", 1, identified=NOON, responsible=TYPED, who=ITO)
    _, link = site.sharing.share(study, who=ANNA, to=TYPED)
    site.sharing.end(link["id"], reason=TYPED, who=ANNA)
    site.consents.give({"DUO:0000042": ()}, who=ANNA, study=study, source=TYPED)
    site.consents.withdraw(who=ANNA, study=study, reason=TYPED)
    site.identities.move([study], Patient("CANARY", "Meier^CANARY"), reason=TYPED, who=ANNA)
    pair = site.reviews.ask_double(study, TYPED, ["ito", "eva"], who=ANNA)
    site.reviews.lock_double(pair, True, TYPED, who=ITO)
    number = site.rejecting.reject(study, code="113037", reason=TYPED, instances=_one_image(site, study), who=ANNA)
    site.rejecting.take_back(study, number["number"], reason=TYPED, who=ANNA)


def _one_image(site: Site, study: str) -> list[str]:
    return [site.index.study(study).series[0].instances[0].sop_uid]


def stored(site: Site) -> str:
    with site.database.read() as connection:
        return repr(connection.execute(sa.select(event)).all()).upper()


def test_what_was_said_of_a_study_is_sealed_and_gone_with_its_key(site: Site, tmp_path: Path) -> None:
    study = given(site)
    told(site, study)
    assert not any(word.decode() in stored(site) for word in WHO), "the journal holds none of it in the clear"
    (order,) = site.ordering.all(who=HOUSE)
    assert (order.order.patient.name, order.order.procedure) == ("Meier^CANARY", TYPED), "who may read it reads it"
    assert site.reviews.remarks(study, who=ITO)[0]["remarks"][0]["words"] == TYPED
    assert site.typed_line(study, who=ITO) == TYPED
    assert len(site.reviews.followups(who=ITO)["rows"]) == len(site.alerts.open(who=ITO)) == 1
    law(site)
    site.keeping.backup(tmp_path / "copy", who=HOUSE)
    assert not clear(tmp_path / "copy", *WHO)
    with opened(tmp_path / "b") as second:
        second.blobs.keyring = site.blobs.keyring
        restore(tmp_path / "copy", second.database, second.blobs)
        assert second.ordering.all(who=HOUSE)[0].order == order.order
        law(second)

    site.sealing.ask_erasure(study, what="study", reason="withdrawn", who=ANNA)
    site.sealing.erase(study, what="study", who=BERT)
    assert not clear(tmp_path / "a", *WHO) and not clear(tmp_path / "keys", *WHO)
    law(site)
    assert (site.ordering.all(who=HOUSE), site.ordering.steps(who=HOUSE), site.working.all(who=HOUSE)) == ([], [], [])
    assert site.reviews.followups(who=ITO)["rows"] == [] and site.alerts.all(who=ITO, state="") == []
    read = [str(s.event) for s in site.journal.each()]
    assert not any(word in line.upper() for line in read for word in ("CANARY", "TYPED SENTENCE"))
    assert any("'reason': 'erased'" in line for line in read) and any("withdrawn" in line for line in read)
    with opened(tmp_path / "c") as third:
        third.blobs.keyring = site.blobs.keyring
        restore(tmp_path / "copy", third.database, third.blobs)
        assert third.ordering.all(who=HOUSE) == [] and not clear(tmp_path / "c", *WHO)
        rebuild(third.database, third.blobs)
        third.journal.verify()


def sent_as(site: Site, patient: str, seed: int) -> str:
    some = files(seed, patient=patient)
    site.receive(some, sender="CT1", who=SCANNER)
    return read_header(some[0]).uid


NUMBERS = (b"CANARY", b"OLDNUMBER", b"HOSTILE^MEMBER", b"TYPED SENTENCE")


def merged(site: Site) -> tuple[str, str]:
    """Two studies of one person who was known by two numbers."""
    old, new = sent_as(site, "OLDNUMBER-CANARY", 11), sent_as(site, "CANARY", 12)
    site.identities.merge(("OLDNUMBER-CANARY", ""), ("CANARY", ""), reason=TYPED, source=TYPED, who=ANNA)
    return old, new


def erase(site: Site, *studies: str) -> None:
    for study in studies:
        site.sealing.ask_erasure(study, what="study", reason="withdrawn", who=ANNA)
        site.sealing.erase(study, what="study", who=BERT)


def test_both_numbers_of_a_merged_patient_go_with_their_last_study(site: Site, tmp_path: Path) -> None:
    old, new = merged(site)
    assert not any(word.decode() in stored(site) for word in NUMBERS), "the journal holds none of it in the clear"
    assert site.identities.changes(who=ANNA)[0]["from"]["id"] == "OLDNUMBER-CANARY", "who may read it reads it"
    site.keeping.backup(tmp_path / "copy", who=HOUSE)
    assert not clear(tmp_path / "copy", *NUMBERS)
    erase(site, old)
    assert site.identities.changes(who=ANNA)[0]["from"]["id"] == "OLDNUMBER-CANARY", "one study still needs it"
    law(site)
    late = sent_as(site, "OLDNUMBER-CANARY", 13)
    assert site.index.study(late).patient.id == "CANARY", "who comes later under the old number is known by the merge"
    erase(site, new)
    assert site.index.study(late).patient.id == "CANARY", "and stays whose they are when its first words are gone"
    law(site)
    assert [c["reason"] for c in site.identities.changes(who=ANNA)][-1] == "erased"
    assert sent_as(site, "OLDNUMBER-CANARY", 16) and site.index.study(late).patient.id == "CANARY"
    erase(site, site.index.find("STUDY", {"StudyInstanceUID": read_header(files(16)[0]).uid})[0]["StudyInstanceUID"])
    erase(site, late)
    law(site)
    assert not clear(tmp_path / "a", *NUMBERS) and not clear(tmp_path / "keys", *NUMBERS)


def test_what_was_said_under_either_number_holds_as_long_as_a_study_is_left(site: Site, tmp_path: Path) -> None:
    old, new = merged(site)
    late = sent_as(site, "OLDNUMBER-CANARY", 13)
    site.consents.give({"DUO:0000042": ()}, who=ANNA, study=late)
    site.consents.withdraw(who=ANNA, patient="OLDNUMBER-CANARY")
    allowed = partial(site.consents.decided, site.index.study(late), site.consents.use(Purpose.RESEARCH, who=ANNA))
    assert not allowed().allowed and "withdrawn" in allowed().reason
    erase(site, old, new)
    assert not allowed().allowed and "withdrawn" in allowed().reason
    law(site)
    erase(site, late)
    law(site)
    assert not clear(tmp_path / "a", *NUMBERS)
    assert "withdrawn" in may(site, sent_as(site, "OLDNUMBER-CANARY", 27)), "under either number"


def may(site: Site, study: str) -> str:
    """Why a study may be used for research, or why not."""
    use = site.consents.use(Purpose.RESEARCH, who=ANNA)
    made = site.consents.decided(site.index.study(study), use)
    return f"{made.allowed} {made.reason}"


def test_terms_of_a_whole_patient_are_sealed_hold_for_who_is_left_and_go_with_the_last_study(
    site: Site, tmp_path: Path
) -> None:
    one, two = sent_as(site, "CANARY", 21), sent_as(site, "CANARY", 22)
    site.consents.give({"DUO:0000042": ()}, who=ANNA, patient="CANARY", source=TYPED)
    assert not any(word.decode() in stored(site) for word in WHO) and may(site, two).startswith("True")
    late = sent_as(site, "CANARY", 23)
    erase(site, one, two)
    assert may(site, late).startswith("True permitted"), "the terms are told again for who is left"
    assert site.consents.listed(who=HOUSE, patient="CANARY")[0]["by"] == "anna", "as they were told first"
    site.consents.withdraw(who=ANNA, patient="CANARY", reason=TYPED)
    site.consents.give({"DUO:0000042": ()}, who=ANNA, study=late, source=TYPED)
    later = sent_as(site, "CANARY", 24)
    before = may(site, late), may(site, later)
    assert before[0].startswith("True") and "withdrawn" in before[1]
    law(site)
    site.keeping.backup(tmp_path / "copy", who=HOUSE)
    erase(site, later)
    assert may(site, late) == before[0], "in their order: what was given after the withdrawal stands"
    erase(site, late)
    law(site)
    assert not clear(tmp_path / "a", *WHO) and not clear(tmp_path / "copy", *WHO)
    again = sent_as(site, "CANARY", 25)
    assert "withdrawn" in may(site, again), "who comes again is known by a digest, though nobody can read the number"
    assert "withdrawn" not in may(site, sent_as(site, "STRANGER", 26))
    site.consents.give({"DUO:0000042": ()}, who=ANNA, patient="CANARY")
    assert may(site, again).startswith("True"), "and may permit it anew"
    law(site)


def test_merges_in_a_chain_lead_on_to_who_is_left(site: Site, tmp_path: Path) -> None:
    old, new = merged(site)
    third = sent_as(site, "LASTNUMBER-CANARY", 17)
    site.identities.merge(("CANARY", ""), ("LASTNUMBER-CANARY", ""), reason=TYPED, who=ANNA)
    late = sent_as(site, "OLDNUMBER-CANARY", 18)
    assert {site.index.study(u).patient.id for u in (old, new, third, late)} == {"LASTNUMBER-CANARY"}
    erase(site, old, new)
    law(site)
    erase(site, third)
    assert site.index.study(late).patient.id == "LASTNUMBER-CANARY"
    law(site)
    assert not any(word.decode() in stored(site) for word in NUMBERS)
    erase(site, late)
    law(site)
    assert not clear(tmp_path / "a", *NUMBERS) and not clear(tmp_path / "a", b"LASTNUMBER")


def test_a_merge_that_was_undone_and_erased_is_folded_again(site: Site, tmp_path: Path) -> None:
    old, new = merged(site)
    number = site.identities.changes(who=ANNA)[0]["number"]
    site.identities.undo(number, reason=TYPED, who=ANNA)
    assert site.index.study(old).patient.id == "OLDNUMBER-CANARY"
    erase(site, old, new)
    law(site)
    assert not clear(tmp_path / "a", *NUMBERS)


def test_a_merge_with_somebody_in_the_clear_stays_in_the_clear(site: Site) -> None:
    some = files(14, patient="OPEN1")
    site.receive(some, sender="elsewhere", who=HOUSE)
    sent_as(site, "CANARY", 12)
    site.identities.merge(("OPEN1", ""), ("CANARY", ""), reason="one person", who=HOUSE)
    assert "OPEN1" in stored(site), "who is in the clear anyway must be known as before"
    law(site)


def test_every_order_of_who_is_gone_goes_but_one_that_is_still_to_come(site: Site, tmp_path: Path) -> None:
    """Orders of another accession, and of a sender whom no rule puts into a project, of a patient who is sealed."""
    study = given(site)
    other = Person("RIS2", Role.SERVICE, "aet")
    pid = "PID|1||CANARY^^^||Meier^CANARY||19310207|F"
    for n, (who, accession, day) in enumerate(
        ((HIS, "B7", "20251126"), (other, "B8", "20251127"), (other, "B9", "20991231"))
    ):
        lines = (pid, f"ORC|NW|{accession}", f"OBR|1|{accession}||CT^{TYPED}^L||||||||||||||||||||||||||||||||{day}")
        assert b"MSA|AA" in site.messaging.hear(hl7("ORM^O01", *lines, control=f"o{n}"), who=who)
    assert not any(word.decode() in stored(site) for word in WHO), "sealed, though RIS2 is ruled into nothing"
    placed = {o.order.accession: o for o in site.ordering.all(who=HOUSE)}
    assert set(placed) == {"B7", "B8", "B9"}
    site.ordering.cancel(placed["B8"].order.id, reason=TYPED, who=HOUSE)
    assert not any(word.decode() in stored(site) for word in WHO), "what is said of it later is sealed with it"
    dates = {a: o.order.date for a, o in placed.items()}
    erase(site, study)
    law(site)
    left = {o.order.accession for o in site.ordering.all(who=HOUSE)}
    assert left == {a for a, day in dates.items() if day is not None and day > site.clock().date()}, (left, dates)


def test_reasons_of_refused_files_are_sealed_and_go_with_any_study_of_their_project(site: Site, tmp_path: Path) -> None:
    study = given(site)
    bad = bytearray(files(15, patient="CANARY")[0])
    del bad[-20:]
    assert [one.status for one in site.receive([bytes(bad)], sender="CT1", who=SCANNER)] == ["rejected"]
    (said,) = site.journal.since(kinds=(Kind.INSTANCES_REJECTED,), limit=9)
    why = said.event.details["reasons"][0]
    assert len(why) > 10 and why.upper() not in stored(site)
    assert site.ledgers.arrivals(who=HOUSE)["rows"][0]["reasons"] == [why]
    erase(site, study)
    (said,) = site.journal.since(kinds=(Kind.INSTANCES_REJECTED,), limit=9)
    assert said.event.details["reasons"] == ["erased"] and said.event.details["count"] == 1
    assert [one.status for one in site.receive([bytes(bad)], sender="CT1", who=SCANNER)] == ["rejected"]
    assert site.journal.since(kinds=(Kind.INSTANCES_REJECTED,), limit=9)[-1].event.details["reasons"] == [why]


def dictated(site: Site, study: str) -> None:
    """A report with a person's words, signed and then amended."""
    for n in range(2):
        version = site.open(study, who=ITO).version
        if not n:
            version = site.lock(study, version=version, nothing=True, who=ITO).version
        version = site.word(study, f"own{n}", f"{TYPED} {n}.", version=version, section="Findings", who=ITO).version
        site.sign(study, version=version, who=ITO)


def test_a_signed_and_amended_report_goes_with_its_study(site: Site, tmp_path: Path) -> None:
    study = given(site)
    dictated(site, study)
    report = site.report(study, who=ITO)
    assert [s.text for s in report.sentences if s.id == "own1"] == [f"{TYPED} 1."]
    site.keeping.backup(tmp_path / "copy", who=HOUSE)
    assert not clear(tmp_path / "copy", *WHO)
    site.sealing.ask_erasure(study, what="study", reason="withdrawn", who=ANNA)
    site.sealing.erase(study, what="study", who=BERT)
    assert not clear(tmp_path / "a", *WHO)
    with pytest.raises((NotFound, Erased)):
        site.report(study, who=ITO)
    law(site)


def test_the_same_words_on_postgresql_as_far_as_a_query_sees(tmp_path: Path) -> None:
    with fresh_database("postgres", tmp_path) as url, opened(tmp_path / "a", url) as site:
        sealed(site, tmp_path)
        study = given(site)
        told(site, study)
        dictated(site, study)
        assert not any(word.decode() in stored(site) for word in WHO)
        site.sealing.ask_erasure(study, what="study", reason="withdrawn", who=ANNA)
        site.sealing.erase(study, what="study", who=BERT)
        with site.database.read() as connection:
            left = repr([connection.execute(sa.select(t)).all() for t in (event, *PROJECTION)]).upper()
        assert study in left and not any(word.decode() in left for word in WHO)
        assert not clear(tmp_path / "a", *WHO)
        law(site)


def test_a_project_takes_what_was_ordered_and_told_along(site: Site, tmp_path: Path) -> None:
    study = given(site)
    told(site, study)
    site.messaging.hear(hl7("ADT^A08", "PID|1||CANARY2^^^||Later^CANARY||19310207|F", control="9"), who=HIS)
    site.sealing.ask_erasure("trial", what="project", reason="the trial is over", who=ANNA)
    site.sealing.erase("trial", what="project", who=BERT)
    assert not clear(tmp_path / "a", *WHO) and rejected(site)
    law(site)
    with pytest.raises(NotFound, match="erased with its study"):
        site.ordering.perform("1.2.840.9.1", {"00400280": {"vr": "LO", "Value": [TYPED]}}, who=HIS)
    assert b"MSA|AE" in site.messaging.hear(
        hl7("ADT^A08", "PID|1||CANARY3^^^||Later^CANARY||19310207|F", control="10"), who=HIS
    )
    assert not clear(tmp_path / "a", *WHO), "nothing is said in the clear because there is no key"


def test_what_is_told_of_who_is_elsewhere_too_stays_as_long_as_they_do(site: Site) -> None:
    study, other = given(site), given(site, 8)
    told(site, study)
    site.sealing.ask_erasure(study, what="study", reason="withdrawn", who=ANNA)
    site.sealing.erase(study, what="study", who=BERT)
    heard = [s.event for s in site.journal.each(kinds=(Kind.PATIENT_TOLD,))]
    assert {e.subject for e in heard} == {"CANARY"} and site.index.study(other).patient.id == "CANARY"
    law(site)


def test_words_that_somebody_changed_in_the_journal_are_refused(site: Site) -> None:
    from isocenter.store.entry_words import opened as read

    study = given(site)
    site.reviews.remark(View(study), TYPED, who=ITO)
    with site.database.read() as connection:
        rows = connection.execute(sa.select(event).where(event.c.kind == str(Kind.REMARKED))).mappings().all()
    import json

    details = json.loads(rows[0]["details"])
    kept = Event(Kind.REMARKED, NOON, "ito", study, details)
    assert read(kept, site.blobs.keyring).details["words"] == TYPED
    assert read(kept, None) is kept
    elsewhere = Event(Kind.REMARKED, NOON, "ito", "1.2.3", details)
    with pytest.raises(Refused, match="does not open"):
        read(elsewhere, site.blobs.keyring)
    with pytest.raises(Refused, match="keys of the archive"):
        read(kept, None, gone=False)
    details["sealed"][0]["key"] = "00" * 16
    with pytest.raises(NotFound):
        read(kept, site.blobs.keyring, gone=False)


NO_WORDS = frozenset(Kind) - frozenset(WORDS)


def test_of_every_kind_of_entry_it_was_decided_what_is_said_in_it() -> None:
    """A new kind that says something of a patient must be sealed: whoever adds one decides it here."""
    assert len(NO_WORDS) == 85, "a kind was added: does it hold words on a study? then name them in `WORDS`"
