"""The trained networks that come with the package.

    python scripts/weights.py ship     take over what the pages have trained here
    python scripts/weights.py list     say what there is, and how large it is

To renew a page's: execute it, then ship. Of several trainings of one name the newest is
taken; what is in the package and was not trained here stays. There is room for ALL
bytes: what saves the most seconds a byte comes first, and what finds no room is trained
where it is used. Networks that no page uses any more are deleted by hand.
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
FIRST = {"cnn"}  # always: the first network that a reader meets, and most pages use


def ship() -> None:
    """Copy networks and tuned settings from the cache into the package."""
    newest = {card.stem: card for card in SHIPPED.glob("*.json")}
    trained_here = (cache_folder() / "trained").glob("*.json")
    for card in sorted(trained_here, key=lambda card: card.stat().st_mtime):
        newest[card.stem.rpartition("-")[0]] = card
    files = {
        stem: [f for f in (card, card.with_suffix(".keras")) if f.exists()]
        for stem, card in newest.items()
    }
    sizes = {stem: sum(f.stat().st_size for f in files[stem]) for stem in files}
    seconds = {stem: json.loads(newest[stem].read_text())["seconds"] for stem in files}
    room = ALL
    for stem in sorted(
        files, key=lambda s: (s not in FIRST, sizes[s] / max(seconds[s], 0.1))
    ):
        shipped = [SHIPPED / f"{stem}{file.suffix}" for file in files[stem]]
        if sizes[stem] > room:
            print(f"{stem}: no room for its {sizes[stem] / 1e6:.1f} MB")
            for file in shipped:
                file.unlink(missing_ok=True)
            continue
        room -= sizes[stem]
        for file, copy in zip(files[stem], shipped, strict=True):
            if file != copy:
                shutil.copyfile(file, copy)


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
