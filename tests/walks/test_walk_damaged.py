"""A stored image that the disk has changed or lost: at every door it is the archive that failed, never whoever asks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pynetdicom import AE, build_role, evt
from pynetdicom.sop_class import CTImageStorage, StudyRootQueryRetrieveInformationModelGet

from isocenter.app import House, open_house
from isocenter.errors import Damaged
from isocenter.govern.policy import HOUSE
from isocenter.govern.sharing import May
from isocenter.record import Kind
from isocenter.settings import Settings

FILES = [Path(str(get_testdata_file(name))) for name in ("CT_small.dcm", "MR_small.dcm")]


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    opened = open_house(Settings(folder=tmp_path / "archive", port=0, dicom_port=0))
    opened.first_person()
    opened.site.add_peer("TESTER", "127.0.0.1", 104, who=HOUSE)
    opened.site.receive([one.read_bytes() for one in FILES], sender="CT1", who=HOUSE)
    yield opened
    opened.close()


def studies(house: House) -> list[tuple[str, str, str, str]]:
    found = [house.site.study(one.uid, who=HOUSE) for one in house.site.studies(who=HOUSE)]
    ordered = sorted(found, key=lambda study: study.modalities)  # CT, MR
    return [(s.uid, s.series[0].uid, i.sop_uid, i.digest) for s in ordered for i in s.series[0].instances]


def flip(house: House, digest: str) -> None:
    place = house.site.blobs.path(digest)
    assert place is not None
    data = bytearray(place.read_bytes())
    data[-40] ^= 16
    place.chmod(0o600)
    place.write_bytes(data)


def got(port: int, study: str) -> Dataset:
    asked = Dataset()
    asked.QueryRetrieveLevel, asked.StudyInstanceUID = "STUDY", study
    ae = AE("TESTER")
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelGet)
    ae.add_requested_context(CTImageStorage)
    roles = [build_role(CTImageStorage, scp_role=True)]
    association = ae.associate(
        "127.0.0.1", port, ae_title="ISOCENTER", ext_neg=roles, evt_handlers=[(evt.EVT_C_STORE, lambda event: 0)]
    )
    last = [status for status, _ in association.send_c_get(asked, StudyRootQueryRetrieveInformationModelGet)][-1]
    association.release()
    return last


def test_every_door_says_that_the_archive_failed_and_the_journal_and_the_alarm_say_where(
    house: House, tmp_path: Path
) -> None:
    house.start_listening()
    house.start_web()
    token = house.site.sign_in_by_link(house.site.link("admin"), address="127.0.0.1")
    web = httpx.Client(
        base_url=f"http://127.0.0.1:{house.web_port}", headers={"Authorization": f"Bearer {token}"}, timeout=60
    )
    (study, series, sop, digest), (other, other_series, other_sop, lost) = studies(house)
    house.site.keeping.backup(tmp_path / "copy", who=HOUSE)
    assert web.get("/api/system").json()["counts"]["damaged"] == 0
    flip(house, digest)
    place = house.site.blobs.path(lost)
    assert place is not None
    place.unlink()

    # over DICOMweb, by the pages, through a link
    instance = f"/dicom-web/studies/{study}/series/{series}/instances/{sop}"
    gone = f"/dicom-web/studies/{other}/series/{other_series}/instances/{other_sop}"
    secret, _ = house.site.sharing.share(study, who=HOUSE, hours=1, to="tester", may=tuple(May))
    for path in (
        instance, f"{instance}/metadata", f"{instance}/frames/1", f"{instance}/rendered", f"{instance}/thumbnail",
        f"/dicom-web/studies/{study}", gone,
    ):  # fmt: skip
        answer = web.get(path, headers={"Accept": "*/*"})
        told = answer.json()["error"]
        assert answer.status_code == 500 and told["kind"] == "Damaged", (path, answer.status_code, told)
        assert "isocenter scrub --copy" in told["do"] and told["what"] and told["why"], told
    shared = web.get(f"/api/shared/instances/{sop}", headers={"X-Isocenter-Link": secret})
    assert (shared.status_code, shared.json()["error"]["kind"]) == (500, "Damaged"), shared.text

    of = house.site.pictures(study, series, who=HOUSE)
    (drawn,) = house.site.slab(study, series, [0], tag=of.tag, who=HOUSE)[1]
    assert isinstance(drawn, Damaged)  # what a viewport shows in place of the image

    # over DICOM
    last = got(house.dicom_port, study)
    assert last.Status == 0xA702 and "1 damaged here" in last.ErrorComment
    # once in the journal for each file, with its image and study, though it was asked for many times
    told = {s.event.subject: s.event.details for s in house.site.journal.since(kinds=(Kind.DAMAGE_FOUND,), limit=99)}
    assert len(house.site.journal.since(kinds=(Kind.DAMAGE_FOUND,), limit=99)) == 2
    assert (told[study]["what"], told[study]["digest"], told[study]["instance"]) == ("changed", digest, sop)
    assert (told[other]["what"], told[other]["digest"]) == ("missing", lost)
    # and as an alarm, until it was read whole again
    assert web.get("/api/system").json()["counts"]["damaged"] == 2
    assert 'isocenter_archive{what="damaged"} 2.0' in web.get("/metrics").text
    assert len(house.site.mending.scrub(who=HOUSE).left) == 2 and house.site.mending.damaged() == {digest, lost}
    house.site.mending.scrub(who=HOUSE, copy=str(tmp_path / "copy" / "blobs"))
    assert house.site.mending.damaged() == set() and web.get(instance, headers={"Accept": "*/*"}).status_code == 200
    assert web.get("/api/system").json()["counts"]["damaged"] == 0
    web.close()


def test_damage_that_is_met_while_an_entry_is_written_waits_for_the_next_who_reads(house: House) -> None:
    (_, _, sop, digest), _ = studies(house)
    flip(house, digest)

    def rule(told: object) -> tuple[()]:
        with pytest.raises(Damaged):
            house.site.blobs.kept(digest)
        return ()

    house.site.journal.decide("anything", (Kind.STARTED,), rule)
    assert house.site.mending.damaged() == set()
    with pytest.raises(Damaged):
        house.site.instance(sop, who=HOUSE)
    assert house.site.mending.damaged() == {digest}
