"""Taking studies that somebody shared: the other side of a link."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from isocenter.errors import Forbidden, IsocenterError, NoAnswer, NotFound, Refused

if TYPE_CHECKING:
    import httpx

__all__ = ["Fetched", "Link", "linked"]

_LONGEST_COUNT = 1_000_000  # images that another house may name


@dataclass(frozen=True)
class Fetched:
    """One image of a link.

    Args:
        study: Study Instance UID through the link. sop_uid: of the image.
        data: the file, or why it did not come.
    """

    study: str
    sop_uid: str
    data: bytes | IsocenterError


class Link:
    """A link that another house gave, opened; `linked` makes one."""

    def __init__(self, client: httpx.Client, base: str, headers: dict[bytes, bytes]) -> None:
        self._client, self._base, self._headers = client, base, headers

    def state(self, name: str) -> str:
        """Say who holds it, where the link asks; how far that is: ``pending`` until whoever gave it has answered."""
        said = self._ask("POST", "/api/shared/identity", {"name": name}).json()
        return str(said["identity"])[:20]

    def images(self) -> Iterator[Fetched]:
        """The files behind it, one by one.

        Raises:
            Forbidden: the link opens nothing, or does not let its files be taken.
            NoAnswer: the other side does not answer.
        """
        told = self._ask("GET", "/api/shared").json()
        studies = told.get("studies") or [told]  # an older house has one study a link
        if "may" in told and "download" not in told["may"]:
            raise Forbidden(
                "this link does not let you take its files", "it was given to look at them (rule 'shared.download')",
                "ask whoever gave it for one that does, or open it in a browser",
            )  # fmt: skip
        named = [(_uid(s["uid"]), str(i["sop_uid"])) for s in studies for x in s["series"] for i in x["instances"]]
        for study, uid in named[:_LONGEST_COUNT]:
            if not uid or set(uid) - set("0123456789."):
                yield Fetched(
                    study,
                    uid[:64],
                    Refused(
                        "a UID that is none", "the other side sent it", "ask who sent the link to look at the study"
                    ),
                )
                continue
            try:
                yield Fetched(study, uid, self._ask("GET", f"/api/shared/instances/{uid}").content)
            except IsocenterError as refusal:
                yield Fetched(study, uid, refusal)

    def tell(self, study: str, counts: Mapping[str, int]) -> bool:
        """Say what was taken of a study, for the ledger of the other house; whether it keeps that."""
        try:
            self._ask("POST", "/api/shared/taken", {"study": study, **counts})
        except IsocenterError:
            return False  # an older house has no such ledger, or the link has ended: what came is here all the same
        return True

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> httpx.Response:
        return _asked(self._client, method, self._base + path, self._headers, body)


@contextmanager
def linked(
    link: str,
    *,
    word: str = "",
    code: str = "",
    insecure: bool = False,
    root: Path | None = None,
    client: httpx.Client | None = None,
) -> Iterator[Link]:
    """A link that another house gave.

    Args:
        link: as it was given, ``https://…/shared#SECRET``.
        word: where the link asks for one.
        code: where the other house wants to know who holds it.
        insecure: take a link without TLS from another machine.
        root: PEM certificate of the authority that signed the other side's, beside those that this machine trusts.
        client: to ask with; a test passes its own.

    Raises:
        Refused: no such link, one without TLS, or a root that is none.
    """
    import httpx

    parts = urlsplit(link)
    if parts.scheme not in ("https", "http") or not parts.fragment or not parts.hostname:
        raise Refused("this is no link to a study", "it has the form https://…/shared#SECRET", "copy the whole of it")
    if parts.scheme == "http" and not insecure and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise Refused(
            f"a link to {parts.hostname} without TLS", "images and the secret would be read on the way", "use https"
        )
    base = f"{parts.scheme}://{parts.netloc}"
    headers = {b"X-Isocenter-Link": parts.fragment.encode(), b"Origin": base.encode()}
    if word:
        headers[b"X-Isocenter-Word"] = word.encode()  # bytes, for it may have any letters
    if code:
        headers[b"X-Isocenter-Code"] = code.encode()
    with client or httpx.Client(timeout=60, follow_redirects=False, verify=_trusted(root)) as asked:
        yield Link(asked, base, headers)


def _uid(said: Any) -> str:
    """A UID that the other side names, as far as it is one."""
    return "".join(letter for letter in str(said)[:64] if letter in "0123456789.")


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


def _asked(
    client: httpx.Client, method: str, url: str, headers: dict[bytes, bytes], body: Mapping[str, Any] | None
) -> httpx.Response:
    import httpx

    try:
        answer = client.request(method, url, headers=headers, json=body)
    except httpx.HTTPError as fault:
        host = urlsplit(url).netloc
        if "CERTIFICATE_VERIFY_FAILED" in str(fault):
            raise NoAnswer(
                f"{host} is not who it says, as far as this machine can tell",
                str(fault),
                "ask the other house for its root certificate, and name it with --root",
            ) from fault
        raise NoAnswer(
            f"{host} does not answer", str(fault), "see whether the address is right, or try later"
        ) from fault
    if answer.status_code == 200:
        return answer
    try:
        told = answer.json()["error"]
        kind = NotFound if answer.status_code == 404 else Forbidden if answer.status_code in (401, 403) else NoAnswer
        raise kind(str(told["what"])[:300], str(told["why"])[:300], str(told["do"])[:300])
    except (ValueError, KeyError, TypeError):
        raise NoAnswer(f"the other side answered {answer.status_code}", "it may be no Isocenter") from None
