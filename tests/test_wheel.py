"""The package alone: a wheel with its weights runs a page far from the repository."""

import os
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = (ROOT / "pyproject.toml").read_text()


@pytest.mark.slow
def test_the_wheel_runs_a_page_without_the_repository(tmp_path):
    def run(*command, **how):
        done = subprocess.run(
            [sys.executable, "-m", *command], capture_output=True, text=True, **how
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]

    copy = tmp_path / "source"
    left_out = shutil.ignore_patterns(".*", "_build", "build", "*.egg-info", "book")
    shutil.copytree(ROOT, copy, ignore=left_out)
    run("pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", tmp_path, copy)
    shutil.rmtree(copy)
    (wheel,) = tmp_path.glob("superres_tomo-*.whl")
    site, elsewhere = tmp_path / "site", tmp_path / "elsewhere"
    run("pip", "install", "--quiet", "--no-deps", "--target", site, wheel)
    (package,) = metadata.distributions(path=[str(site)])
    assert package.metadata["License-Expression"] == "MIT"
    assert package.version == tomllib.loads(PROJECT)["project"]["version"]
    carried = {file.name for file in package.files}
    shipped = {file.name for file in (ROOT / "srtools" / "weights").iterdir()}
    assert {"LICENSE", "catalogue.toml"} | shipped - {"__pycache__"} <= carried
    needed = [Requirement(one) for one in package.requires if "extra" not in one]
    assert needed and all(metadata.version(r.name) in r.specifier for r in needed)
    elsewhere.mkdir()
    shutil.copy(ROOT / "book" / "reconstruction" / "cnn.ipynb", elsewhere)
    shutil.copy(ROOT / "tests" / "nbval.cfg", elsewhere)
    (elsewhere / "test_origin.py").write_text(
        "import srtools\n\n\ndef test_origin():\n"
        f"    assert srtools.__file__.startswith({str(site)!r})\n"
    )
    kept = {k: v for k, v in os.environ.items() if not k.startswith("SRTOOLS_")}
    started = {"PYTHONPATH": str(site), "SRTOOLS_CACHE": str(tmp_path / "cache")}
    options = ["--nbval-lax", "--nbval-current-env", "--nbval-cell-timeout=600"]
    sanitized = ["--nbval-sanitize-with", "nbval.cfg"]
    run("pytest", *options, *sanitized, cwd=elsewhere, env=kept | started)
    assert not list((tmp_path / "cache").rglob("cnn-*.keras")), "nothing was trained"
