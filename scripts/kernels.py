"""The kernels that execute pages, and how the tests come by one in no time.

To import TensorFlow takes seconds a page. On Linux the tests import it once, in a
process that does nothing else, and fork a kernel from there for each page: a process of
its own, in which no page has run. It finds what any kernel finds, only sooner.
"""

import multiprocessing
import os
import runpy
import sys
from importlib.metadata import EntryPoint
from multiprocessing import forkserver
from pathlib import Path
from unittest import mock

from jupyter_client.provisioning import KernelProvisionerFactory, LocalProvisioner

ROOT = Path(__file__).parents[1]

# Large arrays stay with the kernel's process: to give them back to Linux after a step
# of a training, and to fetch them for the next, takes up to a third of the time.
KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": "4000000000",
    "MALLOC_TRIM_THRESHOLD_": "16000000000",
}
# What most pages import, and all that they import it from. Of the package, nothing.
IMPORTED = [
    "h5py",
    "ipykernel.kernelapp",
    "ipywidgets",
    "keras",
    "matplotlib.pyplot",
    "scipy.ndimage",
    "skimage.restoration",
    "sklearn.ensemble",
    "tifffile",
]
# What TensorFlow and Matplotlib read when imported, as a page and its kernel set it.
BEFORE = {
    "MPLBACKEND": "module://matplotlib_inline.backend_inline",
    "TF_CPP_MIN_LOG_LEVEL": "2",
}


def fork_kernels() -> None:
    """Let each kernel that this process starts be forked, on Linux with TensorFlow."""
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if sys.platform != "linux" or backend != "tensorflow":
        return
    forkserver.set_forkserver_preload(IMPORTED)
    factory = KernelProvisionerFactory.instance()
    entry = EntryPoint("forked", f"{__name__}:Forked", factory.GROUP_NAME)
    factory.provisioners["forked"] = entry
    factory.default_provisioner_name = "forked"


def forks():
    """Return a multiprocessing context; on Linux it forks, with the imports done."""
    if sys.platform == "win32":
        return multiprocessing.get_context("spawn")
    with mock.patch.dict(os.environ, KEEP_MEMORY | BEFORE):  # read as it starts
        forkserver.ensure_running()
    return multiprocessing.get_context("forkserver")


class Forked(LocalProvisioner):
    """Starts a kernel by forking, and treats it as any kernel of this machine."""

    async def launch_kernel(self, cmd, *, env, cwd=None, **_):
        """Start the kernel; wait until its signals reach nobody else."""
        self.cwd = cwd or Path.cwd()
        self.process = _Forked(cmd, self.cwd, env)
        self.pid = self.pgid = self.process.pid
        return self.connection_info


class _Forked:
    """A forked process with the face of `subprocess.Popen`."""

    stdin = stdout = stderr = None

    def __init__(self, cmd, cwd, env):
        context = forks()
        alone = context.Event()
        about = cmd, str(cwd), dict(env), alone
        self._process = context.Process(target=_be_a_kernel, args=about)
        self._process.start()
        self.pid = self._process.pid
        if not alone.wait(60):
            raise RuntimeError("expected a kernel to start within 60 s, it did not")

    def poll(self):
        return self._process.exitcode

    def wait(self):
        self._process.join()
        return self._process.exitcode

    def send_signal(self, number):
        if self.poll() is None:  # as Popen does, which says nothing of one that ended
            os.kill(self.pid, number)

    def kill(self):
        self._process.kill()

    def terminate(self):
        self._process.terminate()


def _be_a_kernel(cmd, cwd, env, alone):
    """Become what ``cmd``, ``python -m ipykernel_launcher ...``, would start."""
    os.setsid()  # a group of its own: who interrupts a page interrupts no test
    alone.set()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env, JPY_PARENT_PID=str(os.getppid()))
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in range(3):
        os.dup2(nowhere, stream)
    sys.path[:] = ["", *(p for p in sys.path if Path(p).parent != ROOT)]
    module = cmd.index("-m") + 1
    sys.argv[:] = cmd[module:]
    runpy.run_module(cmd[module], run_name="__main__", alter_sys=True)
