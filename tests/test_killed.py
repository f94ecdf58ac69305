"""What is killed is never read as whole, and goes on to what comes undisturbed.

``SRTOOLS_KILLS=30 pytest -n 0 --slow tests/test_killed.py`` kills thirty times each;
``benchmarks/killed.py`` keeps the counts.
"""

import os
import sys

import pytest

if sys.platform != "linux":  # elsewhere a process with threads does not fork well
    pytest.skip("kills as Linux does", allow_module_level=True)

from writers_to_kill import WRITERS, kill_and_go_on

KILLS = int(os.environ.get("SRTOOLS_KILLS", 3))


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITERS)
def test_what_was_killed_goes_on_and_nothing_half_written_is_read(tmp_path, name):
    found = kill_and_go_on(name, tmp_path, KILLS)
    assert found["half"] == found["other"] == 0, found


def test_a_library_that_was_killed_goes_on(tmp_path):
    found = kill_and_go_on("library", tmp_path, 1, seed=1)
    assert found["half"] == found["other"] == 0, found
