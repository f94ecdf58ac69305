"""Install the workshop on this laptop out of this folder; no internet is needed.

First the folder is compared with its manifest, so that an archive that was cut short or
damaged on its way is found before anything is installed. Start it again at any time.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NEEDED = 3e9  # bytes


def manifest(root):
    """Return the manifest, or None where the archive was cut short."""
    try:
        return json.loads((root / "manifest.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def damaged(root, files, progress=lambda done, of: None):
    """Return what is missing or not as it was packed, a sentence each."""
    wrong, done, of = [], 0, sum(facts["bytes"] for facts in files.values())
    for name, facts in files.items():
        path = root / name
        if not path.is_file():
            wrong.append(name + " is missing")
        elif path.stat().st_size != facts["bytes"]:
            wrong.append(name + " is incomplete")
        else:
            found = hashlib.sha256()
            with path.open("rb") as file:
                for block in iter(lambda: file.read(1 << 22), b""):
                    found.update(block)
            if found.hexdigest() != facts["sha256"]:
                wrong.append(name + " is damaged")
        done += facts["bytes"]
        progress(done, of)
    return wrong


def suits(told, version=None):
    """Tell whether this Python is one for which the archive has packages."""
    version = version or sys.version_info[:2]
    return "{}.{}".format(*version) in told["pythons"]


def _bar(done, of):
    full = int(40 * done / of) if of else 40
    if sys.stdout.isatty():
        print("\r[" + "#" * full + "." * (40 - full) + "]", end="", flush=True)


def _venv(root, told):
    """Make a virtual environment; return the command that is its pip."""
    folder = root / ".venv"
    python = folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    pips = sorted((root / "wheels").glob("pip-*.whl"))
    command = [sys.executable, "-m", "venv", str(folder)]
    subprocess.run(command + ["--without-pip"] * bool(pips), check=True)
    if pips:  # straight from its wheel: no ensurepip, which Debian keeps apart
        return [str(python), str(pips[-1] / "pip")]
    return [str(python), "-m", "pip"]


def install(root=ROOT):
    """Check, install, and check again; return what is wrong, or an empty text."""
    told = manifest(root)
    if told is None:
        return "manifest.json is missing or cut off: copy and unpack the archive again"
    if not suits(told):
        return (
            "This is Python {}.{}, and the packages here are for Python {}. Install "
            "that one from python.org, or ask for the archive that fits".format(
                *sys.version_info[:2], " or ".join(told["pythons"])
            )
        )
    here = {"linux": "linux", "darwin": "macos", "win32": "windows"}.get(sys.platform)
    if told["platforms"] and here not in told["platforms"]:
        return "The packages here are for {}, and this is {}: ask for another".format(
            " and ".join(told["platforms"]), here or sys.platform
        )
    print("Is everything there?")
    wrong = damaged(root, told["files"], _bar)
    print()
    if wrong:
        shown = "\n  ".join(wrong[:5] + ["and more"] * (len(wrong) > 5))
        return "Copy and unpack the archive again:\n  " + shown
    if shutil.disk_usage(str(root)).free < NEEDED:
        return f"The disk is nearly full: {NEEDED / 1e9:.0f} GB are needed"
    print("Installing; this takes a minute or two.")
    finished = root / ".venv" / "complete"
    if finished.exists():
        finished.unlink()
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "PYTHON"))}
    wheels = ["--find-links", str(root / "wheels")]
    if told["platforms"]:  # else the packages come from the internet
        kept["PIP_CONFIG_FILE"] = os.devnull
        wheels.append("--no-index")
    (own,) = (root / "wheels").glob("superres_tomo-*.whl")
    try:
        pip = [*_venv(root, told), "install", "--quiet", "--no-compile", *wheels]
        needs = str(root / "tools" / "requirements.txt")
        subprocess.run([*pip, "-r", needs], check=True, env=kept)
        subprocess.run([*pip, "--no-deps", str(own)], check=True, env=kept)
    except subprocess.CalledProcessError as error:
        return "It stopped (see above): {}".format(" ".join(map(str, error.cmd[:4])))
    finished.write_text("installed\n")
    return ""


if __name__ == "__main__":
    if "--suits" in sys.argv:
        told = manifest(ROOT)
        sys.exit(told is not None and not suits(told))
    wrong = install()
    if wrong:
        print(wrong)
    else:
        start = "start.bat" if os.name == "nt" else "sh start.sh"
        print("Installed. To open the notebooks: " + start)
    sys.exit(bool(wrong))
