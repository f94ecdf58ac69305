import hashlib
import http.server
import os
import threading
import time
from dataclasses import replace

import numpy as np
import pytest

from srtools import datasets
from srtools.datasets import download
from srtools.datasets import entries as entries_module

CONTENT = b"\x89HDF\r\n\x1a\n" + np.random.default_rng(0).bytes(200_000)


class Server(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT; ``breaks`` times the connection breaks halfway."""

    breaks = 0
    content = CONTENT
    ranges = True
    seen = ()

    def do_HEAD(self):
        self.send_response(200)
        self.end_headers()

    def do_GET(self):
        wish = self.headers.get("Range") if self.ranges else None
        type(self).seen = (*self.seen, wish)
        start = int(wish.split("=")[1].rstrip("-")) if wish else 0
        if start and start >= len(self.content):
            return self.send_error(416)
        body = self.content[start:]
        self.send_response(206 if wish else 200)
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
    """A server of this machine that has the tooth, and an empty cache."""
    handler = type("Handler", (Server,), {})
    serving = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=serving.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.delenv("SRTOOLS_DATA", raising=False)
    monkeypatch.setattr(download.pooch, "os_cache", lambda _: tmp_path / "cache")
    monkeypatch.setattr(download.time, "sleep", lambda _: None)
    use_url(
        monkeypatch,
        f"http://127.0.0.1:{serving.server_port}/tooth.h5",
        hashlib.sha256(CONTENT).hexdigest(),
    )
    yield handler
    serving.shutdown()
    serving.server_close()


def use_url(monkeypatch, url, sha256, name="tooth"):
    entries = dict(datasets.catalogue())
    entries[name] = replace(entries[name], url=url, sha256=sha256)
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
    assert {"tooth", "ni_superalloy", "ni_superalloy_truth"} <= set(
        datasets.catalogue()
    )


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


# fetch


def test_fetch_downloads_once_and_then_uses_the_cache(server, tmp_path):
    path = datasets.fetch("tooth")
    assert path.read_bytes() == CONTENT
    assert datasets.fetch("tooth") == path
    assert len(server.seen) == 1
    assert files(tmp_path) == ["tooth.h5"]


def test_fetch_resumes_a_broken_download(server, tmp_path):
    server.breaks = 1
    assert datasets.fetch("tooth").read_bytes() == CONTENT
    first, second = server.seen
    assert first is None and 0 < int(second[6:-1]) <= len(CONTENT) // 2


def test_fetch_leaves_nothing_that_looks_complete_and_the_next_call_resumes(
    server, tmp_path
):
    server.breaks = 3
    with pytest.raises(ConnectionError, match=r"tooth\.h5.*SRTOOLS_DATA"):
        datasets.fetch("tooth")
    assert files(tmp_path) == ["tooth.h5.partial"]
    assert datasets.fetch("tooth").read_bytes() == CONTENT
    assert server.seen[-1].startswith("bytes=")
    assert files(tmp_path) == ["tooth.h5"]


@pytest.mark.parametrize(
    "rest", [CONTENT, CONTENT + b"more", b"other"], ids=["all", "more", "other"]
)
def test_fetch_starts_anew_when_the_rest_does_not_fit(server, tmp_path, rest):
    server.ranges = rest == CONTENT + b"more"
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "tooth.h5.partial").write_bytes(rest)
    assert datasets.fetch("tooth").read_bytes() == CONTENT


def test_fetch_keeps_a_wrong_download_aside(server, tmp_path):
    server.content = b"wrong"
    with pytest.raises(ValueError, match=r"expected SHA-256 .*mismatch and not used"):
        datasets.fetch("tooth")
    assert files(tmp_path) == ["tooth.h5.mismatch"]


def test_fetch_checks_the_disk_before_it_writes(server, tmp_path, monkeypatch):
    usage = download.shutil.disk_usage(tmp_path)._replace(free=1000)
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OSError, match=r"expected 0\.0002 GB of free disk space"):
        datasets.fetch("tooth")
    assert files(tmp_path) == []


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
    use_url(monkeypatch, nobody, "", name="xrdct_75")
    with pytest.raises(
        ConnectionError, match=r"xrdct_75\.h5.*SRTOOLS_DATA.*simulate\('xrdct_75'\)"
    ):
        datasets.fetch("xrdct_75")
    assert not datasets.available("xrdct_75")


def test_a_link_that_gives_a_web_page_is_a_dead_link(server, tmp_path, monkeypatch):
    url = datasets.catalogue()["tooth"].url
    use_url(monkeypatch, url, "", name="div2k")
    assert datasets.fetch("div2k").read_bytes() == CONTENT
    (tmp_path / "cache" / "div2k.h5").unlink()
    server.content = b"<html>parked</html>"
    with pytest.raises(ConnectionError, match=r"simulate\('div2k'\)"):
        datasets.fetch("div2k")
    assert files(tmp_path) == []


def test_available_does_not_wait_for_a_silent_server(server, monkeypatch):
    assert datasets.available("tooth")
    monkeypatch.setattr(server, "do_HEAD", lambda self: time.sleep(0.4))
    monkeypatch.setattr(download.time, "sleep", time.sleep)
    start = time.perf_counter()
    assert not datasets.available("tooth", timeout=0.1)
    assert time.perf_counter() - start < 0.35


@pytest.mark.skipif("SRTOOLS_DATA" not in os.environ, reason="no folder of real data")
@pytest.mark.parametrize("name", ["tooth", "ni_superalloy", "ni_superalloy_truth"])
def test_the_real_files_have_the_checksums_of_the_catalogue(name):
    assert datasets.available(name)
    assert datasets.fetch(name).exists()
