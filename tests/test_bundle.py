"""The workshop in one archive: whole or not there, and it installs without internet."""

import ast
import errno
import json
import os
import runpy
import shutil
import subprocess
import sys
import zipfile
from collections import namedtuple
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOM = ROOT / "scripts" / "room"
sys.path.insert(0, str(ROOT / "scripts"))

import bundle  # noqa: E402
import wheels  # noqa: E402

install = runpy.run_path(str(ROOM / "tools" / "install.py"))
check = runpy.run_path(str(ROOM / "tools" / "check.py"))


@pytest.fixture
def parts(tmp_path):
    """Three small files, by their place in an archive."""
    contents = {"start.sh": b"#!/bin/sh\n", "wheels/a.whl": b"w" * 99, "data/x": b"x"}
    files = {}
    for number, (name, content) in enumerate(contents.items()):
        files[name] = tmp_path / f"{number}{Path(name).suffix}"
        files[name].write_bytes(content)
    return files


@pytest.fixture
def unpacked(parts, tmp_path):
    """An archive that was written and unpacked."""
    archive = tmp_path / "a.zip"
    here = "{}.{}".format(*sys.version_info[:2])
    bundle.write(parts, {"pythons": [here], "platforms": []}, archive)
    with zipfile.ZipFile(archive) as content:
        content.extractall(tmp_path)
    return tmp_path / bundle.FOLDER


def test_the_manifest_tells_what_is_in_the_archive(unpacked):
    told = json.loads((unpacked / "manifest.json").read_text())
    assert told["files"]["wheels/a.whl"]["bytes"] == 99
    assert install["damaged"](unpacked, told["files"]) == []


@pytest.mark.parametrize(
    ("harm", "says"),
    [
        (lambda file: file.unlink(), "wheels/a.whl is missing"),
        (lambda file: file.write_bytes(b"w" * 98), "wheels/a.whl is incomplete"),
        (lambda file: file.write_bytes(b"v" * 99), "wheels/a.whl is damaged"),
    ],
)
def test_what_was_lost_on_the_way_is_found(unpacked, harm, says):
    harm(unpacked / "wheels" / "a.whl")
    assert says in install["install"](unpacked)
    assert not (unpacked / ".venv").exists()


def test_an_archive_that_was_cut_short_has_no_manifest(unpacked):
    (unpacked / "manifest.json").unlink()
    assert "copy and unpack the archive again" in install["install"](unpacked)


def tell(folder, **facts):
    told = json.loads((folder / "manifest.json").read_text()) | facts
    (folder / "manifest.json").write_text(json.dumps(told))


def test_a_laptop_with_another_python_is_told_which_one(unpacked):
    tell(unpacked, pythons=["3.98", "3.99"])
    assert "are for Python 3.98 or 3.99" in install["install"](unpacked)


def test_a_laptop_of_another_kind_is_told(unpacked):
    tell(unpacked, platforms=["amiga"])
    assert "are for amiga, and this is" in install["install"](unpacked)


@pytest.mark.skipif(os.name == "nt", reason="a shell script")
def test_the_shell_script_finds_out_that_no_python_fits(unpacked):
    tell(unpacked, pythons=["3.99"])
    shutil.copytree(ROOM, unpacked, dirs_exist_ok=True)
    done = subprocess.run(
        ["sh", unpacked / "install.sh"], capture_output=True, text=True
    )
    assert done.returncode == 1 and "are for Python 3.99" in done.stdout
    done = subprocess.run(["sh", unpacked / "start.sh"], capture_output=True, text=True)
    assert done.returncode == 1 and "run  sh install.sh" in done.stdout


@pytest.mark.parametrize(
    "end", [KeyboardInterrupt(), OSError(errno.ENOSPC, "No space left on device")]
)
def test_an_interruption_or_a_full_disk_leaves_no_archive(
    parts, tmp_path, monkeypatch, end
):
    def stopped(*_):
        raise end

    monkeypatch.setattr(bundle, "_add", stopped)
    with pytest.raises(type(end)):
        bundle.write(parts, {}, tmp_path / "a.zip")
    assert not list(tmp_path.glob("a.zip*"))


def command(monkeypatch, capsys, *arguments, make=None):
    monkeypatch.setattr(sys, "argv", ["bundle.py", *map(str, arguments)])
    if make:
        monkeypatch.setattr(bundle, "make", make)
    return bundle.main(), capsys.readouterr().out


