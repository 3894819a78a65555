"""Composition: settings become one Site, one server, one worker. Nothing is decided here but who is given what."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from isocenter.errors import Forbidden, IsocenterError, NotFound, Refused, Unavailable
from isocenter.settings import Settings
from isocenter.store.secret import secret_of

if TYPE_CHECKING:
    from isocenter.doors import pages_oidc
    from isocenter.doors.dimse_scu import Peer
    from isocenter.doors.exchange import Exchange
    from isocenter.site.receiving import Receiving
    from isocenter.site.verbs import Site
    from isocenter.store.blobs import Blobs
    from isocenter.store.database import Database
    from isocenter.store.journal import Journal
    from isocenter.store.keyring import Keyring
    from isocenter.work import Work

__all__ = ["House", "now", "open_house", "open_intake"]


def now() -> datetime:
    """The one place where the machine's clock is asked."""
    return datetime.now(UTC)


@dataclass
class House:
    """A Site with what runs around it: jobs, follower, web server and DICOM listener.

    Made by `open_house`; `start` brings up what listens, `close` takes everything down again.
    """

    settings: Settings
    site: Site
    database: Any
    web_port: int = 0
    dicom_port: int = 0
    dicom_tls_port: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _closing: list[Callable[[], None]] = field(default_factory=list)

    # ---- first start -----------------------------------------------------------------------------------------

    def first_person(self) -> str:
        """Make the administrator where there was never one; the secret's file, or empty where there is or was.

        The secret is drawn, written for its owner's eyes only, and printed nowhere.
        """
        from isocenter.govern.policy import HOUSE, Role

        people = self.site.index.people()
        if any(one["role"] == Role.ADMIN or one["name"] == "admin" for one in people):
            return ""
        secret, place = self.secret("admin")
        self.site.add_person("admin", Role.ADMIN, secret, who=HOUSE)
        return str(place)

    def secret(self, name: str) -> tuple[str, Path]:
        """A secret of this archive with its file, drawn when it is first needed, readable by its owner alone."""
        return secret_of(self.settings.folder, name)

    def new_pseudonyms(self, *, destroy: bool = False) -> dict[str, str]:
        """Draw another secret for pseudonyms from now on: nobody can join new ones with old ones.

        Args:
            destroy: erase every older secret too, so that nobody can go back from what was given away; otherwise the
                older one stays beside it under the name of its domain.

        Returns:
            the domains before and now.
        """
        from isocenter.dicom.pseudonyms import Pseudonyms
        from isocenter.govern.policy import HOUSE
        from isocenter.record import Event, Kind

        said, place = self.secret("pseudonyms")
        was = Pseudonyms(said.encode()).domain
        place.rename(place.with_name(f"pseudonyms.{was}"))
        if destroy:
            for old in place.parent.glob("pseudonyms.*"):
                old.write_bytes(os.urandom(old.stat().st_size))  # a copy that a disk keeps elsewhere is not reached
                old.unlink()
        now_ = Pseudonyms(self.secret("pseudonyms")[0].encode()).domain
        told = {"was": was, "now": now_, "destroyed": destroy}
        self.site.journal.append(Event(Kind.PSEUDONYMS_CHANGED, now(), HOUSE.name, "pseudonyms", told))
        return {"was": was, "now": now_}

    def sign_in_link(self, life: timedelta | None = None) -> str:
        """An address that signs an administrator in once, within ten minutes unless another life is given.

        It is for `admin`, or for the first whose account is open where that one is not.
        """
        from isocenter.govern.policy import Role

        people = [one for one in self.site.index.people() if one["role"] == Role.ADMIN and not one["disabled"]]
        first = min(people, key=lambda one: (one["name"] != "admin", one["added"]), default={"name": "admin"})
        return f"{self.address}/sign-in?token={self.site.link(first['name'], life)}"

    # ---- what it does by itself ------------------------------------------------------------------------------

    @cached_property
    def work(self) -> Work:
        """Jobs, and what is looked after again and again."""
        from isocenter.work import Work

        return Work(self.settings, self.site, now, self._stop, self._closing)

    @cached_property
    def exchange(self) -> Exchange:
        """What a department's systems are told and tell: promises, HL7, work items."""
        from isocenter.doors.exchange import Exchange

        return Exchange(self.settings, self.site, partial(_peer, self.settings), self._stop, self._closing)

    # ---- what listens ----------------------------------------------------------------------------------------

    def start_listening(self) -> None:
        """Open the DICOM port, and that of DICOM over TLS where there is a certificate and whom to trust.

        Without TLS it is heard beyond loopback only where the site says so.

        Raises:
            Refused: it would be open to others in the clear.
        """
        from isocenter.doors import exchange, tls
        from isocenter.doors.dimse import Listener

        files, host = self.settings.tls, self.settings.host
        secured = files is not None and files[2] is not None
        if not tls.is_loopback(host) and not self.settings.dicom_plain:
            if not secured:
                raise Refused(
                    f"DICOM on {host} without TLS", "whoever hears the network reads the images",
                    "make certificates with `isocenter certificate`, or set ISOCENTER_DICOM_PLAIN=true on a network of"
                    " its own",
                )  # fmt: skip
            host = "127.0.0.1"
        doors: list[tuple[str, int, ssl.SSLContext | None]] = [(host, self.settings.dicom_port, None)]
        if files is not None and files[2] is not None:
            doors.append((self.settings.host, self.settings.dicom_tls_port, tls.server(*files)))
        for host, port, secure in doors:
            listener = Listener(
                self.site, aet=self.settings.aet, host=host, port=port, said_no=self.site.refused,
                turned_away=self.site.turned_away,
                who=partial(self._caller, secure=secure is not None), services=exchange.services(self.site), tls=secure,
            )  # fmt: skip
            opened = listener.start()
            self._closing.append(listener.stop)
            if secure is None:
                self.dicom_port = opened
            else:
                self.dicom_tls_port = opened

    def _caller(self, aet: str, *, secure: bool = False) -> Any:
        from isocenter.govern.policy import Person, Role

        known = [p for p in self.site.peers() if p["aet"] == aet]
        if known and not secure and all(p["kind"] == "dicom-tls" for p in known):
            raise Forbidden(
                f"AE title '{aet}' without TLS", "this peer is known to call with its certificate only",
                f"let it call port {self.settings.dicom_tls_port}",
            )  # fmt: skip
        if not known:
            raise Forbidden(
                f"AE title '{aet}'",
                "it is not among the known peers, and nobody else may associate",
                f"add it with `isocenter peer {aet} HOST PORT`",
            )
        return Person(aet, Role.SERVICE, "aet")

    def start_web(self) -> None:
        """Open the web server: pages, JSON and DICOMweb."""
        import uvicorn

        from isocenter.doors import dicomweb, fhir, pages, pages_machine, pages_pace, pages_who, workitems_rs

        who, denied = pages_who.person_of, self.site.denied
        dicom_web = dicomweb.router(self.site, who, denied=denied)
        dicom_web.include_router(workitems_rs.router(self.site.working, who, denied=denied))
        application = pages.application(
            self.site,
            demo=self.settings.demo,
            clock=now,
            dicomweb_router=dicom_web,
            fhir_router=fhir.router(self.site, who, denied=denied),
            names=self._names(),
            machine=pages_machine.Machine(
                self.settings,
                self.work.waiting,
                self.work.again if self.work.begun else None,
                self._echo,
                self.site.collecting.silent_s,
                self.work.ahead,
                self.work.research if self.work.begun else None,
                self.work.running,
            ),
            way=self._way(),
            pace=pages_pace.Pace(self.settings.requests_per_min),
        )
        secure = self._web_tls()
        held = socket.socket(socket.AF_INET6 if ":" in self.settings.host else socket.AF_INET, socket.SOCK_STREAM)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            held.bind((self.settings.host, self.settings.port))
        except OSError as taken:
            held.close()
            raise Unavailable(
                f"port {self.settings.port} on {self.settings.host}",
                f"it cannot be opened ({taken.strerror})",
                "stop the other program, or give another port with --port",
            ) from taken
        self.web_port = held.getsockname()[1]
        config = uvicorn.Config(application, log_level="warning", access_log=False, timeout_graceful_shutdown=2)
        config.load()
        config.ssl = secure
        server = uvicorn.Server(config)
        self.site.guests.watch()
        self.site.hand_outs.keep(self.settings.folder / "hand-outs")
        self.site.hand_outs.watch()
        self._closing += [self.site.guests.close, self.site.hand_outs.close]
        thread = threading.Thread(target=server.run, args=([held],), name="web", daemon=True)
        thread.start()
        deadline = time.monotonic() + 30
        while not server.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                raise Unavailable("the web server", "it did not start", "see the lines above")
            time.sleep(0.01)
        self.database.say(self.address)

        # The first person who asks for the list shall not wait until ten thousand studies are read.
        threading.Thread(target=self._read_ahead, name="worklist", daemon=True).start()

        def stop() -> None:
            application.state.ending = True
            server.should_exit = True
            thread.join(5)
            held.close()

        self._closing.append(stop)

    def _way(self) -> pages_oidc.Way | None:
        from isocenter.doors.oidc_client import Provider
        from isocenter.doors.pages_oidc import Way
        from isocenter.govern.oidc import Strength, read_table

        said = self.settings
        if not said.oidc_issuer:
            return None
        table = read_table(said.oidc_roles, claim=said.oidc_claim, name=said.oidc_name)
        secret = said.oidc_secret.read_text("utf-8").strip() if said.oidc_secret else ""
        age = timedelta(minutes=said.oidc_age_min) if said.oidc_age_min else None
        asks = Strength(_listed(said.oidc_acr), _listed(said.oidc_amr), age)
        return Way(Provider(said.oidc_issuer, said.oidc_client, secret, table, asks=asks), said.address)

    def _web_tls(self) -> ssl.SSLContext | None:
        from isocenter.doors import tls

        files = self.settings.tls
        if files is not None:
            return tls.server(files[0], files[1])
        if not tls.is_loopback(self.settings.host) and not self.settings.behind_proxy:
            raise Refused(
                f"the web server on {self.settings.host} without TLS",
                "whoever hears the network reads passwords and images",
                "make certificates with `isocenter certificate`, or set ISOCENTER_BEHIND_PROXY=true behind a proxy with"
                " TLS",
            )  # fmt: skip
        return None

    @property
    def address(self) -> str:
        """Where a browser finds the pages: as it is set, of this server, of the one that serves the folder now."""
        from isocenter.store.lock import served_at

        if self.settings.address:
            return self.settings.address.rstrip("/")
        if not self.web_port and (served := served_at(self.settings.folder)):
            return served
        host = f"[{self.settings.host}]" if ":" in self.settings.host else self.settings.host
        return f"{'https' if self.settings.tls else 'http'}://{host}:{self.web_port or self.settings.port}"

    def _read_ahead(self) -> None:
        from isocenter.govern.policy import HOUSE

        with contextlib.suppress(IsocenterError):  # whoever asks hears it; here nobody does
            for first in self.site.worklist(who=HOUSE)[:1]:
                # What plans are made with is loaded now, and not while somebody waits for the first study's image.
                _ = self.site.registry.analyses
                self.site.reading(first.waiting.study.uid, who=HOUSE)

    def _echo(self, peer: Mapping[str, Any]) -> None:
        from isocenter.doors import dimse_scu

        dimse_scu.echo(_peer(self.settings, peer), calling=self.settings.aet)

    def _names(self) -> tuple[str, ...]:
        """Those of the settings, and what our own links say: the address on which we listen, the one that is told."""
        told = urlsplit(self.settings.address).hostname or ""
        listens = "" if self.settings.host in ("", "0.0.0.0", "::") else self.settings.host  # noqa: S104
        return tuple(name for name in (*_listed(self.settings.names), told, listens) if name)

    def add_known_peers(self) -> None:
        """Let the peers named in the settings associate."""
        from isocenter.govern.policy import HOUSE

        known = {(p["aet"], p["host"], p["port"]) for p in self.site.peers()}
        for aet, host, port in peers_of(self.settings.peers):
            if (aet, host, port) not in known:
                self.site.add_peer(aet, host, port, who=HOUSE)

    def close(self) -> None:
        """Take everything down, the newest first."""
        for stop in reversed(self._closing):
            stop()
        self._closing.clear()
        self.database.close()


