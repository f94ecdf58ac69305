"""Where trained networks and tuned settings are kept, and what is noted beside them."""

import datetime
import json
import os
import platform
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from srtools import weights
from srtools.files import one_at_a_time
from srtools.tutorial.places import cache_folder


def kept_file(name: str, key: str, ending: str) -> Path:
    """Return the file with a key: of the package, or else where it is or will be kept.

    Where ``SRTOOLS_TRAIN=1`` is set, files of the package are passed over.
    """
    stem = re.sub(r"[^\w.-]+", "_", name)
    if os.environ.get("SRTOOLS_TRAIN") != "1":
        card = weights.SHIPPED / f"{stem}.json"
        if card.exists() and json.loads(card.read_text("utf-8")).get("key") == key:
            return card.with_suffix(ending)
    return cache_folder() / "trained" / f"{stem}-{key}{ending}"


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Be the only process that makes a file; where it cannot be written, go on."""
    with ExitStack() as stack:
        with suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
            stack.enter_context(one_at_a_time(path))
        yield


def provenance() -> dict[str, str]:
    """Return where, with what and when something was computed."""
    import keras

    backend = keras.backend.backend()
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
    ).stdout.strip()
    return {
        "hardware": f"{os.cpu_count()} cores, {platform.machine()}",
        "versions": f"keras {keras.__version__} on {backend}",
        "date": datetime.date.today().isoformat(),
        "commit": commit or "unknown",
    }
