"""A site's line to the coordinator: it calls, is never called, and goes on where a broken line broke.

Hospitals let connections out, not in; so the site asks what is wanted, again and again, and answers.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from isocenter.doors import tls
from isocenter.errors import (
    Conflict,
    Forbidden,
    IsocenterError,
    LimitReached,
    NoAnswer,
    NotFound,
    NotWhole,
    Refused,
    WrongState,
)
from isocenter.govern.identities import AUTHORITY, CERTIFICATE, KEY
from isocenter.learn.federation import Federation

if TYPE_CHECKING:
    from isocenter.learn.federation_site import Participant

__all__ = ["Line", "caller", "take_part"]

_PIECE = 2**18
_LARGEST = 2**31
_CUT_OFF = 3
"""So often a coordinator that never answered may hang up before that is taken for its answer."""
_KINDS: dict[str, type[IsocenterError]] = {
    kind.__name__: kind for kind in (Forbidden, LimitReached, NotFound, NotWhole, Refused, WrongState)
}


def caller(url: str, identity: Path) -> httpx.Client:
    """A client that shows this site's certificate and believes the federation's authority alone.

    Raises:
        Refused: an address without TLS, or an identity whose files are missing or do not belong together.
    """
    if urlsplit(url).scheme != "https":
        raise Refused(f"the address '{url:.80}'", "what travels would be read on the way", "use https://…")
    try:
        trust = tls.client(identity / AUTHORITY, identity / CERTIFICATE, identity / KEY)
    except Refused as wrong:
        raise Refused(wrong.what, wrong.why, "make it again with `isocenter federate identity`") from None
    return httpx.Client(base_url=url, verify=trust, timeout=60, trust_env=False, follow_redirects=False)


class Line:
    """Calls, tried again while the other side does not answer.

    Args:
        wait: sleeps so many seconds. patience_s: after so much waiting in one call it is given up.
        tell: hears once in a call that it waits and for how long, so that a wrong address is not minutes of silence.
    """

    def __init__(
        self, client: httpx.Client, wait: Callable[[float], None], patience_s: float = 300.0,
        tell: Callable[[str], None] = lambda words: None,
    ) -> None:  # fmt: skip
        self._client, self._wait, self._patience_s, self._tell = client, wait, patience_s, tell
        self._heard = False  # whether the other side ever answered a word

    def call(self, method: str, path: str, **given: Any) -> httpx.Response:
        """One call.

        Raises:
            NoAnswer: nobody answers, or somebody else does.
            Forbidden: one side does not believe the other's certificate.
            IsocenterError: what the coordinator refused, in its own words.
        """
        waited, pause, cut_off = 0.0, 0.5, 0
        while True:
            try:
                answer = self._client.request(method, path, **given)
                self._heard = True
                if waited:
                    self._tell("the coordinator answers again")
                if answer.status_code < 500:
                    return _judged(answer)
                why = f"it answered {answer.status_code}"
            except httpx.TransportError as broken:
                why = str(broken) or type(broken).__name__
                if "CERTIFICATE" in why.upper():  # it will not get better by trying
                    raise Forbidden("the other side's certificate", why[:300], "ask whoever keeps the authority") from (
                        broken
                    )
                # In TLS 1.3 a server looks at our certificate once the connection stands, and hangs up without a word.
                cut_off += not isinstance(broken, httpx.ConnectError | httpx.TimeoutException)
                if cut_off == _CUT_OFF and not self._heard:
                    raise Forbidden(
                        "the coordinator takes the call and hangs up", "so it does where it does not believe this"
                        " site's certificate: one of another authority, or one that has ended",
                        "ask whoever keeps the authority for a new one: `isocenter federate identity`",
                    ) from broken  # fmt: skip
            if waited >= self._patience_s:
                raise NoAnswer(
                    f"the coordinator at {self._client.base_url} does not answer", why[:300],
                    "check the address, or start again later: nothing is lost",
                )  # fmt: skip
            if not waited:
                self._tell(
                    f"the coordinator at {self._client.base_url} does not answer ({why[:300]});"
                    f" tried again for {self._patience_s:.0f} s"
                )
            self._wait(pause)
            waited, pause = waited + pause, min(2 * pause, 15.0)

    def json(self, method: str, path: str, told: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """A call with words, answered with words."""
        given = {} if told is None else {"content": json.dumps(told).encode()}
        found = self.call(method, path, **given).json()
        if not isinstance(found, dict):
            raise NoAnswer("an answer that is no table", "the other side may be no Isocenter")
        return found

    def weights(self, digest: str) -> bytes:
        """The shared weights, piece by piece, held against their digest."""
        data = bytearray()
        while piece := self.call("GET", f"/federation/weights/{digest}", params={"offset": len(data)}).content:
            data += piece
            if len(data) > _LARGEST:
                raise LimitReached("weights without end", f"at most {_LARGEST} bytes are taken")
        if sha256(data).hexdigest() != digest:
            raise NotWhole("weights that were damaged on the way", "their digest is another", "try again")
        return bytes(data)

    def send(self, number: int, data: bytes, held: int, told: Mapping[str, Any]) -> None:
        """A masked update, from where the coordinator has it."""
        while held < len(data):
            piece = data[held : held + _PIECE]
            answer = self.call("PUT", f"/federation/sums/{number}/update", params={"offset": held}, content=piece)
            held = int(answer.json()["held"])
        self.json("POST", f"/federation/sums/{number}/send", told)


def _so_far(line: Line, site: Participant, asked: Mapping[str, Any]) -> str:
    """Take what the whole rounds gave, where a run ends before its time; where it lies, in words to be added."""
    if not int(asked["done"]):
        return ""
    try:
        file = site.finish(line.weights(str(asked["base"])), over=False)
    except IsocenterError as lost:
        return f"; the weights so far did not come ({lost.what})"
    return f"; the shared weights after round {int(asked['done'])} lie in {file}"


def _judged(answer: httpx.Response) -> httpx.Response:
    if answer.status_code == 200:
        return answer
    try:
        told = answer.json()["error"]
        words = [str(told[k])[:300] for k in ("what", "why", "do")]
    except (ValueError, KeyError, TypeError):
        raise NoAnswer(f"the other side answered {answer.status_code}", "it may be no Isocenter") from None
    raise (_Taken if told.get("kind") == "Conflict" else _KINDS.get(str(told.get("kind")), Refused))(*words)


class _Taken(Conflict):
    """The coordinator has this answer already: its acknowledgement was lost on the way."""


def take_part(
    line: Line, site: Participant, *, wait: Callable[[float], None], pause_s: float = 0.5,
    happened: Callable[[str, Mapping[str, Any]], None] = lambda what, told: None,
    may: Callable[[str], None] = lambda step: None,
) -> Path:  # fmt: skip
    """Join a federation, answer until it is over, and write the shared weights.

    Args:
        pause_s: between two questions while nothing is wanted.
        happened: is told "joined", "round" and "done", with figures; for the journal of the site's archive.
        may: raises, before each step (offer, deal, send, reveal) is answered, where the images may not be used any
            more; the site says nothing further then, and the others count it as lost.

    Returns:
        The file of the weights.

    Raises:
        IsocenterError: this site does not go along, or the federation was stopped.
    """
    terms = line.json("GET", "/federation")
    how = Federation.heard(terms["agreement"])
    told = site.look(how)
    run = str(line.json("POST", "/federation/join", told)["run"])
    site.join(run)
    happened("joined", {"run": run, **site.agreement(), "aside": told["aside"]})
    while True:
        try:
            asked = line.json("GET", "/federation/now")
        except WrongState:  # the coordinator was started again and does not know us any more
            line.json("POST", "/federation/join", told)
            wait(pause_s)
            continue
        if asked["run"] != run:
            raise Conflict("another run at this address", "the coordinator began anew", "join again")
        if asked["step"] == "stopped":
            happened("done", {"run": run, "rounds": asked["done"], "why": str(asked.get("why", ""))[:300]})
            raise NoAnswer(
                f"the federation was stopped after {int(asked['done'])} of {int(asked['rounds'])} rounds",
                str(asked.get("why", ""))[:300], "ask the coordinator" + _so_far(line, site, asked),
            )  # fmt: skip
        if asked["step"] == "done":
            file = site.finish(line.weights(str(asked["base"])))
            happened("done", {"run": run, "rounds": asked["rounds"], "weights": asked["base"]})
            return file
        if asked["step"] == "wait":
            wait(pause_s)
            continue
        try:
            may(str(asked["step"]))
        except IsocenterError as why:
            happened("done", _ended(run, asked, why))
            raise
        try:
            said = site.answer(asked, line.weights)
            if isinstance(said, bytes):
                line.send(int(asked["number"]), said, int(asked.get("held", 0)), site.told())
                happened("round", {"run": run, "round": int(asked["round"]) + 1, "bytes": len(said), **site.figures()})
            else:
                line.json("POST", f"/federation/sums/{int(asked['number'])}/{asked['step']}", said)
        except (WrongState, NotFound, _Taken):  # that step went by without us, or our answer is there already
            wait(pause_s)
        except (Forbidden, Refused) as why:  # this site's own conditions: the others need not wait for it
            with suppress(IsocenterError):
                line.json("POST", "/federation/leave", {"why": f"{why.what}: {why.why}"})
            happened("done", _ended(run, asked, why))
            if so_far := _so_far(line, site, asked):
                raise type(why)(why.what, why.why, why.do + so_far) from None
            raise


def _ended(run: str, asked: Mapping[str, Any], why: IsocenterError) -> dict[str, Any]:
    return {"run": run, "rounds": asked["done"], "why": f"{why.what}: {why.why}"[:300]}