def test_a_disk_that_fills_up_is_said(monkeypatch, capsys):
    def make(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    code, said = command(monkeypatch, capsys, make=make)
    assert code == 1 and said == "the disk is full: there is no archive\n"


def test_a_disk_that_is_nearly_full_is_said_before_the_work(
    tmp_path, monkeypatch, capsys
):
    usage = namedtuple("usage", "total used free")(1e9, 9e8, 1e8)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    code, said = command(monkeypatch, capsys, "--output", tmp_path / "a.zip")
    assert code == 1 and "expected 2.5 GB of free disk, found 0.1 GB" in said


def test_an_unknown_platform_is_said(monkeypatch, capsys):
    code, said = command(monkeypatch, capsys, "--platform", "amiga")
    assert code == 1
    assert "expected linux, macos, windows, received 'amiga'" in said


def test_what_is_missing_is_said_and_not_fatal(monkeypatch, tmp_path, capsys):
    import srtools.datasets

    monkeypatch.setattr(srtools.datasets, "available", lambda name: name == "tooth")
    monkeypatch.setattr(srtools.datasets, "fetch", lambda name: tmp_path / "tooth.h5")
    missing = []
    files = bundle.open_data(missing)
    assert list(files) == ["open/tooth.h5"]
    assert "open data: savu_tube is neither in SRTOOLS_DATA nor online" in missing
    told = {"missing": missing}
    (tmp_path / "a.zip").write_bytes(b"")
    out = "--output", tmp_path / "a.zip"
    code, said = command(monkeypatch, capsys, *out, make=lambda *_: told)
    assert code == 0 and "not in it: open data: savu_tube" in said


def test_what_finds_no_room_is_left_out_and_said(tmp_path, monkeypatch):
    for name, size in (("small", 10), ("large", 100), ("empty", 0)):
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        (folder / "generatedata.py").write_text("")
        if size:
            (folder / "x.h5").write_bytes(b"x" * size)
    monkeypatch.setattr(bundle, "ROOT", tmp_path)
    monkeypatch.setattr(bundle, "AT_HAND", 50)
    missing = []
    assert list(bundle.made_here(missing)) == ["data/small/x.h5"]
    assert missing[0] == "simulated data: empty, made when a page needs it"
    assert missing[1].startswith("simulated data: large, 0 MB: made when")


def wheel(folder, name, *requirements, version="1.0"):
    about = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    about += "".join(f"Requires-Dist: {r}\n" for r in requirements)
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as file:
        file.writestr(f"{name}-{version}.dist-info/METADATA", about)
        file.writestr("vendored/other-1.dist-info/METADATA", "Name: other\n")


def test_what_wheels_require_elsewhere_is_found(tmp_path):
    markers = 'winpty>=2; os_name == "nt"', 'old; python_version < "3.12"'
    wheel(tmp_path, "terminal", *markers, "b", 'c; extra == "more"')
    wheel(tmp_path, "b")
    linux = wheels.environment("linux", "3.12")
    assert wheels.lacking(tmp_path, linux) == []
    windows = wheels.environment("windows", "3.11")
    assert wheels.lacking(tmp_path, windows) == ["old", "winpty>=2"]
    assert wheels.versions(tmp_path) == {"terminal": "1.0", "b": "1.0"}


def test_a_platform_without_a_wheel_is_named_with_what_there_is(monkeypatch):
    said = (
        "ERROR: Could not find a version that satisfies the requirement "
        "tensorflow==2.21.0 (from versions: 2.15.0, 2.16.2)\n"
        "ERROR: No matching distribution found for tensorflow==2.21.0\n"
    )
    reason = wheels._reason(said, "macos", "3.10")
    assert reason.startswith("macos, Python 3.10: expected a wheel of tensorflow==2.21")
    assert "the newest that has one: 2.15.0, 2.16.2" in reason and "--python" in reason
    none = wheels._reason(said.replace("2.15.0, 2.16.2", "none"), "macos", "3.10")
    assert "there is none for it at all" in none
    full = "ERROR: [Errno 28] No space left on device"
    assert "the disk is full" in wheels._reason(full, "linux", "3.11")


def test_each_platform_gets_the_tensorflow_that_it_can_use():
    for name, platform in wheels.PLATFORMS.items():
        (mine,) = (r for r in bundle.requirements(name) if r.startswith("tensorflow"))
        assert mine.split("==")[0] == platform.tensorflow
    everywhere = [r for r in bundle.requirements() if r.startswith("tensorflow")]
    assert len(everywhere) == 3 and all("sys_platform ==" in r for r in everywhere)
    assert "jupyterlab" in bundle.requirements()


@pytest.mark.parametrize("name", ["install", "check"])
def test_what_runs_first_on_a_laptop_needs_nothing(name):
    tree = ast.parse(
        (ROOM / "tools" / f"{name}.py").read_text(), feature_version=(3, 7)
    )
    for node in tree.body:
        names = [a.name for a in getattr(node, "names", [])]
        if isinstance(node, ast.ImportFrom):
            names = [node.module]
        assert {n.split(".")[0] for n in names} <= sys.stdlib_module_names


def test_an_old_python_is_told_what_the_workshop_needs(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 8, 1))
    verdict, said = check["python"]()
    assert not verdict and "3.8.1: the workshop needs 3.11 or 3.12 or 3.13" in said


