"""What a department's systems are told and tell, beside images: promises, HL7 messages, work items, audits.

Here the doors of the exchange are opened for a site and what is owed is handed out again and again, until the house
closes. Nothing is kept here: what is owed stands in the journal.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from isocenter import wholly
from isocenter.doors import mllp, syslog, tls, workitem_scp
from isocenter.doors.commitment_scp import Commitment
from isocenter.doors.dimse_scu import Peer
from isocenter.doors.mpps_scp import PerformedSteps
from isocenter.doors.service import Service
from isocenter.doors.worklist_scp import Worklist
from isocenter.errors import IsocenterError, Refused
from isocenter.govern.policy import Person, Role
from isocenter.settings import Settings
from isocenter.site.messaging import DICOM
from isocenter.site.working import Report

__all__ = ["Exchange", "services"]

LOG: Final = logging.getLogger("isocenter.doors.exchange")


def services(site: Any) -> Sequence[Service]:
    """What the DICOM port speaks beside storage and query/retrieve, a line each."""
    return (
        Worklist(site.ordering),
        PerformedSteps(site.ordering),
        Commitment(site.committing),
        workitem_scp.Workitems(site.working),
    )


@dataclass
class Exchange:
    """The exchange of one site.

    Args:
        call: a peer of the archive -> how it is called.
        stop: set when the house closes.
        closing: what is called then, the newest first.
    """

    settings: Settings
    site: Any
    call: Callable[[Mapping[str, Any]], Peer]
    stop: threading.Event
    closing: list[Callable[[], None]]
    hl7_port: int = 0

    def start(self) -> None:
        """Open what is set, and hand out what is owed."""
        self.start_committing()
        self.start_messaging()
        self.start_working()
        self.start_collecting()

    def start_committing(self, every_s: float = 60.0) -> None:
        """Give the promises that are owed to those who did not wait for them."""
        here = self.site.committing
        self._again("commitment", every_s, here.deliver, here.wake)

    def start_messaging(self, every_s: float = 30.0) -> None:
        """Open the HL7 port, where one is set, and send signed reports to whom they are owed.

        Raises:
            Refused: the port would be open to others in the clear.
        """
        chosen, here = self.settings, self.site.messaging
        here.processing = tuple(_listed(chosen.hl7_processing))
        files = None if chosen.hl7_plain else chosen.tls
        if chosen.hl7_port >= 0:
            self._open_hl7(files)
        peers = _listed(chosen.dicom_results)
        if peers:
            here.want([DICOM + one for one in peers])
            self._again("signed results", every_s, lambda: self.site.deliver_signed(peers))
        receivers = _listed(chosen.hl7_results)
        if not receivers:
            return
        here.want(receivers)

        def tell(receiver: str, message: bytes) -> bytes:
            host, port = _place(receiver, "hl7_results")
            return mllp.send(host, port, message, tls=None if chosen.hl7_plain else self._secure(host))

        self._again("results", every_s, lambda: here.deliver(receivers, tell))

    def _open_hl7(self, files: tuple[Path, Path, Path | None] | None) -> None:
        chosen = self.settings
        if files is None and not chosen.hl7_plain and not tls.is_loopback(chosen.host):
            raise Refused(
                f"an HL7 port on {chosen.host} without TLS", "names and findings would be read on the way",
                "make certificates with `isocenter certificate`, or set ISOCENTER_HL7_PLAIN=true on a network of"
                " its own",
            )  # fmt: skip
        system = Person("HL7", Role.SERVICE, "aet")
        listener = mllp.MllpListener(
            lambda data: self.site.messaging.hear(data, who=system), host=chosen.host, port=chosen.hl7_port,
            senders=_listed(chosen.hl7_senders), tls=tls.server(*files) if files is not None else None,
        )  # fmt: skip
        self.hl7_port = listener.start()
        self.closing.append(listener.stop)

    def start_working(self, every_s: float = 1.0) -> None:
        """Tell those who watch work items by DIMSE what happens to them, from where the last telling ended."""
        here, mark = self.site.working, self.settings.folder / "workitems.mark"

        def look() -> None:
            at = int(mark.read_text("ascii")) if mark.exists() else 0
            reports, reached = here.reports(at)
            for peer in self.site.peers() if reports else ():
                mine = [r for r in reports if peer["aet"] in r.watchers and here.holds(r.uid, _system(peer))]
                if mine and peer["port"]:
                    with contextlib.suppress(IsocenterError):  # who is not there now asks how things stand later
                        self._tell(peer, mine)
            if reached != at:
                wholly.write(mark, str(reached), durable=False)

        self._again("work items", every_s, look)

    def start_collecting(self, every_s: float = 5.0) -> None:
        """Hand every entry of the journal to the audit collector, where one is set.

        Raises:
            Refused: the setting is no host and port.
        """
        if not self.settings.audit_collector:
            return
        host, port = _place(self.settings.audit_collector, "audit_collector")
        here, secure = self.site.collecting, self._secure(host)
        here.mark, here.here = self.settings.folder / "audit.mark", socket.gethostname()
        here.begin(self.settings.audit_collector)

        def look() -> None:
            before = here.silent_s()
            try:
                here.deliver(lambda messages: syslog.send(host, port, messages, tls=secure))
            except IsocenterError as silent:
                if not before:  # told once; how long it lasts stands in the figures
                    LOG.warning("%s", silent)

        self._again("audit", every_s, look)

    def _secure(self, host: str) -> ssl.SSLContext | None:
        """TLS to whoever is not on this machine, with our own certificate where we have one."""
        if tls.is_loopback(host):
            return None
        files = self.settings.tls
        return tls.client(files[2], files[0], files[1]) if files is not None else tls.client(None)

    def _tell(self, peer: Mapping[str, Any], reports: list[Report]) -> None:
        workitem_scp.tell(self.call(peer), reports, calling=self.settings.aet)

    def _again(
        self, name: str, every_s: float, look: Callable[[], object], wake: threading.Event | None = None
    ) -> None:  # fmt: skip
        """Look again and again until the house closes; a refusal now is no reason not to look later."""
        woken = wake or self.stop

        def loop() -> None:
            while not self.stop.is_set():
                with contextlib.suppress(IsocenterError):
                    look()
                woken.wait(every_s)
                if wake is not None:
                    wake.clear()

        thread = threading.Thread(target=loop, name=name, daemon=True)
        thread.start()

        def end() -> None:
            self.stop.set()
            woken.set()
            thread.join(5)

        self.closing.append(end)


def _system(peer: Mapping[str, Any]) -> Person:
    return Person(str(peer["aet"]), Role.SERVICE, "aet")


def _place(text: str, setting: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal():
        raise Refused(f"'{text:.60}'", "it is not host:port", f"correct {setting}")
    return host.strip("[]"), int(port)


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]
