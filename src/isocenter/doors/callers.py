"""Who calls the DICOM port: an AE title, an address and, over TLS, a certificate that have to fit one listed device.

Anybody can claim an AE title. What is turned away hears the reason that the standard has for it (A-ASSOCIATE-RJ), and
the journal the words.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from isocenter.dicom.header import ae_title
from isocenter.doors.archive import Archive
from isocenter.doors.association import APPLICATION, Proposal
from isocenter.errors import Forbidden, IsocenterError, Refused
from isocenter.govern.policy import Person

__all__ = ["Callers", "Rejection", "full"]

# Result, source, reason of A-ASSOCIATE-RJ (PS3.8 table 9-21): permanent by the user, or transient by the provider.
_UNKNOWN_CALLER, _UNKNOWN_CALLED, _UNKNOWN_APPLICATION, _FULL = (1, 1, 3), (1, 1, 7), (1, 1, 2), (2, 3, 2)


class Rejection(Exception):
    """An association that is not accepted: the standard's reason for the caller, the error for the journal."""

    def __init__(self, reason: tuple[int, int, int], error: IsocenterError) -> None:
        super().__init__(str(error))
        self.reason, self.error = reason, error


class Callers:
    """Those who may call.

    Args:
        site: holds the list of peers.
        aet: our AE title; callers must use it.
        who: the person (service account) that stands behind a calling AE title; Forbidden where there is none.
    """

    def __init__(self, site: Archive, aet: str, who: Callable[[str], Person]) -> None:
        self._site, self._aet, self._who = site, aet, who

    def recognise(self, proposal: Proposal, address: str, shown: frozenset[str] | None) -> tuple[str, Person]:
        """The AE title that calls and who stands behind it.

        Args:
            proposal: what was asked for.
            address: where the call comes from.
            shown: the names of the caller's certificate in small letters; none without TLS.

        Raises:
            Rejection: whoever calls is not listed, calls from elsewhere or under another's certificate, has nobody
                behind it, means another archive, or speaks another application.
        """
        try:
            calling = ae_title(proposal.calling)
            self._must_show(calling, address, self._listed(calling, address), shown)
            who = self._who(calling)
        except (Forbidden, Refused) as error:
            raise Rejection(_UNKNOWN_CALLER, error) from None
        if proposal.called != self._aet:
            other = Forbidden(
                f"AE '{calling}' from {address} called {proposal.called[:16]!a}",
                f"this archive is '{self._aet}'",
                f"set the called AE title at '{calling}' to '{self._aet}'",
            )
            raise Rejection(_UNKNOWN_CALLED, other)
        if proposal.application != APPLICATION:
            what = f"Application context {proposal.application[:64]!a}"
            raise Rejection(_UNKNOWN_APPLICATION, Forbidden(what, "it is not DICOM's", "look at the sender"))
        return calling, who

    def _listed(self, calling: str, address: str) -> list[str]:
        """The hosts that are listed for a caller, one of which is where it calls from."""
        hosts = [str(p.get("host", "")) for p in self._site.peers() if p.get("aet") == calling]
        if not hosts:
            raise Forbidden(
                f"AE '{calling}' from {address} is not known",
                "only listed devices may send to or ask this archive",
                f"add it with `isocenter peer {calling} {address} PORT`, or to the peers in the settings",
            )
        if not any(host in ("", "*") or address in _addresses(host) for host in hosts):
            raise Forbidden(
                f"AE '{calling}' is known at {', '.join(hosts)} but called from {address}",
                "anybody can claim an AE title; the address must fit",
                f"correct the host of '{calling}' in the DICOM peers, or set it to '*' to allow any",
            )
        return hosts

    @staticmethod
    def _must_show(calling: str, address: str, hosts: list[str], shown: frozenset[str] | None) -> None:
        if shown is not None and not shown & {name.lower() for name in (calling, *hosts)}:
            raise Forbidden(
                f"AE '{calling}' from {address} showed a certificate of another",
                "it names neither this AE title nor the host that is listed for it",
                f"give it a certificate for '{calling}' (`isocenter certificate`), or list the host that stands in"
                " its certificate",
            )


def full(calling: str, address: str, limit: int) -> Rejection:
    """There is no place among the associations for now; whoever calls may try again."""
    return Rejection(
        _FULL,
        Forbidden(
            f"An association of '{calling}' from {address}",
            f"{limit} are open, the limit",
            "let it try again, or raise the limit of associations",
        ),
    )


def _addresses(host: str) -> set[str]:
    """The addresses of a host name; its own text where it cannot be resolved."""
    try:
        return {str(entry[4][0]) for entry in socket.getaddrinfo(host, None)}
    except OSError:
        return {host}
