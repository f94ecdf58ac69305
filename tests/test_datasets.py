import hashlib
import http.server
import logging
import os
import re
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from srtools import datasets, xrdct
from srtools.datasets import download
from srtools.datasets import entries as entries_module

CONTENT = b"\x89HDF\r\n\x1a\n" + np.random.default_rng(0).bytes(200_000)
SCAN = {"angles.txt": b"0 90", "tiffs/raw_0.tiff": b"one", "tiffs/raw_1.tiff": b"two"}


class Server(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT, or a file of SCAN; ``breaks`` times the connection breaks."""

    breaks = 0
    content = CONTENT
    seen = ()

    def do_HEAD(self):
        self.send_response(200)
        self.end_headers()

    def do_GET(self):
        type(self).seen = (*self.seen, self.path)
        body = SCAN.get(self.path.removeprefix("/scan/"), self.content)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.breaks:
            type(self).breaks -= 1
            body = body[: len(body) // 2]
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A server of this machine that has tooth and tube, and an empty cache."""
    handler = type("Handler", (Server,), {})
    serving = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=serving.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.delenv("SRTOOLS_DATA", raising=False)
    monkeypatch.setattr(download.pooch, "os_cache", lambda _: tmp_path / "cache")
    monkeypatch.setattr(time, "sleep", lambda _: None)  # between pooch's attempts
    address = f"http://127.0.0.1:{serving.server_port}"
    change(monkeypatch, "tooth", url=f"{address}/tooth.h5", sha256=sha256(CONTENT))
    hashes = {path: sha256(content) for path, content in SCAN.items()}
    change(monkeypatch, "savu_tube", url=f"{address}/scan", files=hashes)
    yield handler
    serving.shutdown()
    serving.server_close()


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def change(monkeypatch, name, **how):
    entries = dict(datasets.catalogue())
    entries[name] = replace(entries[name], **how)
    changed = datasets.Catalogue(entries.values())
    monkeypatch.setattr(entries_module, "_CATALOGUE", changed)


def files(tmp_path):
    return sorted(path.name for path in (tmp_path / "cache").glob("*"))


# catalogue


def test_catalogue_has_the_seeds_table_its_samples_and_the_open_data():
    links = [entry.link.split("//")[1] for entry in datasets.catalogue().values()]
    for end in "3hydsz m3djsz 58zdsz ft0dsz 0a0dsz jd0dsz vdl9rz".split():
        assert f"tiny.cc/{end}" in links
    assert {"tinyurl.com/y2t56hgd", "tinyurl.com/y2l4jvoj"} <= set(links)
    open_data = {"tooth", "ni_superalloy", "savu_tube", "cement", "bone", "nerve"}
    assert open_data <= set(datasets.catalogue())


def test_catalogue_displays_every_entry_as_html_and_as_text():
    table = datasets.catalogue()
    for text in (table._repr_html_(), repr(table)):
        assert all(name in text for name in table)
    assert '<a href="http://tiny.cc/58zdsz">' in table._repr_html_()


def test_catalogue_shows_other_columns_and_knows_the_memory():
    table = datasets.catalogue().show("memory", "cite")
    assert table["microct_369"].memory == "0.54 GB"
    assert "doi:10.1107" in table._repr_html_() and "notes" not in repr(table)
    assert table["sample_images"].memory == "not stated"
    assert table.rows()[0].keys() == {"name", "memory", "cite"}
    with pytest.raises(ValueError, match=r"attributes of Entry, received \['colour'\]"):
        table.show("colour")


def test_catalogue_suggests_the_nearest_name():
    with pytest.raises(KeyError, match="did you mean 'xrdct_75'"):
        datasets.fetch("xrdct75")
    with pytest.raises(KeyError, match=r"expected one of div2k, .* received 'zzzz'"):
        datasets.available("zzzz")


def test_every_entry_agrees_with_itself():
    for name, entry in datasets.catalogue().items():
        known = [entry.sha256, *entry.files.values()]
        assert all(re.fullmatch("|[0-9a-f]{64}", sha) for sha in known), name
        assert not (entry.sha256 and entry.files), name
        assert all(len(shape) <= len(entry.axes) for shape in entry.keys.values())
        assert bool(entry.axes) == ("Images" in entry.keys), name
        if entry.count:  # the memory is that of what the stand-in holds
            names = [key for key in entry.keys if key in ("Images", "Sinograms")]
            items = sum(np.prod(entry.keys[key]) for key in names)
            assert entry.nbytes == 4 * entry.count * items, name
            assert entry.together and name in entry.stand_in


def test_the_channels_are_those_of_the_simulator():
    for name in ("xrdct_75", "xrdct_149"):
        channels = {k: shape[2] for k, shape in datasets.catalogue()[name].keys.items()}
        phases = len(xrdct.COMPONENTS)
        assert channels.pop("Images") == xrdct.N_CHANNELS
        assert channels.pop("Phases") == phases
        assert set(channels.values()) == {phases - 1}


def test_an_address_comes_from_repository_commit_and_path():
    entry = datasets.catalogue()["cement"]
    assert entry.link == "https://github.com/qim-center/qim3d"
    assert entry.url == (
        "https://raw.githubusercontent.com/qim-center/qim3d/"
        "3c22d7231496e7e3a435b3421e4a17c1b47ea587/"
        "qim3d/examples/cement_128x128x128.tif"
    )


@pytest.mark.parametrize(
    ("line", "found"), [("colour = 'red'", "colour"), ("repository = 'a/b'", "commit")]
)
def test_a_wrong_entry_is_named(tmp_path, line, found):
    (tmp_path / "my.toml").write_text(f"[mine]\nlink = 'http://a'\n{line}\n")
    with pytest.raises(ValueError, match=rf"my\.toml: .* Entry in \[mine\].*{found}"):
        entries_module._read(tmp_path / "my.toml")


# fetch


def test_fetch_downloads_once_and_then_uses_the_cache(server, tmp_path):
    path = datasets.fetch("tooth")
    assert path.read_bytes() == CONTENT
    assert datasets.fetch("tooth") == path
    assert len(server.seen) == 1
    assert files(tmp_path) == ["tooth.h5"]


def test_fetch_tries_a_broken_download_again(server, tmp_path):
    server.breaks = 2
    assert datasets.fetch("tooth").read_bytes() == CONTENT
    assert len(server.seen) == 3
    assert files(tmp_path) == ["tooth.h5"]


def test_fetch_leaves_nothing_of_a_download_that_breaks_thrice(server, tmp_path):
    server.breaks = 3
    with pytest.raises(ConnectionError, match=r"tooth\.h5.*SRTOOLS_DATA"):
        datasets.fetch("tooth")
    assert files(tmp_path) == []
    assert datasets.fetch("tooth").read_bytes() == CONTENT


def test_fetch_keeps_nothing_of_a_wrong_download(server, tmp_path):
    server.content = b"wrong"
    with pytest.raises(
        ValueError, match=r"tooth\.h5: expected SHA-256 .* nothing of it is kept"
    ):
        datasets.fetch("tooth")
    assert files(tmp_path) == []


def test_fetch_says_where_it_cannot_write(server, tmp_path):
    resource = pytest.importorskip("resource")  # not on Windows
    _, hard = limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))  # as on a full disk
    try:
        with pytest.raises(
            OSError, match=r"cache: expected to write tooth\.h5 there, rec.* too large"
        ):
            datasets.fetch("tooth")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert files(tmp_path) == []


