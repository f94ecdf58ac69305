"""Where the pages find and keep things, and at which scale they run."""

import os
from pathlib import Path


def repository() -> Path:
    """Return the folder that holds ``_toc.yml``, or the working folder outside one."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "_toc.yml").exists():
            return folder
    return here


def cache_folder() -> Path:
    """Return the folder of what is trained here: ``SRTOOLS_CACHE``, or ``.cache``."""
    folder = os.environ.get("SRTOOLS_CACHE")
    return Path(folder) if folder else repository() / ".cache"


def scale() -> str:
    """Return ``"quick"``, or ``"full"`` where ``SRTOOLS_SCALE`` says so.

    Raises
    ------
    ValueError
        If ``SRTOOLS_SCALE`` is neither ``quick`` nor ``full``.
    """
    asked = os.environ.get("SRTOOLS_SCALE", "quick")
    if asked not in ("quick", "full"):
        raise ValueError(f"SRTOOLS_SCALE: expected quick or full, received {asked!r}")
    return asked