def peers_of(text: str) -> Iterator[tuple[str, str, int]]:
    """Read ``AET@host:port,…``.

    Raises:
        Refused: when a part does not read so.

    >>> list(peers_of("CT1@192.0.2.7:104"))
    [('CT1', '192.0.2.7', 104)]
    """
    for part in filter(None, (p.strip() for p in text.split(","))):
        aet, at, address = part.partition("@")
        host, colon, port = address.rpartition(":")
        if not (at and colon and aet and host and port.isdecimal() and 0 < int(port) < 65536):
            raise Refused(f"peer '{part}'", "it is not AET@host:port", "write for example CT1@192.0.2.7:104")
        yield aet, host, int(port)


def open_house(settings: Settings, *, server: bool = False, apart: bool = True, make: bool = True) -> House:
    """Open the archive of a folder.

    Args:
        server: take the folder's lock: only one server serves a folder.
        make: make a new archive where there is none.

    Raises:
        NotFound: when there is no archive and none shall be made.
        Unavailable: when another server holds the folder, or the disk says no.
    """
    from isocenter.analysis.registry import discover
    from isocenter.doors import commitment_scu
    from isocenter.doors.dimse_scu import send
    from isocenter.doors.elsewhere import Elsewhere
    from isocenter.govern.passwords import words_in
    from isocenter.site.verbs import Site
    from isocenter.store.heap import keep_freed
    from isocenter.store.index import Index

    database, blobs, journal = _stores(settings, server=server, make=make)
    if server:
        keep_freed()
    index = Index(database, blobs)

    def dicom_send(peer: Any, files: Sequence[bytes]) -> Sequence[tuple[str, str]]:
        answers = send(called(peer), files, calling=settings.aet)
        return [(s.sop_uid, "" if s.ok else s.comment or f"status {s.status}") for s in answers]

    called = partial(_peer, settings)
    ways = {"dicom": dicom_send, "dicom-tls": dicom_send}
    site = Site(
        database,
        blobs,
        journal,
        index,
        discover(),
        now,
        ways,
        settings.models,
        apart,
        settings.aet,
        lambda name: secret_of(settings.folder, name)[0].encode(),
    )
    site.bar_words(words_in(settings.password_words, settings.names, settings.aet, settings.address))
    site.public_address = settings.address.rstrip("/")
    site.fetching.ways = Elsewhere(called, settings.aet)
    site.committing.report = lambda peer, answer: commitment_scu.report(called(peer), answer, calling=settings.aet)
    site.committing.ask_by = lambda peer, wanted: commitment_scu.request(called(peer), wanted, calling=settings.aet)
    if settings.workitem_lease_min:
        site.working.lease = timedelta(minutes=settings.workitem_lease_min)
    return House(settings, site, database)


