"""A workshop in one file, for a room without internet; and: will this laptop do?

    python scripts/bundle.py                        this platform and this Python
    python scripts/bundle.py --platform windows linux --python 3.12
    python scripts/bundle.py --no-wheels            small; the laptops need internet
    python scripts/bundle.py check                  look at the laptop that this is

The archive holds the book as HTML, the notebooks without solutions and outputs, the
package with its trained networks, what pip needs, data, and scripts that install it all
into the unpacked folder. It takes its name only when it is whole.
"""

from __future__ import annotations

import argparse
import datetime
import errno
import hashlib
import json
import runpy
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ROOM = ROOT / "scripts" / "room"  # what goes along as it is
FOLDER = "superres-tomo-workshop"  # into which the archive unpacks
AT_HAND = (
    16_000_000  # bytes of networks and simulated data: others are made in a minute
)
TESTED = ("3.11", "3.12", "3.13")  # Pythons
PACKED = {".whl", ".keras", ".png"}  # hardly get smaller
FREE = {True: 2.5e9, False: 4e8}  # bytes of disk that an archive takes meanwhile


def book(folder: Path) -> dict[str, Path]:
    """Return the files of the book as HTML, building it where it is not up to date."""
    html = ROOT / "_build" / "html"
    sources = [ROOT / "_toc.yml", ROOT / "_config.yml", *(ROOT / "book").rglob("*.*")]
    sources += (ROOT / "srtools").rglob("*.py")  # their docstrings are the reference
    newest = max(path.stat().st_mtime for path in sources if path.is_file())
    built = html / "index.html"
    if not built.exists() or built.stat().st_mtime < newest:
        program = "import jupyter_book.cli.main as book; book.main()"
        command = [sys.executable, "-c", program, "build", str(ROOT)]
        command += ["--quiet", "--path-output", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True)
        html = folder / "_build" / "html"
        if done.returncode or not (html / "index.html").exists():
            raise ValueError(f"the book cannot be built:\n{done.stderr[-2000:]}")
    return _below(html, "html")


def participants(folder: Path) -> dict[str, Path]:
    """Return the notebooks without solutions and outputs, by their place."""
    import nbformat
    import pairs

    files = {}
    for source in pairs.pages([], ROOT):
        name = source.relative_to(ROOT).with_suffix(".ipynb").as_posix()
        files[name] = folder / name
        files[name].parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(pairs.for_participants(source), files[name])
    for source in (ROOT / "book").glob("*.md"):
        if not source.with_suffix(".ipynb").exists():
            files[source.relative_to(ROOT).as_posix()] = source
    return files