def test_fetch_shows_progress_but_no_path_of_the_machine(server, monkeypatch, capsys):
    said = []
    handler = logging.Handler()
    monkeypatch.setattr(handler, "emit", said.append)
    download.pooch.get_logger().addHandler(handler)
    datasets.fetch("tooth")
    datasets.fetch("savu_tube")
    download.pooch.get_logger().removeHandler(handler)
    assert not said and "savu_tube: 100%" in capsys.readouterr().err


def test_fetch_replaces_a_damaged_file_in_the_cache(server, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "tooth.h5").write_bytes(b"damaged")
    assert datasets.fetch("tooth").read_bytes() == CONTENT


def test_fetch_takes_the_readers_copy_first_and_checks_it(
    server, tmp_path, monkeypatch
):
    monkeypatch.setenv("SRTOOLS_DATA", str(tmp_path))
    own = tmp_path / "tooth.h5"
    own.write_bytes(CONTENT)
    assert datasets.fetch("tooth") == own
    own.write_bytes(b"damaged")
    with pytest.raises(
        ValueError, match=r"tooth\.h5: expected SHA-256 .* SRTOOLS_DATA"
    ):
        datasets.fetch("tooth")
    assert own.exists() and not server.seen
    assert not datasets.available("tooth")


def test_offline_and_dead_links_say_what_to_do(server, monkeypatch):
    nobody = "http://127.0.0.1:9/"
    change(monkeypatch, "xrdct_75", url=nobody)
    with pytest.raises(
        ConnectionError, match=r"xrdct_75\.h5.*SRTOOLS_DATA.*simulate\('xrdct_75'\)"
    ):
        datasets.fetch("xrdct_75")
    assert not datasets.available("xrdct_75")


