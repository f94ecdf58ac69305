"""Environments of their own for other people's software, made when they are needed."""

import json
import os
import re
import subprocess
import sys
import venv
from collections.abc import Iterator, Sequence
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent
OURS = "numpy scipy h5py lazy-loader scikit-image joblib tqdm tifffile threadpoolctl"
"""What `srtools` needs to project, at the tested versions."""

PEERS = {
    "image": "torch==2.11.0 torchvision==0.26.0 deepinv==0.5.0 careamics==0.3.5",
    "torch": "torch==2.13.0 tensorflow keras astra-toolbox==2.5.0",
    "jax": "jax==0.10.2 keras",
}
"""The packages of each environment; a name alone has the tested version."""

LOOSE = {"image"}
"""Where `srtools` gets what the peers bear, and not the tested versions."""


def python(name: str) -> Path:
    """Return the interpreter of an environment, which is made if there is none."""
    from srtools.tutorial import cache_folder

    folder = cache_folder().resolve() / "peers" / name
    ours = OURS.split() if name in LOOSE else pinned(OURS)
    packages = [*ours, *pinned(PEERS[name])]
    where = "Scripts/python.exe" if os.name == "nt" else "bin/python"
    done = folder / "packages.txt"
    if not done.exists() or done.read_text().split() != packages:
        print(f"making {folder.name}: pip install {' '.join(packages)}", flush=True)
        venv.create(folder, with_pip=True)
        install = [folder / where, "-m", "pip", "install", "-q", *packages]
        subprocess.run(install, check=True)
        done.write_text("\n".join(packages))
    return folder / where


def pinned(names: str) -> list[str]:
    """Return names of packages, each with the version that the tests use."""
    pins = dict(
        line.split("==")
        for line in (ROOT / "requirements.txt").read_text().splitlines()
        if "==" in line
    )
    return [f"{n}=={pins[n]}" if n in pins else n for n in names.split()]


def can_be_installed(package: str) -> bool:
    """Tell whether pip finds a package, without installing it."""
    ask = [sys.executable, "-m", "pip", "install", "-q", "--dry-run", "--no-deps"]
    return subprocess.run([*ask, package], capture_output=True).returncode == 0


def rows(name: str, script: str, *arguments: str, **variables) -> Iterator[dict]:
    """Run a script of this folder in an environment; yield the rows that it prints.

    A row is a line of JSON; whatever else is printed is passed over.
    """
    quiet = {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2"}
    command: Sequence = [python(name), "-W", "ignore", HERE / script, *arguments]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env=os.environ | quiet | variables
    ) as running:
        for line in running.stdout:
            if re.match(r"\{.*\}$", line):
                yield json.loads(line)
    if running.returncode:
        raise RuntimeError(f"{script} in {name} ended with {running.returncode}")
