"""A web server over the department of the oversight tests: real pages, a real archive, a journal written by hand."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn
from browser_eyes import until

from department_for_oversight import department
from isocenter.doors import dicomweb, pages, pages_who
from isocenter.site.verbs import Site


@contextmanager
def serving(folder: Path, *, read: int = 30) -> Iterator[tuple[str, Site, Any]]:
    """Address, site and clock of a server; it is gone when the block ends."""
    with department(folder, read=read) as (site, clock):
        router = dicomweb.router(site, pages_who.person_of)
        app = pages.application(site, demo=False, clock=clock, dicomweb_router=router)
        held = socket.socket()
        held.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, args=([held],), daemon=True)
        thread.start()
        try:
            until(lambda: server.started)
            yield f"http://127.0.0.1:{held.getsockname()[1]}", site, clock
        finally:
            server.should_exit = True
            thread.join(10)
            held.close()
