"""A server on a folder and a port, to be killed: one image. `python killed_server.py FOLDER PORT`."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

from pydicom.data import get_testdata_file

from isocenter.app import open_house
from isocenter.govern.policy import HOUSE
from isocenter.settings import Settings


def main() -> None:
    """Serve until killed; the first line tells the port and, the first time, a link that signs in."""
    house = open_house(Settings(folder=Path(sys.argv[1]), port=int(sys.argv[2])), server=True)
    fresh = bool(house.first_person())
    if fresh:
        file = Path(str(get_testdata_file("CT_small.dcm", download=False)))
        house.site.receive([file.read_bytes()], sender="test", who=HOUSE)
    house.start_web()
    print(house.web_port, house.sign_in_link() if fresh else "", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
