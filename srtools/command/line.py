"""What can be typed after ``srtools``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

_SCAN = """\
SCAN is an HDF5 file (Data Exchange, NXtomo, or any other with --projections and
--flats), a folder of TIFFs whose names tell flats and darks, a TIFF of many pages, or a
.npy array (projection, row, column)."""
_PREVIEW = f"""\
Look at a scan before reconstructing it: counts, one sinogram, the rotation axis row by
row, and one slice, in one picture. It also says how many pixels are dead, and whether
the air beside the sample is at zero.

{_SCAN}"""
_RECONSTRUCT = f"""\
Turn a scan into a volume: flat and dark field, air, rings, axis, reconstruction. Stop
it at any time: the same command goes on where it stopped. Each slice is projected again
and compared with the scan; the misfit of each is kept beside the volume.

{_SCAN}"""
_DENOISE = """\
Send each slice of a volume through a network that maps images to images.
VOLUME is a TIFF of one or more pages, a folder of TIFFs, a .npy array or an HDF5 file
with one dataset, such as `srtools reconstruct` writes."""
_SEGMENT = """\
Label each pixel of each image of a folder by a network, tile by tile, so that images of
any size from 32 x 32 pixels on fit."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; return 0, or 1 after saying what is wrong.

    Parameters
    ----------
    arguments : sequence of str, optional
        By default those of the command line.

    Returns
    -------
    int
        Exit code.
    """
    given = vars(_parser().parse_args(arguments))
    task = given.pop("task")
    try:
        if task in ("preview", "reconstruct"):
            from srtools.command import scans as module  # only what the task needs
        else:
            from srtools.command import networks as module
        getattr(module, task)(**given)
    except (ValueError, OSError, ImportError) as error:
        print(f"srtools {task}: {error}", file=sys.stderr)
        return 1
    return 0


def _parser():
    parser = argparse.ArgumentParser(
        prog="srtools",
        description="From a scan to a volume, and on: X-ray tomography with srtools.",
    )
    tasks = parser.add_subparsers(dest="task", required=True, metavar="TASK")
    raw = argparse.RawDescriptionHelpFormatter

    task = tasks.add_parser(
        "preview", help="look at a scan", description=_PREVIEW, formatter_class=raw
    )
    _add_scan(task)
    task.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("preview.png"),
        metavar="PNG",
        help="the picture (default: %(default)s)",
    )
    task.add_argument(
        "--row", type=int, help="detector row of the slice (default: the middle one)"
    )

    task = tasks.add_parser(
        "reconstruct",
        help="turn a scan into a volume",
        description=_RECONSTRUCT,
        formatter_class=raw,
    )
    _add_scan(task)
    task.add_argument(
        "output",
        type=Path,
        metavar="OUT",
        help="a new folder of TIFFs; a new file if the name ends in .h5, an OME-Zarr "
        "image if it ends in .zarr",
    )
    task.add_argument(
        "--method",
        choices=["fbp", "tv", "noise2inverse"],
        default="fbp",
        help="filtered back-projection; total variation for few or noisy views; or a "
        "network that is trained on this scan alone, for noisy views "
        "(default: %(default)s)",
    )
    task.add_argument(
        "--filter",
        default="hann",
        choices=["ramp", "shepp-logan", "cosine", "hann"],
        help="of filtered back-projection (default: %(default)s)",
    )
    task.add_argument(
        "--weight",
        type=float,
        help="of total variation, mostly 0.2 to 1: larger is smoother (default: what "
        "explains held-out views best)",
    )
    task.add_argument(
        "--steps",
        type=int,
        default=2000,
        help="of training, for noise2inverse (default: %(default)s, about two minutes "
        "on two cores)",
    )
    task.add_argument(
        "--rows",
        type=_rows,
        metavar="FIRST:STOP",
        help="detector rows (default: all)",
    )
    task.add_argument(
        "--jobs", type=int, default=-1, help="cores to use (default: all)"
    )

    task = tasks.add_parser(
        "denoise", help="improve a volume by a network", description=_DENOISE
    )
    task.add_argument("volume", type=Path, metavar="VOLUME")
    _add_network(task)
    task.add_argument(
        "--scale",
        type=float,
        default=1.0,
        metavar="FACTOR",
        help="multiply what the network is given, and divide what it answers "
        "(default: %(default)s)",
    )

    task = tasks.add_parser(
        "segment", help="label images by a network", description=_SEGMENT
    )
    task.add_argument("images", type=Path, metavar="IMAGES", help="a folder or a file")
    _add_network(task)
    return parser


def _add_scan(task):
    task.add_argument("scan", metavar="SCAN")
    where = task.add_argument_group("what is what, where the file does not tell")
    names = "dataset, or pattern of files such as 'raw_*.tif'"
    where.add_argument("--projections", metavar="NAME", help=names)
    where.add_argument(
        "--flats",
        metavar="NAME",
        help="pictures without the sample; 1 if the projections are divided by them",
    )
    where.add_argument("--darks", metavar="NAME", help="pictures without the beam")
    where.add_argument(
        "--angles", metavar="NAME", help="dataset, or file of degrees, one a projection"
    )
    where.add_argument(
        "--pixel-size", type=float, metavar="UM", help="of the detector [micrometres]"
    )
    how = task.add_argument_group("corrections")
    how.add_argument(
        "--axis",
        type=float,
        metavar="COLUMN",
        help="of the rotation axis, the first column is 0 (default: it is searched)",
    )
    how.add_argument(
        "--air",
        type=int,
        metavar="COLUMNS",
        help="so many columns at either edge always see air: they become zero",
    )
    how.add_argument(
        "--empty",
        type=_rows,
        metavar="FIRST:STOP",
        help="detector rows that see nothing but air: they tell how the beam has "
        "changed its shape since the flats; with --air",
    )
    how.add_argument(
        "--rings",
        type=int,
        nargs="?",
        const=9,
        metavar="WIDTH",
        help="remove rings, with a window of WIDTH columns (default: %(const)s)",
    )
    how.add_argument(
        "--pad",
        type=int,
        metavar="COLUMNS",
        help="the sample is wider than the detector: go on beyond its edges",
    )


def _add_network(task):
    task.add_argument("output", type=Path, metavar="OUT", help="a new folder of TIFFs")
    task.add_argument(
        "--model",
        required=True,
        metavar="NAME_OR_FILE",
        help="network that comes with the package, such as unet_tooth; or one saved by "
        "Keras (.keras), with its scaling in it",
    )


def _rows(text):
    first, _, stop = text.partition(":")
    try:
        return slice(int(first or 0), int(stop) if stop else None)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected FIRST:STOP, for example 100:200, received {text!r}"
        ) from None
