"""The trained networks that come with the package.

    python scripts/weights.py ship     take over what the pages have trained here
    python scripts/weights.py list     say what there is, and how large it is

To renew all: empty ``srtools/weights`` of ``.keras`` and ``.json`` files, execute the
pages, then ship. A network is shipped if its file is at most LARGEST bytes; larger ones
are trained where they are used. Of several trainings of one name the newest is taken.
"""

import argparse
import json
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from srtools.tutorial import cache_folder  # noqa: E402
from srtools.weights import SHIPPED  # noqa: E402

LARGEST, ALL = 3_000_000, 12_000_000  # bytes


def ship() -> None:
    """Copy networks and tuned settings from the cache into the package."""
    folder = cache_folder() / "trained"
    cards = sorted(folder.glob("*.json"), key=lambda card: card.stat().st_mtime)
    for card in cards:
        stem = card.stem.rpartition("-")[0]
        weights = card.with_suffix(".keras")
        if weights.exists():
            if weights.stat().st_size > LARGEST:
                continue
            shutil.copyfile(weights, SHIPPED / f"{stem}.keras")
        shutil.copyfile(card, SHIPPED / f"{stem}.json")
    size = sum(file.stat().st_size for file in SHIPPED.iterdir() if file.is_file())
    if size > ALL:
        sys.exit(f"expected at most {ALL / 1e6:.0f} MB in all, found {size / 1e6:.1f}")


def show() -> None:
    """Print a line for each network."""
    total = 0
    for path in sorted(SHIPPED.glob("*.json")):
        card = json.loads(path.read_text())
        files = [f for f in (path, path.with_suffix(".keras")) if f.exists()]
        size = sum(file.stat().st_size for file in files)
        total += size
        print(
            f"{path.stem:32} {size / 1e3:8.0f} kB {card['seconds']:7.1f} s "
            f"{card['date']} {card['commit']}"
        )
    print(f"{'in all':32} {total / 1e3:8.0f} kB")


def main() -> None:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", choices=["ship", "list"])
    if parser.parse_args().task == "ship":
        ship()
    show()


if __name__ == "__main__":
    main()
