"""Write a stand-in for one of the benchmark data sets.

    python data/benchmark/generatedata.py microct_369
    python data/benchmark/generatedata.py div2k --photographs ~/DIV2K_train_HR

An interrupted run goes on when it is started again. With ``--scheduler ADDRESS`` the
workers of a Dask cluster do the work.
"""

import argparse
from contextlib import ExitStack
from pathlib import Path

import joblib

from srtools.datasets import simulate, verify


def main() -> None:
    """Read the command line and write the file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", help="div2k, shapes, microct_185 ... xrdct_149")
    parser.add_argument("path", nargs="?", type=Path, help="default: beside this file")
    parser.add_argument("--n", type=int, help="pairs, slices or layers; default: all")
    parser.add_argument("--scale", type=float, default=1.0, help="of the sides")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--photographs", type=Path, help="folder of images for div2k")
    parser.add_argument("--jobs", type=int, default=-1, help="processes; -1: all cores")
    parser.add_argument("--scheduler", help="address of a Dask scheduler")
    wish = parser.parse_args()
    path = wish.path or Path(__file__).with_name(f"{wish.name}.h5")
    with ExitStack() as stack:
        if wish.scheduler:
            from dask.distributed import Client

            stack.enter_context(Client(wish.scheduler))
            stack.enter_context(joblib.parallel_config(backend="dask"))
        simulate(
            wish.name,
            path,
            n=wish.n,
            scale=wish.scale,
            rng=wish.seed,
            photographs=wish.photographs,
            n_jobs=wish.jobs,
        )
    verify(path)
    print(path)


if __name__ == "__main__":
    main()
