"""Taking a study that somebody shared: the other side of a link."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from isocenter.errors import Forbidden, IsocenterError, NotFound, Refused, Unavailable

if TYPE_CHECKING:
    import httpx

__all__ = ["fetch"]


def fetch(
    link: str,
    *,
    word: str = "",
    insecure: bool = False,
    root: Path | None = None,
    client: httpx.Client | None = None,
) -> Iterator[tuple[str, bytes | IsocenterError]]:
    """The files of the study behind a link, one by one.

    Args:
        link: as it was given, ``https://…/shared#SECRET``.
        word: where the link asks for one.
        insecure: take a link without TLS from another machine.
        root: PEM certificate of the authority that signed the other side's, beside those that this machine trusts.
        client: to ask with; a test passes its own.

    Yields:
        (SOP Instance UID, bytes or why it did not come).

    Raises:
        Refused: no such link, one without TLS, or a root that is none.
        Forbidden: the link opens nothing.
        Unavailable: the other side does not answer.
    """
    import httpx

    parts = urlsplit(link)
    if parts.scheme not in ("https", "http") or not parts.fragment or not parts.hostname:
        raise Refused("this is no link to a study", "it has the form https://…/shared#SECRET", "copy the whole of it")
    if parts.scheme == "http" and not insecure and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise Refused(
            f"a link to {parts.hostname} without TLS", "images and the secret would be read on the way", "use https"
        )
    headers = {b"X-Isocenter-Link": parts.fragment.encode()}
    if word:
        headers[b"X-Isocenter-Word"] = word.encode()  # bytes, for it may have any letters
    base = f"{parts.scheme}://{parts.netloc}"
    with client or httpx.Client(timeout=60, follow_redirects=False, verify=_trusted(root)) as asked:
        told = _asked(asked, f"{base}/api/shared", headers).json()
        for series in told["series"]:
            for one in series["instances"]:
                uid = str(one["sop_uid"])
                if set(uid) - set("0123456789."):
                    yield uid[:64], Refused("a UID that is none", "the other side sent it")
                    continue
                try:
                    yield uid, _asked(asked, f"{base}/api/shared/instances/{uid}", headers).content
                except IsocenterError as refusal:
                    yield uid, refusal


def _trusted(root: Path | None) -> ssl.SSLContext:
    import httpx

    trusted = httpx.create_ssl_context()
    if root is not None:
        try:
            trusted.load_verify_locations(root)
        except OSError as fault:  # ssl.SSLError is one
            raise Refused(
                f"the root '{root}'", f"it is no PEM certificate: {fault}", "take the other house's ca.pem"
            ) from None
    return trusted


def _asked(client: httpx.Client, url: str, headers: dict[bytes, bytes]) -> httpx.Response:
    import httpx

    try:
        answer = client.get(url, headers=headers)
    except httpx.HTTPError as fault:
        host = urlsplit(url).netloc
        if "CERTIFICATE_VERIFY_FAILED" in str(fault):
            raise Unavailable(
                f"{host} is not who it says, as far as this machine can tell",
                str(fault),
                "ask the other house for its root certificate, and name it with --root",
            ) from fault
        raise Unavailable(
            f"{host} does not answer", str(fault), "see whether the address is right, or try later"
        ) from fault
    if answer.status_code == 200:
        return answer
    try:
        told = answer.json()["error"]
        kind = NotFound if answer.status_code == 404 else Forbidden if answer.status_code in (401, 403) else Unavailable
        raise kind(str(told["what"])[:300], str(told["why"])[:300], str(told["do"])[:300])
    except (ValueError, KeyError, TypeError):
        raise Unavailable(f"the other side answered {answer.status_code}", "it may be no Isocenter") from None
