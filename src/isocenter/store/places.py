"""What the address of a store means: a folder, memory, or a bucket of S3."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from isocenter.errors import Refused

__all__ = ["local_folder", "open_store"]


def local_folder(url: str) -> Path | None:
    """The folder of an address; None where it is none on this machine."""
    parts = urlsplit(url)
    if parts.scheme == "file":
        return Path(unquote(parts.path)).resolve()
    if "://" in url:
        return None
    return Path(url).resolve()


def open_store(url: str, folder: Path | None, options: dict[str, str]) -> Any:
    """The object store of an address.

    Raises:
        Refused: no object store has it, or its options do not fit.
    """
    from obstore.store import LocalStore, MemoryStore, S3Store

    if folder is not None:
        return LocalStore(folder)
    parts = urlsplit(url)
    if parts.scheme == "memory":
        return MemoryStore()
    if parts.scheme != "s3" or not parts.netloc:
        raise Refused(
            f"the address '{url}'", "no object store has it", "write a folder, memory:// or s3://bucket/prefix"
        )
    endpoint = options.get("endpoint") or os.environ.get("AWS_ENDPOINT_URL", "")
    try:
        return S3Store(
            parts.netloc,
            prefix=parts.path.strip("/") or None,
            client_options={"allow_http": endpoint.startswith("http://")},
            retry_config={"max_retries": 3, "retry_timeout": timedelta(seconds=20)},
            **options,
        )
    except Exception as error:
        raise Refused(f"the address '{url}'", f"its options do not fit ({error})", "see the setting `blobs`") from error
