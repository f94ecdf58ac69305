"""Everything that pip needs on a laptop without internet, for another laptop than this.

`collect` is ``pip download`` with two gaps filled. pip asks *this* machine which
requirements belong to a platform; so what the wheels themselves require over there is
read from them and fetched too. And where a package has no wheel, the message says
which, where, and what can be asked for instead.
"""

import email
import re
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename


@dataclass(frozen=True)
class Platform:
    """A kind of laptop: the tags of its wheels, and what markers find there."""

    tags: tuple[str, ...]
    os_name: str
    sys_platform: str
    platform_system: str
    platform_machine: str
    tensorflow: str  # the package of that name without code for GPUs


_LINUX = tuple(f"manylinux_2_{n}_x86_64" for n in range(28, 4, -1))
PLATFORMS = {
    "linux": Platform(
        (*_LINUX, "manylinux2014_x86_64", "linux_x86_64"),
        *("posix", "linux", "Linux", "x86_64", "tensorflow-cpu"),
    ),
    "macos": Platform(
        ("macosx_14_0_arm64",), "posix", "darwin", "Darwin", "arm64", "tensorflow"
    ),
    "windows": Platform(
        ("win_amd64",), "nt", "win32", "Windows", "AMD64", "tensorflow"
    ),
}
"""Those for which TensorFlow has wheels: Linux and Windows on x86-64, macOS on ARM."""


def this_platform() -> str:
    """Return the name of the platform that this is.

    Raises
    ------
    ValueError
        If it is none of `PLATFORMS`.
    """
    for name, platform in PLATFORMS.items():
        if platform.sys_platform == sys.platform:
            return name
    raise ValueError(f"expected --platform {', '.join(PLATFORMS)}: this is another one")


def environment(name: str, python: str) -> dict[str, str]:
    """Return what markers find on a platform with a Python such as ``"3.12"``."""
    platform = PLATFORMS[name]
    return {
        "implementation_name": "cpython",
        "implementation_version": f"{python}.0",
        "os_name": platform.os_name,
        "platform_machine": platform.platform_machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": platform.platform_system,
        "platform_version": "",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": platform.sys_platform,
        "extra": "",
    }


def versions(folder: Path) -> dict[str, str]:
    """Return the version of each package of which a folder has a wheel."""
    found = (parse_wheel_filename(wheel.name) for wheel in folder.glob("*.whl"))
    return {str(name): str(version) for name, version, *_ in found}


def lacking(folder: Path, there: dict[str, str]) -> list[str]:
    """Return what the wheels of a folder require in an environment and it lacks."""
    have, wanted = versions(folder), set()
    for wheel in folder.glob("*.whl"):
        for requirement in _requirements(wheel):
            marker, requirement.marker = requirement.marker, None
            if canonicalize_name(requirement.name) not in have and (
                marker is None or marker.evaluate(there)
            ):
                wanted.add(str(requirement))
    return sorted(wanted)


def _requirements(wheel: Path) -> Iterator[Requirement]:
    with zipfile.ZipFile(wheel) as content:
        names = content.namelist()  # what is vendored lies deeper
        (own,) = (n for n in names if re.fullmatch(r"[^/]*\.dist-info/METADATA", n))
        about = email.message_from_bytes(content.read(own))
    yield from map(Requirement, about.get_all("Requires-Dist", []))


def collect(
    requirements: list[str],
    name: str,
    python: str,
    folder: Path,
    seen: Callable[[str], object] = print,
) -> None:
    """Download the wheels of requirements, and of what they require.

    Parameters
    ----------
    requirements : list of str
    name : str
        Of a platform.
    python : str
        Such as ``"3.12"``.
    folder : Path
    seen : callable
        Is told the name of each package that pip comes to.

    Raises
    ------
    ValueError
        If a package has no wheel there: which, and what to do.
    """
    wanted = list(requirements)
    while wanted:
        _download(wanted, name, python, folder, seen)
        wanted = lacking(folder, environment(name, python))


def _download(wanted, name, python, folder, seen):
    command = [sys.executable, "-m", "pip", "download", "--dest", str(folder)]
    command += ["--only-binary", ":all:", "--implementation", "cp", "--no-input"]
    command += ["--python-version", python, "--progress-bar", "off"]
    for tag in PLATFORMS[name].tags:
        command += ["--platform", tag]
    said = []
    pip = subprocess.Popen(
        [*command, *wanted],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        for line in pip.stdout:
            said.append(line)
            if line.startswith("Collecting "):
                seen(line.split()[1])
    finally:
        pip.terminate()  # interrupted: pip cleans up after itself
        code = pip.wait()
    if code:
        raise ValueError(_reason("".join(said), name, python))


def _reason(said, name, python):
    where = f"{name}, Python {python}"
    if "No space left on device" in said:
        return f"{where}: the disk is full"
    if found := re.search(r"No matching distribution found for (\S+)", said):
        tried = re.search(r"from versions: ([^)]*)\)", said)
        others = "there is none for it at all"
        if tried and tried[1] != "none":
            newest = ", ".join(tried[1].split(", ")[-3:])
            others = f"the newest that has one: {newest}"
        return (
            f"{where}: expected a wheel of {found[1]}; {others}. Ask for another "
            f"--platform ({', '.join(PLATFORMS)}) or --python, or look at the network"
        )
    errors = [line for line in said.splitlines() if line.startswith("ERROR")]
    return f"{where}: pip download failed: {' '.join(errors[-2:]) or said[-300:]}"