def package(folder: Path) -> dict[str, Path]:
    """Build the wheel of the package, with the networks that come with it."""
    copy = folder / "source"
    left_out = shutil.ignore_patterns(".*", "__pycache__")
    copy.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    shutil.copytree(ROOT / "srtools", copy / "srtools", ignore=left_out)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps"]
    command += ["--wheel-dir", str(folder), str(copy)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise ValueError(f"the package cannot be built:\n{done.stderr[-2000:]}")
    (wheel,) = folder.glob("superres_tomo-*.whl")
    return {f"wheels/{wheel.name}": wheel}


def requirements(name: str | None = None) -> list[str]:
    """Return what the pages import at its tested versions, and what opens them.

    For a platform, or for all of them, told apart by markers.
    """
    from wheels import PLATFORMS

    lines = (ROOT / "binder" / "requirements.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line)
    version = pins.pop("tensorflow-cpu")
    others = [*(f"{package}=={pin}" for package, pin in pins.items()), "jupyterlab"]
    if name:
        return [*others, f"{PLATFORMS[name].tensorflow}=={version}", "pip"]
    return others + [
        f'{p.tensorflow}=={version}; sys_platform == "{p.sys_platform}"'
        for p in PLATFORMS.values()
    ]


def downloads(
    platforms: list[str], pythons: list[str], folder: Path
) -> tuple[dict[str, Path], dict[str, list[str]]]:
    """Download everything that pip needs, for each platform and Python.

    Returns the wheels, and the versions of each package.
    """
    from tqdm import tqdm
    from wheels import collect, versions

    files, packages = {}, {}
    for name in platforms:
        for python in pythons:
            place = folder / f"{name}-{python}"
            place.mkdir()
            with tqdm(desc=f"wheels for {name}, Python {python}", unit="") as bar:
                collect(requirements(name), name, python, place, lambda _: bar.update())
            files |= _below(place, "wheels")
            for package, version in versions(place).items():
                packages[package] = sorted({*packages.get(package, ()), version})
    return files, packages


def open_data(missing: list[str]) -> dict[str, Path]:
    """Return the open data sets that can be had; say which cannot."""
    from srtools.datasets import available, catalogue, fetch

    files = {}
    for name, entry in catalogue().items():
        if not (entry.sha256 or entry.files):
            continue  # of the dead links of 2020: pages use stand-ins
        try:
            found = fetch(name) if available(name) else None
        except (OSError, ValueError) as error:
            found = None
            print(error)
        if found is None:
            missing.append(f"open data: {name} is neither in SRTOOLS_DATA nor online")
        elif found.is_dir():
            files |= _below(found, f"open/{entry.file}")
        else:
            files[f"open/{entry.file}"] = found
    return files


def made_here(missing: list[str]) -> dict[str, Path]:
    """Return networks and simulated data that pages left here, the smallest first."""
    groups = []
    shipped = {card.stem for card in (ROOT / "srtools" / "weights").glob("*.json")}
    newest = {}
    cards = (ROOT / ".cache" / "trained").glob("*.json")
    for card in sorted(cards, key=lambda card: card.stat().st_mtime):
        newest[card.stem.rpartition("-")[0]] = card
    for stem in sorted(newest.keys() - shipped):
        pair = newest[stem], newest[stem].with_suffix(".keras")
        groups.append((f"network {stem}", [file for file in pair if file.exists()]))
    for folder in sorted((ROOT / "data").iterdir()):
        files = [f for f in _below(folder, "").values() if ".partial" not in str(f)]
        files = [f for f in files if f.name != "generatedata.py"]
        if files:
            groups.append((f"simulated data: {folder.name}", files))
        elif folder.is_dir():
            missing.append(f"simulated data: {folder.name}, made when a page needs it")
    room, taken = AT_HAND, {}
    for name, files in sorted(groups, key=lambda group: _size(group[1])):
        if (size := _size(files)) > room:
            missing.append(f"{name}, {size / 1e6:.0f} MB: made when a page needs it")
            continue
        room -= size
        taken |= {file.relative_to(ROOT).as_posix(): file for file in files}
    return taken


def tools(folder: Path) -> dict[str, Path]:
    """Return the scripts for the laptop, with the line ends that Windows wants."""
    files = _below(ROOM, "")
    for name, path in files.items():
        if path.suffix in (".bat", ".txt"):
            files[name] = folder / path.name
            lines = path.read_text(encoding="utf-8").splitlines()
            files[name].write_bytes("\r\n".join([*lines, ""]).encode())
    needs = folder / "requirements.txt"
    needs.write_text("\n".join(requirements()) + "\n")
    sheet = ROOT / "book" / "_static" / "cheat_sheet.pdf"
    files |= {"_toc.yml": ROOT / "_toc.yml"}  # by which the pages find data and cache
    files |= _below(ROOT / "benchmarks" / "results", "benchmarks/results")
    return {**files, "tools/requirements.txt": needs, "cheat_sheet.pdf": sheet}


def _below(folder, name):
    """Every file below a folder, by its path in the archive."""
    left_out = {"__pycache__", ".DS_Store", ".ipynb_checkpoints"}
    return {
        (Path(name) / path.relative_to(folder)).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not left_out & set(path.parts)
    }


def _size(files):
    return sum(file.stat().st_size for file in files)


def write(files: dict[str, Path], told: dict, output: Path) -> None:
    """Write the archive, its manifest last: it appears only when it is whole.

    Parameters
    ----------
    files : dict of str to Path
        By their place in the archive.
    told : dict
        What the manifest says beside sizes and SHA-256.
    output : Path

    Raises
    ------
    OSError
        If the disk is full: nothing is left of the archive then.
    """
    from tqdm import tqdm

    from srtools.files import atomic_write

    total, facts = _size(files.values()), {}
    bar = tqdm(total=total, desc=output.name, unit="B", unit_scale=True)
    with bar, atomic_write(output) as partial:
        with zipfile.ZipFile(partial, "w") as archive:
            for name, path in files.items():
                facts[name] = _add(archive, name, path, bar)
            manifest = json.dumps({**told, "files": facts}, indent=1)
            archive.writestr(f"{FOLDER}/manifest.json", manifest, zipfile.ZIP_DEFLATED)


def _add(archive, name, path, bar):
    info = zipfile.ZipInfo.from_file(path, f"{FOLDER}/{name}", strict_timestamps=False)
    packed = path.suffix in PACKED
    info.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
    if path.suffix == ".sh":
        info.external_attr = 0o100755 << 16
    found, size = hashlib.sha256(), 0
    with path.open("rb") as source, archive.open(info, "w") as target:
        while block := source.read(1 << 20):
            target.write(block)
            found.update(block)
            size += len(block)
            bar.update(len(block))
    return {"bytes": size, "sha256": found.hexdigest()}


def make(output: Path, platforms: list[str], pythons: list[str]) -> dict:
    """Collect everything, write the archive, return what its manifest tells.

    Without platforms it has no wheels but the package's own.
    """
    need = FREE[bool(platforms)] * max(1, len(platforms) * len(pythons))
    for place in {output.parent, Path(tempfile.gettempdir())}:
        if (free := shutil.disk_usage(place).free) < need:
            raise OSError(
                f"{place}: expected {need / 1e9:.1f} GB of free disk, found "
                f"{free / 1e9:.1f} GB"
            )
    missing: list[str] = []
    with tempfile.TemporaryDirectory(prefix="bundle-") as work:
        for name in ("text", "notebooks", "package", "wheels"):
            Path(work, name).mkdir()
        print("the package, with its trained networks", flush=True)
        files = package(Path(work, "package"))
        found, packages = downloads(platforms, pythons, Path(work, "wheels"))
        print("data", flush=True)
        files |= found | open_data(missing) | made_here(missing)
        print("the book, and notebooks for participants", flush=True)
        files |= book(Path(work)) | participants(Path(work, "notebooks"))
        files |= tools(Path(work, "text"))
        git = ["git", "-C", str(ROOT), "describe", "--always", "--dirty"]
        done = subprocess.run(git, capture_output=True, text=True)
        told = {
            "name": "superres-tomo workshop",
            "commit": done.stdout.strip() or "unknown",
            "date": datetime.date.today().isoformat(),
            "platforms": platforms,
            "pythons": pythons,
            "packages": packages,
            "missing": missing,
        }
        write(files, told, output)
    return told


def main() -> int:
    """Read the command line, do what it says, return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("task", nargs="?", choices=["make", "check"], default="make")
    parser.add_argument("--platform", nargs="+", metavar="NAME", help="of the laptops")
    parser.add_argument("--python", nargs="+", metavar="X.Y", help="of the laptops")
    parser.add_argument("--no-wheels", action="store_true")
    parser.add_argument("--output", type=Path, default=Path(f"{FOLDER}.zip"))
    asked = parser.parse_args()
    if asked.task == "check":
        sys.path.insert(0, str(ROOT))
        return not runpy.run_path(str(ROOM / "tools" / "check.py"))["check"]()
    sys.path[:0] = [str(ROOT), str(ROOT / "scripts")]
    from wheels import PLATFORMS, this_platform

    try:
        platforms = [] if asked.no_wheels else asked.platform or [this_platform()]
        for name in platforms:
            if name not in PLATFORMS:
                expected = ", ".join(PLATFORMS)
                raise ValueError(f"--platform: expected {expected}, received {name!r}")
        here = ["{}.{}".format(*sys.version_info[:2])]
        pythons = asked.python or (here if platforms else list(TESTED))
        told = make(asked.output.absolute(), platforms, pythons)
    except KeyboardInterrupt:
        print("\ninterrupted: there is no archive")
        return 1
    except (ValueError, OSError) as error:
        full = getattr(error, "errno", None) == errno.ENOSPC
        print("the disk is full: there is no archive" if full else error)
        return 1
    for line in told["missing"]:
        print(f"not in it: {line}")
    print(f"{asked.output}: {asked.output.stat().st_size / 1e6:.0f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
