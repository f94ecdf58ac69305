"""How long does the test command take, then and now?

    python benchmarks/test_command.py <commit> [commit ...]

Clones the repository at each commit and runs ``pytest`` there, in this environment, one
commit after the other: from an empty store, on a machine that does nothing else. Writes
results/test_command.csv: the seconds of every page and of the whole, and how the tests
ended. What pytest prints is kept in .cache/test_command, and a commit whose print is
whole is not run again. The first round's tests, which trained everything, take an hour.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import _record

ROOT = Path(__file__).resolve().parents[1]
PRINTS = ROOT / ".cache" / "test_command"
PAGE = re.compile(r"^ *([\d.]+)  book/(\S+)\.ipynb", re.MULTILINE)
END = re.compile(r"^[= ]*((?:\d+ \w+,? )+)in ([\d.]+)s", re.MULTILINE)
VARIABLES = "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "SRTOOLS_CACHE"


def printed(commit: str) -> str:
    """Return what pytest prints at a commit, from an earlier run if there was one."""
    path = PRINTS / f"{commit}.txt"
    if not (path.exists() and END.search(path.read_text())):
        PRINTS.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder, path.open("w") as file:
            clone = ["git", "clone", "--quiet", str(ROOT), folder]
            subprocess.run(clone, check=True)
            subprocess.run(["git", "checkout", "-q", commit], cwd=folder, check=True)
            settings = {k: v for k, v in os.environ.items() if k not in VARIABLES}
            subprocess.run(
                [sys.executable, "-m", "pytest", "-ra"],
                cwd=folder,
                env=settings | {"PYTHONPATH": folder},
                stdout=file,
                stderr=subprocess.STDOUT,
            )
    return path.read_text()


def main() -> None:
    """Run what was not run yet, and write the table."""
    rows = []
    for commit in sys.argv[1:]:
        text = printed(commit)
        if not (end := END.search(text)):
            sys.exit(f"{commit}: expected pytest to come to its end, see {PRINTS}")
        tests = end[1].strip(" ,")
        if "KeyboardInterrupt" in text:
            tests += ", stopped by hand"
        rows.append({"at": commit, "page": "", "seconds": end[2], "tests": tests})
        for seconds, page in sorted(PAGE.findall(text), key=lambda found: found[1]):
            rows.append({"at": commit, "page": page, "seconds": seconds, "tests": ""})
        print(commit, end[2], tests, flush=True)
    print(_record.write("test_command", rows))


if __name__ == "__main__":
    main()
