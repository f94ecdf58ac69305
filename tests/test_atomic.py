import logging
import threading
from contextlib import suppress

import pytest

from srtools.files import atomic, atomic_write, write_once


def names(folder):
    return sorted(f.name for f in folder.iterdir())


def test_a_file_appears_when_the_block_ends(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with atomic_write(path) as partial:
        assert partial.name == "a.txt"  # writers that look at endings can rely on it
        partial.write_text("new")
        assert path.read_text() == "old"
        assert not list(tmp_path.glob("*.txt")) == [partial]
    assert path.read_text() == "new" and names(tmp_path) == ["a.txt"]


def test_nothing_is_left_of_a_block_that_fails(tmp_path):
    path = tmp_path / "a.txt"
    with pytest.raises(ZeroDivisionError), atomic_write(path) as partial:
        partial.write_text("half")
        raise ZeroDivisionError
    assert names(tmp_path) == []


def test_two_writers_of_one_file_do_not_meet(tmp_path):
    path = tmp_path / "a.txt"
    with atomic_write(path) as one, atomic_write(path) as other:
        one.write_text("one")
        other.write_text("other")
        assert one.read_text() == "one"
    assert path.read_text() == "one" and names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("writer", [atomic_write, write_once])
def test_a_place_that_cannot_be_written_to_is_named_before_the_work(tmp_path, writer):
    with pytest.raises(OSError, match=r"a\.txt: expected a place that can be written"):
        with writer(tmp_path / "nowhere" / "a.txt"):
            pytest.fail("the block began")


def test_a_file_is_written_once(tmp_path):
    path = tmp_path / "a.txt"
    with write_once(path) as partial:
        partial.write_text("first")
        assert not path.exists()
    with write_once(path) as partial:
        assert partial is None
    assert path.read_text() == "first" and names(tmp_path) == ["a.txt"]


def test_what_a_failed_block_wrote_is_there_for_the_next(tmp_path):
    path = tmp_path / "a.txt"
    with pytest.raises(ZeroDivisionError), write_once(path):
        raise ZeroDivisionError
    assert names(tmp_path) == []  # nothing was written
    with pytest.raises(ZeroDivisionError), write_once(path) as partial:
        partial.write_text("half")
        raise ZeroDivisionError
    assert names(tmp_path) == ["a.txt.partial"]
    with write_once(path) as partial:
        assert partial.read_text() == "half"
        partial.write_text("whole")
    assert path.read_text() == "whole" and names(tmp_path) == ["a.txt"]


@pytest.fixture
def waiting(monkeypatch):
    """An event that is set when somebody waits for another one's file."""
    event = threading.Event()
    monkeypatch.setattr(atomic._log, "warning", lambda *said: event.set())
    return event


@pytest.mark.skipif(atomic.fcntl is None, reason="no locks of files")
@pytest.mark.parametrize("fails", ["never", "at the start", "later"])
def test_the_second_waits_for_the_first_and_takes_over_if_it_fails(
    tmp_path, waiting, fails
):
    path, found = tmp_path / "a.txt", []

    def second():
        with write_once(path) as partial:
            found.append(partial and partial.exists())
            if partial:
                partial.write_text("by the second")

    thread = threading.Thread(target=second)
    with suppress(ZeroDivisionError), write_once(path) as partial:
        if fails != "at the start":
            partial.write_text("by the first")
        thread.start()
        assert waiting.wait(10)
        thread.join(0.2)
        assert thread.is_alive() and not found
        if fails != "never":
            raise ZeroDivisionError
    thread.join(10)
    assert found == [{"never": None, "at the start": False, "later": True}[fails]]
    writer = "first" if fails == "never" else "second"
    assert path.read_text() == f"by the {writer}" and names(tmp_path) == ["a.txt"]


@pytest.mark.skipif(atomic.fcntl is None, reason="no locks of files")
def test_of_many_at_once_one_writes_and_all_see_the_whole_file(tmp_path):
    path, written, failures = tmp_path / "a.txt", [], []
    together = threading.Barrier(8)

    def one(i):
        try:
            together.wait(10)
            with write_once(path) as partial:
                if partial is not None:
                    with partial.open("a") as file:
                        file.write("x")
                    written.append(i)
                    if len(written) < 3:
                        raise InterruptedError
            assert path.read_text() == "xxx"
        except InterruptedError:
            pass
        except Exception as error:
            failures.append(error)

    logging.getLogger("srtools.files.atomic").setLevel(logging.ERROR)
    try:
        threads = [threading.Thread(target=one, args=(i,)) for i in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)
    finally:
        logging.getLogger("srtools.files.atomic").setLevel(logging.NOTSET)
    assert not failures and len(written) == 3
    assert path.read_text() == "xxx" and names(tmp_path) == ["a.txt"]