def _listed(text: str) -> tuple[str, ...]:
    return tuple(one.strip() for one in text.split(",") if one.strip())


def _peer(settings: Settings, told: Mapping[str, Any]) -> Peer:
    from isocenter.doors import tls
    from isocenter.doors.dimse_scu import Peer

    secure = None
    if told["kind"] == "dicom-tls":
        certificate, key, authorities = settings.tls or (None, None, None)
        secure = tls.client(authorities, certificate, key)
    return Peer(str(told["aet"]), str(told["host"]), int(told["port"]), secure)


@contextlib.contextmanager
def open_intake(settings: Settings) -> Iterator[Receiving]:
    """The way into the archive of a folder and nothing else of it; a new archive where there is none.

    What stores images and does not ask about them need not wait until everything that could be asked is loaded.

    Raises:
        Unavailable: when the disk says no.
    """
    from isocenter.site.receiving import Receiving

    database, blobs, journal = _stores(settings, server=False, make=True)
    try:
        yield Receiving(database, blobs, journal, now)
    finally:
        blobs.close()
        database.close()


def _stores(settings: Settings, *, server: bool, make: bool) -> tuple[Database, Blobs, Journal]:
    from isocenter.store.blobs import Blobs
    from isocenter.store.database import Database
    from isocenter.store.homes import Homes
    from isocenter.store.journal import Journal

    if not make and not settings.database and not (settings.folder / "archive.sqlite").exists():
        raise NotFound(
            f"an archive in '{settings.folder}'",
            "the folder holds none",
            "make one with `isocenter receive PATH`, or name it with --folder",
        )
    with _readable_refusal(settings.folder):
        settings.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    keyring = _keyring(settings)
    database = Database(settings.database_url, server=server)
    keyring.home = Homes(database).of
    blobs = Blobs(settings.blobs_url, keyring=keyring)
    return database, blobs, Journal(database, blobs)


def _keyring(settings: Settings) -> Keyring:
    """The keys of sealed projects, opened once, so that nobody learns in the middle of a night that one is missing.

    Raises:
        Refused: a project is sealed, and the master key is missing or another one.
    """
    from isocenter.store.keyring import Keyring
    from isocenter.store.master_key import master_key

    keyring = Keyring(settings.keys_folder)
    if settings.master_key:
        keyring.master = master_key(settings.master_key, settings.folder)
    keyring.check()
    return keyring


@contextlib.contextmanager
def _readable_refusal(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as refused:
        raise Unavailable(
            f"folder '{folder}'", f"it cannot be used ({refused.strerror})", "name another with --folder"
        ) from refused
