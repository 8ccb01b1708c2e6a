"""Where evalkit keeps what it has fetched or unpacked."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder(kind: str) -> Path:
    """The folder for things of one kind, such as "weights"; it need not exist.

    It lies in EVALKIT_CACHE_DIR where that is set, else in the user's cache folder for evalkit.
    """
    from platformdirs import user_cache_path

    chosen = os.environ.get("EVALKIT_CACHE_DIR")
    return (Path(chosen) if chosen else user_cache_path("evalkit", appauthor=False)) / kind
