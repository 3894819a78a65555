"""Commands that stay: demo, serve, work; and the manual's generated pages."""

from __future__ import annotations

import errno
import signal
import socket
import threading
import time
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from isocenter.cli import Json, Where, app, settings
from isocenter.errors import Unavailable

__all__: list[str] = []


@app.command()
def demo(
    data: Annotated[
        Path | None, typer.Option(help="Folder, ZIP or DICOMDIR; without it, phantoms and samples.")
    ] = None,
    port: Annotated[int | None, typer.Option(help="Port of the web server; 0 takes a free one.")] = None,
    dicom_port: Annotated[int | None, typer.Option(help="Port of the DICOM listener; 0 takes a free one.")] = None,
    wrap: Annotated[str, typer.Option(help="Take JPEG and PNG too, as DICOM of this modality (DX, CR, OT).")] = "",
    headless: Annotated[bool, typer.Option("--headless", help="Do the same and exit, for machines.")] = False,
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """The main job, whole: load studies, analyse, order the worklist, draft the reports, open the doors."""
    from isocenter.app import open_house
    from isocenter.cli.demonstration import load, show, summary, use_openly, use_triage
    from isocenter.cli.screen import Screen

    screen = Screen(as_json)
    started = time.monotonic()
    chosen = settings(folder or Path("isocenter-demo"), port=port, dicom_port=dicom_port, demo=data is None)
    if not headless:
        _must_be_free(chosen)
    house = open_house(chosen, server=True)
    try:
        house.first_person()
        house.add_known_peers()
        use_triage(house)
        if data is None:
            use_openly(house)
        house.work.start()
        house.work.follow()
        if not headless:
            house.start_listening()
            house.work.escalate()
            house.work.watch()
            house.exchange.start()
            house.start_web()
        with screen.progress("demo") as told:
            ledger = load(house, data, wrap, told)
            _wait(house, told)
        closing = summary(house.site, ledger, time.monotonic() - started)
        if headless:
            screen.answer(closing)
            show(screen, closing)
            return
        # Of phantoms nobody has to be kept away in a hurry: whoever comes back from lunch finds the door open.
        link = house.sign_in_link(life=timedelta(hours=24) if chosen.demo else None)
        screen.answer(closing | {"address": link})
        show(screen, closing)
        screen.say(f"\nOpen {link} (once, within {'a day' if chosen.demo else 'ten minutes'})")
        screen.say(f"DICOM listens on {chosen.host}:{house.dicom_port} as {chosen.aet}. Stop with Ctrl+C.")
        _until_told()
    finally:
        house.close()


def _wait(house: Any, told: Any) -> None:
    """Until nothing is left to do; counts instead of a spinner."""
    while (waiting := house.work.waiting()) or not house.work.settled():  # asked seldom: the cores are the analyses'
        told("analysing", 0, waiting)
        time.sleep(0.25)


@app.command()
def serve(
    port: Annotated[int | None, typer.Option(help="Port of the web server; 0 takes a free one.")] = None,
    dicom_port: Annotated[int | None, typer.Option(help="Port of the DICOM listener; 0 takes a free one.")] = None,
    host: Annotated[str | None, typer.Option(help="Address; loopback unless told.")] = None,
    peers: Annotated[str | None, typer.Option(help="DICOM peers: AET@host:port, by commas.")] = None,
    workers: Annotated[int | None, typer.Option(help="Analyses at the same time; 0 leaves them to `work`.")] = None,
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Archive, DICOM listener, web server and workers, until Ctrl+C."""
    from isocenter.app import open_house
    from isocenter.cli.screen import Screen
    from isocenter.cli.sealing import in_the_clear

    screen = Screen(as_json)
    chosen = settings(folder, port=port, dicom_port=dicom_port, host=host, peers=peers, workers=workers)
    _must_be_free(chosen)
    house = open_house(chosen, server=True)
    try:
        secret = house.first_person()
        house.add_known_peers()
        house.work.start()
        house.work.follow()
        house.start_listening()
        house.work.escalate()
        house.work.watch()
        house.work.sign_ends()
        house.exchange.start()
        house.start_web()
        said = {"web": house.web_port, "dicom": house.dicom_port, "aet": chosen.aet, "link": house.sign_in_link()}
        if house.dicom_tls_port:
            said["dicom_tls"] = house.dicom_tls_port
        screen.answer(said)
        if clear := in_the_clear(house):
            screen.warn(clear)
        if secret:
            screen.say(f"The administrator's password was drawn and lies in {secret}")
        screen.say(f"Open {said['link']} (once, within ten minutes)")
        screen.say(f"DICOM listens on {chosen.host}:{house.dicom_port} as {chosen.aet}. Stop with Ctrl+C.")
        _until_told()
    finally:
        house.close()


@app.command()
def work(
    workers: Annotated[int | None, typer.Option(help="Analyses at the same time.")] = None,
    folder: Where = None,
    as_json: Json = False,
) -> None:
    """Take jobs of a running server, here or on another machine with the same database and object store."""
    from isocenter.app import open_house
    from isocenter.cli.screen import Screen

    screen = Screen(as_json)
    house = open_house(settings(folder, workers=workers), make=False)
    try:
        house.work.start()
        screen.answer({"workers": house.settings.workers})
        screen.say(f"{house.settings.workers} workers take jobs. Stop with Ctrl+C.")
        _until_told()
    finally:
        house.close()


@app.command()
def manual(
    folder: Annotated[Path, typer.Argument(help="Where the generated pages go.")] = Path("docs/look-up"),
    as_json: Json = False,
) -> None:
    """Write the generated pages of the manual: settings, commands, routes, methods, analyses, life cycles."""
    from isocenter.cli.pages import write_manual
    from isocenter.cli.screen import Screen
    from isocenter.forms.words import many

    screen = Screen(as_json)
    written = write_manual(folder)
    screen.answer({"pages": [str(p) for p in written]})
    screen.say(f"{many(len(written), 'page')} written to {folder}")


def _must_be_free(chosen: Any) -> None:
    """Ask for the ports before an archive is opened and workers are started, so that nobody waits for a refusal.

    Raises:
        Unavailable: another program listens there.
    """
    from isocenter.doors import tls

    own = chosen.host if tls.is_loopback(chosen.host) or chosen.dicom_plain else "127.0.0.1"
    for host, port, name in ((chosen.host, chosen.port, "--port"), (own, chosen.dicom_port, "--dicom-port")):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM) as asked:
            asked.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                asked.bind((host, port))
            except OSError as taken:
                if taken.errno == errno.EADDRNOTAVAIL:
                    raise Unavailable(
                        f"address {host}", "this machine has none of that kind", "give one of its own with --host"
                    ) from taken
                if isinstance(taken, socket.gaierror):
                    raise Unavailable(
                        f"address {host}", f"it is none ({taken.strerror})", "give one of this machine with --host"
                    ) from taken
                if taken.errno == errno.EACCES:
                    raise Unavailable(
                        f"port {port} on {host}", "this account may not open it, as those below 1024 on most systems",
                        f"give another port with {name}",
                    ) from taken  # fmt: skip
                raise Unavailable(
                    f"port {port} on {host}",
                    f"it cannot be opened ({taken.strerror}): another program listens there, perhaps this one already",
                    f"stop the other program, or give another port with {name}",
                ) from taken


def _until_told() -> None:
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stop.set())
    while not stop.wait(3600):
        pass
