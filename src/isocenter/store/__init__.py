"""What endures: blobs, the journal, the index made from it, durable jobs. The one door to SQL, obstore and DBOS.

Names are loaded when they are first used: SQLAlchemy alone costs a fifth of a second, and most commands need none.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isocenter.store.blobs import Blobs
    from isocenter.store.database import Database
    from isocenter.store.index import Index
    from isocenter.store.intake import Stored, receive
    from isocenter.store.jobs import Jobs
    from isocenter.store.journal import Journal
    from isocenter.store.refold import rebuild

__all__ = ["Blobs", "Database", "Index", "Jobs", "Journal", "Stored", "rebuild", "receive"]

# A function never has the name of a module: importing the module would put it in the function's place.
_ROOMS = {"Stored": "intake", "receive": "intake", "rebuild": "refold"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_ROOMS.get(name, name.lower())}"), name)
