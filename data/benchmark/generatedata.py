"""Write a stand-in for one of the benchmark data sets.

    python data/benchmark/generatedata.py microct_369
    python data/benchmark/generatedata.py div2k --photographs ~/DIV2K_train_HR

An interrupted run goes on when it is started again. With ``--scheduler ADDRESS`` the
workers of a Dask cluster do the work.
"""

from contextlib import ExitStack
from pathlib import Path

import joblib

from srtools.datasets import command_line, simulate, verify


def write(
    name: str, output: Path | None, seed: int, jobs: int, scheduler: str | None, **how
) -> Path:
    """Write the file, check it and return its path."""
    path = output or Path(__file__).with_name(f"{name}.h5")
    with ExitStack() as stack:
        if scheduler:
            from dask.distributed import Client

            stack.enter_context(Client(scheduler))
            stack.enter_context(joblib.parallel_config(backend="dask"))
        simulate(name, path, seed=seed, n_jobs=jobs, **how)
    verify(path)
    return path


if __name__ == "__main__":
    print(
        command_line(
            write,
            __doc__.splitlines()[0],
            name=(..., "div2k, shapes, microct_185 ... xrdct_149"),
            n=(int, "pairs, slices or layers; None: all of the catalogue"),
            scale=(1.0, "of the sides"),
            seed=(0, "of all that is random"),
            photographs=(Path, "folder of images for div2k; None: scikit-image's"),
            jobs=(-1, "processes; -1: one a core"),
            scheduler=(str, "address of a Dask scheduler"),
            output=(Path, "file; None: named by the set, beside this script"),
        )
    )