def test_the_check_trains_a_network_and_speaks_plainly(monkeypatch):
    names = check["check"].__globals__
    monkeypatch.setitem(names, "PACKAGES", ("keras", "srtools"))
    said = []
    assert check["check"](1.0, said.append) in (True, False)  # this machine may be full
    _, disk, _, imports, network, pages, verdict = said
    assert imports == "good      all packages are there"
    assert "a network learnt for 1 seconds" in network and "its error fell" in network
    assert "reconstruction/cnn" in pages and "GB are free" in disk
    assert all(line.startswith(("good", "NOT GOOD", "not known")) for line in said[:-1])
    assert verdict in ("This laptop will do.", "Show this to the teacher.")
    fine, slow = check["pages"](check["SPEED"] / 100)
    assert not fine and slow.startswith("slow")


def test_a_laptop_where_nothing_is_installed_is_told(monkeypatch):
    there = check["imports"]
    monkeypatch.setitem(there.__globals__, "PACKAGES", ("no_such_package",))
    assert there() == (
        False,
        "nothing is installed yet, or in another Python: run install",
    )


def offline(*command, **how):
    """Run a command in a network of its own, in which nobody is."""
    inside = 'ip link set lo up; exec "$@"'
    return subprocess.run(
        ["unshare", "-rn", "sh", "-c", inside, "sh", *map(str, command)],
        capture_output=True,
        text=True,
        **how,
    )


@pytest.mark.slow
@pytest.mark.skipif(
    not shutil.which("unshare") or offline("true").returncode != 0,
    reason="needs unshare -rn, which takes the network away",
)
def test_a_room_without_internet(tmp_path):
    archive = tmp_path / "workshop.zip"
    make = [sys.executable, ROOT / "scripts" / "bundle.py", "--output", archive]
    done = subprocess.run(make, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert archive.stat().st_size < 700e6
    with zipfile.ZipFile(archive) as content:
        of_pip = [i for i in content.infolist() if "/wheels/" in i.filename]
        own = [i for i in of_pip if "superres_tomo" in i.filename]
        rest = archive.stat().st_size - sum(i.compress_size for i in of_pip)
        assert rest + own[0].compress_size < 60e6
        content.extractall(tmp_path)
    archive.unlink()
    room = tmp_path / bundle.FOLDER
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SRTOOLS", "PY"))}
    done = offline("sh", "install.sh", cwd=room, env=kept)
    assert "all packages are there" in done.stdout, done.stdout + done.stderr
    assert "Network is unreachable" not in done.stderr
    python = room / ".venv" / "bin" / "python"
    for page in ("reconstruction/cnn", "segmentation/losses"):
        run = [python, "-m", "jupyter", "execute", f"book/{page}.ipynb", "--inplace"]
        done = offline(*run, cwd=room, env=kept)
        assert done.returncode == 0, done.stderr[-3000:]
        executed = (room / "book" / f"{page}.ipynb").read_text()
        assert "holds:" in executed and "<summary>Solution" not in executed
    assert not list(room.glob(".cache/trained/*.keras")), "nothing was trained"
    index = room / "html" / "index.html"
    assert "book/index.html" in index.read_text()
    assert "Exercises" in (room / "html/book/reconstruction/cnn.html").read_text()
