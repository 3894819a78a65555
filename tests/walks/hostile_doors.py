"""A whole house and somebody who gives hostile things to each of its doors, and hears what became of them."""

from __future__ import annotations

import json
import random
import shutil
import socket
import time
import zipfile
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx

from isocenter.app import House, open_house
from isocenter.cli.archive import ledger, wrapper_of
from isocenter.dicom import whole
from isocenter.dicom.header import read_header
from isocenter.doors import commands, part10
from isocenter.doors import negotiation as n
from isocenter.doors.multipart import Part, write
from isocenter.doors.upper_layer import Ended, connect
from isocenter.errors import IsocenterError
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.settings import Settings
from isocenter.testing.crooked import CT, EXPLICIT, image, written
from isocenter.testing.hostile_member import Member
from isocenter.testing.hostile_objects import directory

READER = Person("ito", Role.READER)


@dataclass
class Doors:
    """The doors of one house.

    `heard` counts what each door answered, `played` how many members of each class it was given; whoever finds a door
    that fails gets an AssertionError with its words.
    """

    folder: Path
    house: House
    web: httpx.Client
    heard: Counter[tuple[str, str]] = field(default_factory=Counter)
    played: Counter[tuple[str, str]] = field(default_factory=Counter)
    slowest: tuple[float, str] = (0.0, "")

    def __post_init__(self) -> None:
        self._beside = written(image(random.Random(55)))
        self._lists = directory(random.Random(56), "IM0")

    @classmethod
    def open(cls, folder: Path) -> Doors:
        """A house that listens on both ports of this machine."""
        house = open_house(Settings(folder=folder / "archive", port=0, dicom_port=0))
        house.first_person()
        house.site.add_peer("TESTER", "127.0.0.1", 104, who=HOUSE)
        house.start_listening()
        house.start_web()
        token = house.site.sign_in_by_link(house.site.link("admin"), address="127.0.0.1")
        base = f"http://127.0.0.1:{house.web_port}"
        web = httpx.Client(base_url=base, headers={"Authorization": f"Bearer {token}"}, timeout=60)
        return cls(folder, house, web)

    def close(self) -> None:
        self.web.close()
        self.house.close()

    # ---- one member

    def play(self, member: Member) -> dict[str, str]:
        """Give a member to every door; door to what it answered: "kept", or why it did not.

        What is no object comes as a file all the same: nobody asks a stranger's file what it is before it is opened.
        """
        if member.before:
            (first,) = self.house.site.receive([member.before], sender="tester", who=HOUSE)
            assert first.status in ("stored", "there"), (member.kind, member.name, first)
        doors = [*getattr(self, f"_as_{member.form}")(), *self._files()]
        said = {door.__name__.strip("_"): self._given(door, member) for door in dict.fromkeys(doors)}
        for door, answer in said.items():
            self.heard[door, "kept" if answer == "kept" else "refused"] += 1
            self.played[member.kind, door] += 1
            assert answer == "kept" or len(answer) > 12, (member.kind, member.name, door, answer)
            if member.refused:
                assert answer != "kept", (member.kind, member.name, door)
        if member.before:  # the first stays as it was, and is a success when it comes again
            self._same(first.sop_uid, member.before)
            honest = Member(member.kind, "the first again", "object", member.before)
            assert [self._imported(honest), self._c_store(honest), self._stow(honest)] == ["kept"] * 3
        return said

    def _given(self, door: Callable[[Member], str], member: Member) -> str:
        """What a door answers and how long it took; a file that a door refuses is written down."""
        started, head = time.process_time(), self.house.site.head()
        said = door(member)
        name = door.__name__.strip("_")
        self.slowest = max(self.slowest, (time.process_time() - started, f"{name} {member.kind} {member.name}"))
        if (
            name in ("imported", "c_store", "stow")
            and said != "kept"
            and "no context" not in said
            and "meta" not in said
        ):
            # Another image under a taken identity is set aside once: the very same again is one that lies aside.
            again = name == "stow" and member.before
            assert again or self.house.site.head() > head, (member.kind, member.name, name, said)
        return said

    def honest(self, rng: Any) -> None:
        """The next honest object goes in at every door and comes out as it was."""
        for door in (self._imported, self._c_store, self._stow):
            data = written(image(rng))
            assert door(Member("", "honest", "object", data)) == "kept", door
            record = read_header(data)
            sop = record.series[0].instances[0].sop_uid
            assert part10.split(data).sop_uid == sop
            kept = self.house.site.instance(sop, who=HOUSE)
            assert kept[part10.split(kept).start :] == data[part10.split(data).start :]
        assert self.web.get("/healthz").json() == {"ok": True}

    def _files(self) -> list[Callable[[Member], str]]:
        return [
            self._checked,
            self._imported,
            self._c_store,
            self._stow,
            self._uploaded,
            self._zipped,
            self._on_media,
            self._listed,
            self._as_weights,
        ]

    # ---- forms

    def _as_object(self) -> list[Callable[[Member], str]]:
        return [self._shown]

    def _as_archive(self) -> list[Callable[[Member], str]]:
        return [self._taken_from_disk]

    def _as_folder(self) -> list[Callable[[Member], str]]:
        return [self._taken_as_media]

    def _as_request(self) -> list[Callable[[Member], str]]:
        return [self._raw_http]

    def _as_association(self) -> list[Callable[[Member], str]]:
        return [self._raw_dicom]

    def _as_query(self) -> list[Callable[[Member], str]]:
        return [self._c_find, self._qido]

    def _as_json(self) -> list[Callable[[Member], str]]:
        return [self._posted]

    def _as_picture(self) -> list[Callable[[Member], str]]:
        return [self._wrapped]

    def _as_model(self) -> list[Callable[[Member], str]]:
        return []

    def _as_volume(self) -> list[Callable[[Member], str]]:
        return [self._segmented]

    # ---- doors

    def _checked(self, member: Member) -> str:
        try:
            whole.check_whole(member.data)
            read_header(member.data)
        except IsocenterError as refusal:
            return self._words(refusal)
        return "kept" if not member.before else "its identity is taken"

    def _imported(self, member: Member) -> str:
        (stored,) = self.house.site.receive([member.data], sender="tester", who=HOUSE)
        if stored.status in ("stored", "there"):
            self._same(stored.sop_uid, member.data)
            return "kept"
        assert stored.status in ("conflict", "rejected"), stored
        return str(stored.reason)

    def _c_store(self, member: Member) -> str:
        try:
            meta = part10.split(member.data)
            start, syntax = meta.start, meta.transfer_syntax
            named = part10.identity(member.data[start:], syntax) or (meta.sop_class, meta.sop_uid)
        except IsocenterError:
            start, syntax, named = 0, EXPLICIT, (CT, "2.25.99")
        sop_class, sop_uid = named
        if not part10.is_uid(sop_class):
            sop_class = CT
        if member.more.get("meta"):
            return "file meta does not travel over DIMSE"
        link = connect("127.0.0.1", self.house.dicom_port, timeout_s=60)
        try:
            n.propose(link, calling="TESTER", called="ISOCENTER", offers=[(sop_class, (syntax,))])
            if not link.contexts:
                return "no context for its transfer syntax"
            (context,) = link.contexts.values()
            words: dict[str, int | str] = {
                "AffectedSOPClassUID": sop_class, "CommandField": commands.C_STORE_RQ, "MessageID": 1, "Priority": 0,
                "AffectedSOPInstanceUID": sop_uid,
            }  # fmt: skip
            link.send(context.id, words, member.data[start:])
            answer = link.receive()
            assert answer is not None
            status = answer.words["Status"]
            assert status != 0x0110, (member.kind, member.name, answer.words)
            if status == 0:
                return "kept"
            return f"{status:04X} {answer.words['ErrorComment']}"
        except (IsocenterError, Ended, UnicodeEncodeError) as refusal:
            return f"no context for it: {refusal}"
        finally:
            link.close()

    def _stow(self, member: Member) -> str:
        answer = self.web.post("/dicom-web/studies", content=member.data, headers={"Content-Type": "application/dicom"})
        return self._http(member, answer)

    def _uploaded(self, member: Member) -> str:
        """As a browser brings files: one of several in a body of parts; what came with it goes in all the same."""
        with_it = self._beside
        parts = (Part({"Content-Type": "application/dicom"}, one) for one in (with_it, member.data))
        kind = 'multipart/related; type="application/dicom"; boundary=b-o-u-n-d'
        body = b"".join(write(parts, "b-o-u-n-d"))
        answer = self.web.post("/dicom-web/studies", content=body, headers={"Content-Type": kind})
        said = self._http(member, answer)
        if said != "kept":
            return said
        told = answer.json()
        named = [one["00081155"]["Value"][0] for one in told.get("00081199", {}).get("Value", [])]
        assert read_header(with_it).series[0].instances[0].sop_uid in named, (member.kind, member.name, told)
        return "kept" if answer.status_code == 200 and len(named) == 2 else f"refused: {json.dumps(told)[:200]}"

    def _raw_http(self, member: Member) -> str:
        headers = {
            "Host": f"127.0.0.1:{self.house.web_port}", "Authorization": self.web.headers["authorization"],
            "Content-Length": str(len(member.data)), "Connection": "close", **member.more["headers"],
        }  # fmt: skip
        if "Transfer-Encoding" in headers:
            del headers["Content-Length"]
        lines = "".join(f"{k}: {v}\r\n" for k, v in headers.items())
        heard = self._exchange(
            self.house.web_port, f"POST /dicom-web/studies HTTP/1.1\r\n{lines}\r\n".encode() + member.data
        )
        if not heard:
            return "the server hung up, as on a body that never came"
        status = int(heard.split()[1])
        assert status != 500, (member.kind, member.name, heard[:400])
        body = heard.partition(b"\r\n\r\n")[2]
        return "kept" if status in (200, 202) else f"HTTP {status} {body[:60]!r}"

    def _raw_dicom(self, member: Member) -> str:
        heard = self._exchange(self.house.dicom_port, member.data)
        assert heard[:1] in (b"", b"\x02", b"\x03", b"\x07"), heard[:20]
        return f"answered with PDU {heard[:1].hex() or 'none'}"

    def _exchange(self, port: int, data: bytes) -> bytes:
        heard = b""
        with socket.create_connection(("127.0.0.1", port), timeout=20) as link, suppress(ConnectionError):
            link.sendall(data)
            with suppress(OSError):  # it may have hung up already
                link.shutdown(socket.SHUT_WR)
            while piece := link.recv(65536):
                heard += piece
        return heard

    def _zipped(self, member: Member) -> str:
        out = BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            archive.writestr("member.dcm", member.data)
        return self._from_disk("a.zip", out.getvalue(), member)

    def _on_media(self, member: Member) -> str:
        return self._from_disk("DICOM/IM0", member.data, member)

    def _listed(self, member: Member) -> str:
        """As a DICOMDIR leads to it."""
        disc = self.folder / "disc"
        disc.mkdir(exist_ok=True)
        (disc / "IM0").write_bytes(member.data)
        (disc / "DICOMDIR").write_bytes(self._lists)
        told = ledger(self.house.site, [disc / "DICOMDIR"])
        assert told["expected"] == told["stored"] + told["there"] + told["conflict"] + told["rejected"]
        if told["reasons"]:
            return str(told["reasons"][0]["reason"])
        return "kept" if told["expected"] else "nothing in it was an image"

    def _taken_from_disk(self, member: Member) -> str:
        return self._from_disk(member.file, member.data, member)

    def _from_disk(self, name: str, data: bytes, member: Member) -> str:
        place = self.folder / "media" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
        try:
            told = ledger(self.house.site, [self.folder / "media"])
        finally:
            place.unlink()
        assert told["expected"] == told["stored"] + told["there"] + told["conflict"] + told["rejected"]
        if told["reasons"]:
            return str(told["reasons"][0]["reason"])
        return "kept" if told["expected"] else "nothing in it was an image"

    def _taken_as_media(self, member: Member) -> str:
        media = self.folder / "directory"
        media.mkdir(exist_ok=True)
        (media / "DICOMDIR").write_bytes(member.data)
        told = ledger(self.house.site, [media / "DICOMDIR"])
        assert told["stored"] == told["there"] == 0, "a file outside the folder was read"
        return str(told["reasons"][-1]["reason"]) if told["reasons"] else "no record leads anywhere"

    def _wrapped(self, member: Member) -> str:
        place = self.folder / "pictures" / member.file
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(member.data)
        try:
            told = ledger(self.house.site, [place.parent], wrap="OT")
        finally:
            place.unlink()
        assert wrapper_of("OT") is not None
        return str(told["reasons"][0]["reason"]) if told["reasons"] else "kept"

    def _shown(self, member: Member) -> str:
        """What follows on storing: a picture, a volume, a copy without names; each is made, or refused in words."""
        from isocenter.dicom.assemble import assemble
        from isocenter.dicom.deidentify import deidentify
        from isocenter.dicom.pixels import rendered
        from isocenter.dicom.pseudonyms import Pseudonyms

        try:
            record = read_header(member.data)
        except IsocenterError as refusal:
            return self._words(refusal)
        for made in (
            lambda: rendered(member.data),
            lambda: assemble(record.series[0], lambda _: member.data),
            lambda: deidentify(member.data, by=Pseudonyms(b"k" * 32), reviewed=True),
        ):
            try:
                found = made()
            except IsocenterError as refusal:
                assert self._words(refusal)
                continue
            canary = str(member.more.get("canary", "never")).encode()
            if hasattr(found, "data"):
                assert canary not in found.data, (member.kind, member.name)
        return "shown or refused in words"

    def _c_find(self, member: Member) -> str:
        from isocenter.doors.dimse_scu import Peer, find

        keys = {k: v.encode("utf-8", "replace").decode()[:60_000] for k, v in json.loads(member.data).items()}
        try:
            find(Peer("ISOCENTER", "127.0.0.1", self.house.dicom_port), "STUDY", keys, calling="TESTER")
        except IsocenterError as refusal:
            return self._words(refusal)
        return "kept"

    def _qido(self, member: Member) -> str:
        keys = {k: v.encode("utf-8", "replace") for k, v in json.loads(member.data).items()}
        try:
            answer = self.web.get("/dicom-web/studies", params=keys)
        except (httpx.HTTPError, httpx.InvalidURL) as broken:
            return f"no request is so long: {broken!r}"
        return self._http(member, answer)

    def _posted(self, member: Member) -> str:
        told = ""
        for place in ("/api/palette", "/api/readings/1.2.3/correct", "/api/cohorts", "/dicom-web/studies"):
            kind = "application/dicom+json" if "web" in place else "application/json"
            answer = self.web.post(place, content=member.data, headers={"Content-Type": kind})
            told = self._http(member, answer)
        return told

    def _http(self, member: Member, answer: httpx.Response) -> str:
        assert answer.status_code < 500 or answer.status_code == 507, (member.kind, member.name, answer.text[:500])
        assert answer.headers["x-content-type-options"] == "nosniff"
        if answer.status_code in (200, 202, 204):
            return "kept"
        return f"HTTP {answer.status_code} {answer.text[:200]}"

    def _as_weights(self, member: Member) -> str:
        from isocenter.analysis.weights import open_session

        shelf = self.folder / "shelf"
        card = model_card(member)
        (shelf / card["name"]).mkdir(parents=True, exist_ok=True)
        (shelf / card["name"] / "model.json").write_text(json.dumps(card), "utf-8")
        (shelf / card["name"] / "model.onnx").write_bytes(member.data)
        try:
            open_session(card["name"], shelf)
        except IsocenterError as refusal:
            return self._words(refusal)
        finally:
            shutil.rmtree(shelf)  # another has a shelf of its own: all cards of a shelf are read for each model
        return "kept"

    def _segmented(self, member: Member) -> str:
        guests = self.house.site.guests
        id = guests.begin(who=READER, analysis="image_quality", modality="CT")["id"]
        try:
            with guests.taking(id, member.file, who=READER) as take:
                take(member.data)
            guests.start(id, who=READER)
            guests._pool.submit(lambda: None).result(120)
            told = guests.state(id, who=READER)
        finally:
            guests.remove(id, who=READER)
        if told["state"] == "done" and any(r["answer"] != "declined" for r in told["results"]):
            return "kept"
        return f"{told['state']}: {told['words']} {[r.get('reasons') for r in told['results']]} {told['rejected']}"

    def _same(self, sop_uid: str, data: bytes) -> None:
        assert self.house.site.instance(sop_uid, who=HOUSE) == data

    @staticmethod
    def _words(refusal: IsocenterError) -> str:
        assert refusal.what and (refusal.why or refusal.do), refusal
        return str(refusal)


def model_card(member: Member) -> Mapping[str, Any]:
    """A card that vouches for the member's bytes: whoever offers bad weights writes a good card."""
    import hashlib

    from isocenter.analysis.weights import models
    from isocenter.record import to_plain

    held = next(iter(models().values()))[0]
    told: dict[str, Any] = dict(to_plain(held))
    return {**told, "name": f"hostile_{hashlib.sha256(member.data).hexdigest()[:12]}",
            "digest": hashlib.sha256(member.data).hexdigest()}  # fmt: skip
