"""A forked kernel is a kernel like any other, only that its imports are done."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest
from jupyter_client.manager import start_new_kernel

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

import kernels  # noqa: E402

BACKEND = os.environ.get("KERAS_BACKEND", "tensorflow")
pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or BACKEND != "tensorflow",
    reason="kernels are forked on Linux, with TensorFlow",
)


@pytest.fixture
def kernel(tmp_path):
    """Start kernels of a folder; return what runs code in one, and its manager."""
    started = []

    def start(**more):
        manager, client = start_new_kernel(kernel_name="python3", cwd=tmp_path, **more)
        started.append((manager, client))

        def run(code):
            printed = []
            reply = client.execute_interactive(
                code,
                timeout=60,
                output_hook=lambda m: printed.append(m["content"].get("text", "")),
            )
            assert reply["content"]["status"] == "ok", reply["content"]
            return "".join(printed).strip()

        return run, manager, client

    yield start
    for manager, client in started:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def test_its_imports_are_done_and_nothing_of_the_package(kernel):
    run, manager, _ = kernel()
    assert isinstance(manager.provisioner, kernels.Forked)
    there = "import sys; print({'keras', 'matplotlib'} <= set(sys.modules))"
    assert run(there) == "True"
    assert run("print([m for m in sys.modules if m.startswith('srtools')])") == "[]"


def test_it_draws_where_a_notebook_shows_it(kernel):
    _, _, client = kernel()
    drawn = []
    client.execute_interactive(
        "import matplotlib.pyplot as plt; plt.plot([0, 1]); plt.show()",
        timeout=60,
        output_hook=lambda m: drawn.extend(m["content"].get("data", ())),
    )
    assert "image/png" in drawn


def test_two_kernels_are_two_processes_and_share_no_variable(kernel):
    one, other = kernel()[0], kernel()[0]
    pids = {run("import os; print(os.getpid())") for run in (one, other)}
    assert len(pids | {str(os.getpid())}) == 3
    one("import numpy; numpy.secret = 1; secret = 1")
    where = "import numpy; print(hasattr(numpy, 'secret'), 'secret' in globals())"
    assert (one(where), other(where)) == ("True True", "False False")


def test_it_has_the_folder_the_variables_and_the_path_that_a_kernel_has(
    kernel, tmp_path
):
    env = {**os.environ, "OF_THIS_KERNEL": "7"}
    run, *_ = kernel(env=env)
    assert run("import os; print(os.getcwd())") == str(tmp_path)
    assert run("print(os.environ['OF_THIS_KERNEL'])") == "7"
    assert "OF_THIS_KERNEL" not in kernel()[0]("import os; print(*os.environ)")
    path = run("import sys; print(*sys.path, sep='\\n')").split("\n")
    assert not {str(ROOT / "tests"), str(ROOT / "scripts")} & set(path)
    assert run("import subprocess; print(subprocess.run(['true']).returncode)") == "0"


def test_an_interrupt_ends_its_cell_and_no_other(kernel):
    (run, manager, client), (other, *_) = kernel(), kernel()
    client.execute("import time; time.sleep(60)", stop_on_error=False)
    time.sleep(1)
    began = time.monotonic()
    manager.interrupt_kernel()
    reply = client.get_shell_msg(timeout=30)
    assert reply["content"]["ename"] == "KeyboardInterrupt"
    assert time.monotonic() - began < 30
    assert (run("print(1)"), other("print(2)")) == ("1", "2")


def test_its_death_is_seen(kernel):
    run, manager, _ = kernel()
    assert manager.is_alive()
    os.kill(int(run("import os; print(os.getpid())")), signal.SIGKILL)
    for _ in range(100):
        if not manager.is_alive():
            return
        time.sleep(0.1)
    pytest.fail("expected a killed kernel not to be alive")