def test_a_link_that_gives_a_web_page_is_a_dead_link(server, tmp_path, monkeypatch):
    url = datasets.catalogue()["tooth"].url
    change(monkeypatch, "div2k", url=url)
    assert datasets.fetch("div2k").read_bytes() == CONTENT
    (tmp_path / "cache" / "div2k.h5").unlink()
    assert not datasets.available("div2k")  # it answers, but with what?
    server.content = b"<html>parked</html>"
    with pytest.raises(ConnectionError, match=r"simulate\('div2k'\)"):
        datasets.fetch("div2k")
    assert files(tmp_path) == []


def test_available_does_not_wait_for_a_silent_server(server, monkeypatch):
    assert datasets.available("tooth")
    asked = threading.Event()
    monkeypatch.setattr(server, "do_HEAD", lambda _: asked.wait(30))
    start = time.perf_counter()
    assert not datasets.available("tooth", timeout=0.1)
    assert time.perf_counter() - start < 15
    asked.set()


# folders


def test_fetch_downloads_a_folder_and_later_what_is_missing(server, tmp_path):
    folder = datasets.fetch("savu_tube")
    assert folder == tmp_path / "cache" / "savu_tube"
    found = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert found == {path.split("/")[-1]: content for path, content in SCAN.items()}
    (folder / "raw_0.tiff").write_bytes(b"damaged")
    (folder / "raw_1.tiff").unlink()
    datasets.fetch("savu_tube")
    paths = [f"/scan/{path}" for path in SCAN]
    assert list(server.seen) == [*paths, *paths[1:]]
    assert (folder / "raw_0.tiff").read_bytes() == b"one"
    assert datasets.available("savu_tube") and len(server.seen) == 5


def test_a_folder_of_the_reader_is_checked_file_by_file(server, tmp_path, monkeypatch):
    monkeypatch.setenv("SRTOOLS_DATA", str(tmp_path))
    own = tmp_path / "savu_tube"
    own.mkdir()
    for path, content in SCAN.items():
        (own / path.split("/")[-1]).write_bytes(content)
    assert datasets.fetch("savu_tube") == own and datasets.available("savu_tube")
    (own / "raw_1.tiff").write_bytes(b"three")
    with pytest.raises(ValueError, match=r"raw_1\.tiff: expected SHA-256 .* received"):
        datasets.fetch("savu_tube")
    (own / "raw_1.tiff").unlink()
    with pytest.raises(ValueError, match=r"raw_1\.tiff: expected a file, found none"):
        datasets.fetch("savu_tube")
    assert not datasets.available("savu_tube") and not server.seen


@pytest.mark.parametrize("place", ["volumes/NT_128x128x128.tif", "NT_128x128x128.tif"])
def test_a_copy_lies_in_its_folder_or_without(tmp_path, monkeypatch, place):
    change(monkeypatch, "nerve", sha256=sha256(b"fibres"))
    monkeypatch.setenv("SRTOOLS_DATA", str(tmp_path))
    (tmp_path / place).parent.mkdir(exist_ok=True)
    (tmp_path / place).write_bytes(b"fibres")
    assert datasets.fetch("nerve") == tmp_path / place


@pytest.mark.skipif("SRTOOLS_DATA" not in os.environ, reason="no folder of real data")
@pytest.mark.parametrize(
    "name", [k for k, e in datasets.catalogue().items() if e.sha256 or e.files]
)
def test_the_real_files_have_the_checksums_of_the_catalogue(name):
    assert datasets.available(name)
    assert datasets.fetch(name).exists()


@pytest.mark.skipif("SRTOOLS_DATA" not in os.environ, reason="no folder of real data")
def test_the_tube_is_the_one_that_was_described():
    files = sorted(datasets.fetch("savu_tube").glob("raw_*.tiff"))
    assert len(files) == 91
    together = hashlib.sha256(b"".join(file.read_bytes() for file in files))
    assert together.hexdigest().startswith("de55dcd765bc9b80589370b826e20833")
