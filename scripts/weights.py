"""The trained networks that come with the package.

    python scripts/weights.py ship     take over what the pages have trained here
    python scripts/weights.py list     say what there is, and how large it is

To renew all: execute the pages, then ship. What was in the package goes; of several
trainings of one name the newest is taken. There is room for ALL bytes: what saves the
most seconds a byte comes first, and what finds no room is trained where it is used.
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

ALL = 12_000_000  # bytes


def ship() -> None:
    """Copy networks and tuned settings from the cache into the package."""
    newest = {}
    for card in (cache_folder() / "trained").glob("*.json"):
        stem = card.stem.rpartition("-")[0]
        if stem not in newest or card.stat().st_mtime > newest[stem].stat().st_mtime:
            newest[stem] = card
    files = {
        stem: [f for f in (card, card.with_suffix(".keras")) if f.exists()]
        for stem, card in newest.items()
    }
    sizes = {stem: sum(f.stat().st_size for f in files[stem]) for stem in files}
    seconds = {stem: json.loads(newest[stem].read_text())["seconds"] for stem in files}
    for file in [*SHIPPED.glob("*.json"), *SHIPPED.glob("*.keras")]:
        file.unlink()
    room = ALL
    for stem in sorted(files, key=lambda s: sizes[s] / max(seconds[s], 0.1)):
        if sizes[stem] > room:
            print(f"{stem}: no room for its {sizes[stem] / 1e6:.1f} MB")
            continue
        room -= sizes[stem]
        for file in files[stem]:
            shutil.copyfile(file, SHIPPED / f"{stem}{file.suffix}")


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
