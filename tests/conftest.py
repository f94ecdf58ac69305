"""Shared by the tests of the book: it is built once."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def html(tmp_path_factory):
    """Build the book as if on a fork; it must leave the checkout alone."""
    folder = tmp_path_factory.mktemp("book")
    before = set(ROOT.iterdir()) | set((ROOT / "book").rglob("*"))
    program = "import jupyter_book.cli.main as book; book.main()"
    command = [sys.executable, "-c", program, "build", str(ROOT)]
    built = subprocess.run(
        [*command, "-W", "--keep-going", "--path-output", str(folder)],
        capture_output=True,
        text=True,
        env={**os.environ, "GITHUB_REPOSITORY": "someone/fork", "NO_COLOR": "1"},
    )
    said = [line for line in built.stderr.splitlines() if "absl" not in line]
    assert built.returncode == 0, "\n".join(said)
    assert set(ROOT.iterdir()) | set((ROOT / "book").rglob("*")) == before
    return folder / "_build" / "html"
