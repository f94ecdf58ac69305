"""What data sets there are: where they come from, what they hold, how to cite them."""

import difflib
import html
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

_RAW = "https://raw.githubusercontent.com"
_TOMOPY = f"{_RAW}/tomopy/tomopy/2c94ed18a06f7908b018c6f8e43d320f8a8488f2"
_TLDR = (
    f"{_RAW}/tldr-group/interactive-seg-backend/"
    "a094b4927797976c439752087a0be2c7593d0052"
)


@dataclass(frozen=True)
class Entry:
    """One data set.

    Attributes
    ----------
    name : str
        What `srtools.datasets` calls it.
    link : str
        Address that people know; for the seed's sets a link shortener.
    kind : str
        ``"real"`` or ``"synthetic"``.
    source, experiment, dimensions, number, notes : str
        As in the table of superres-tomo; ``notes`` also says where that table and
        the original repository's disagree.
    nbytes : int
        Memory of everything together, uncompressed [bytes].
    good_for, licence, cite : str
        Why, whether and how to use it.
    file : str
        Name of the file in ``SRTOOLS_DATA`` and in the cache.
    url, sha256 : str
        Where the bytes come from and how to know them; empty where unknown.
    stand_in : str
        What to call when the link is dead.
    """

    name: str
    link: str
    kind: str
    source: str
    experiment: str
    dimensions: str
    number: str
    notes: str
    nbytes: int
    good_for: str
    licence: str
    cite: str
    file: str
    url: str = ""
    sha256: str = ""
    stand_in: str = ""

    @property
    def memory(self) -> str:
        """`nbytes`, for people."""
        if not self.nbytes:
            return "not stated"
        unit, name = (1e9, "GB") if self.nbytes >= 1e8 else (1e6, "MB")
        return f"{self.nbytes / unit:.2g} {name}"


_COLUMNS = ("name", "link", "kind", "source", "experiment", "dimensions", "number")
_COLUMNS += ("notes",)


class Catalogue(Mapping[str, Entry]):
    """Data sets by name; a notebook shows them as a table.

    Parameters
    ----------
    entries : iterable of Entry
        In the order of the table.
    columns : sequence of str
        Attributes of `Entry` to show; by default those of superres-tomo's table.
    """

    def __init__(self, entries: Iterable[Entry], columns: Iterable[str] = _COLUMNS):
        self._entries = {entry.name: entry for entry in entries}
        self.columns = tuple(columns)

    def show(self, *columns: str) -> "Catalogue":
        """Return the same data sets with other columns beside the name.

        Parameters
        ----------
        *columns : str
            Attributes of `Entry`.

        Returns
        -------
        Catalogue

        Raises
        ------
        ValueError
            If `Entry` has no such attribute.
        """
        wrong = [c for c in columns if not hasattr(next(iter(self.values())), c)]
        if wrong:
            raise ValueError(f"expected attributes of Entry, received {wrong}")
        return Catalogue(self.values(), ("name", *columns))

    def __getitem__(self, name: str) -> Entry:
        """Return an entry; an unknown name raises KeyError with the nearest one."""
        try:
            return self._entries[name]
        except (KeyError, TypeError):
            near = difflib.get_close_matches(str(name), self._entries, 1, cutoff=0.4)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            known = ", ".join(self._entries)
            raise KeyError(
                f"expected one of {known}, received {name!r}{hint}"
            ) from None

    def __iter__(self) -> Iterator[str]:
        """Iterate over the names, in the order of the table."""
        return iter(self._entries)

    def __len__(self) -> int:
        """Return the number of data sets."""
        return len(self._entries)

    def rows(self) -> list[dict[str, str]]:
        """Return one dict a data set, ready for ``pandas.DataFrame``."""
        return [{c: getattr(e, c) for c in self.columns} for e in self.values()]

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{c}</th>" for c in self.columns)
        body = "".join(
            "<tr>" + "".join(_cell(c, text) for c, text in row.items()) + "</tr>"
            for row in self.rows()
        )
        return (
            f'{_STYLE}<div style="overflow-x: auto"><table class="srtools-catalogue">'
            f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"
        )

    def __repr__(self) -> str:
        """Return the table as text, one data set a line."""
        rows = [self.columns, *(tuple(row.values()) for row in self.rows())]
        widths = [max(len(row[i]) for row in rows) for i in range(len(self.columns))]
        return "\n".join(
            "  ".join(t.ljust(w) for t, w in zip(row, widths, strict=True)).rstrip()
            for row in rows
        )


def _cell(column, text):
    text = html.escape(text)
    if column == "link" and text:
        short = text.split("://")[-1]
        short = short if len(short) < 22 else short.split("/")[0]
        text = f'<a href="{text}">{short}</a>'
    if column == "name":
        text = f"<code>{text}</code>"
    return f'<td data-column="{column}">{text}</td>'


# A table on a desk; on a phone, where eight columns do not fit, a list of cards.
_STYLE = """<style>
table.srtools-catalogue { font-size: 0.8em; }
table.srtools-catalogue :is(td, th) {
  text-align: left; vertical-align: top; padding: 0.3em 0.6em 0.3em 0;
}
@media (max-width: 640px) {
  table.srtools-catalogue { font-size: 1em; }
  table.srtools-catalogue thead { display: none; }
  table.srtools-catalogue tr { display: block; padding: 0.6em 0; }
  table.srtools-catalogue td { display: block; padding: 0; white-space: normal; }
  table.srtools-catalogue td:empty { display: none; }
  table.srtools-catalogue td:not(:first-child)::before {
    content: attr(data-column) ": "; opacity: 0.6;
  }
}
</style>"""

_UNKNOWN = "not stated; ask the authors before passing it on"
_BED = "Vamvakeros et al., Nat. Commun. 9 (2018) 4751, doi:10.1038/s41467-018-07046-8"
_SEED = "Butler et al., superres-tomo 0.0, 2020"

_CATALOGUE = Catalogue(
    [
        Entry(
            "div2k",
            "http://tiny.cc/3hydsz",
            "synthetic",
            "DIV2K",
            "n/a",
            "64x64",
            "180,000",
            "Image/sinogram pairs",
            180_000 * 2 * 64 * 64 * 4,
            "training reconstruction on images full of detail",
            "DIV2K photographs: academic research only",
            "Agustsson & Timofte, CVPRW 2017, doi:10.1109/CVPRW.2017.150",
            "div2k.h5",
            "http://tiny.cc/3hydsz",
            stand_in="simulate('div2k')",
        ),
        Entry(
            "shapes",
            "http://tiny.cc/m3djsz",
            "synthetic",
            "Random shapes",
            "",
            "128x128",
            "55,000",
            "Image/sinogram pairs; absent from an earlier table of the original "
            "repository",
            55_000 * 2 * 128 * 128 * 4,
            "training reconstruction on sharp edges and flat areas",
            _UNKNOWN,
            _SEED,
            "shapes.h5",
            "http://tiny.cc/m3djsz",
            stand_in="simulate('shapes')",
        ),
        Entry(
            "microct_185",
            "http://tiny.cc/58zdsz",
            "real",
            "Micro CT",
            "Reactor bed",
            "185x185x1000",
            "10000",
            "3rd dim is the z-position; an earlier table of the original repository "
            "has 185x185x1001 and 1000 data",
            185 * 185 * 1000 * 4,
            "super-resolution in space, segmentation of particles",
            _UNKNOWN,
            _BED,
            "microct_185.h5",
            "http://tiny.cc/58zdsz",
            stand_in="simulate('microct_185')",
        ),
        Entry(
            "microct_369",
            "http://tiny.cc/ft0dsz",
            "real",
            "Micro CT",
            "Reactor bed",
            "369x369x1000",
            "10000",
            "Same experiment as above; higher res; an earlier table of the original "
            "repository has 369x369x1001 and 1000 data",
            369 * 369 * 1000 * 4,
            "truth for super-resolution of microct_185",
            _UNKNOWN,
            _BED,
            "microct_369.h5",
            "http://tiny.cc/ft0dsz",
            stand_in="simulate('microct_369')",
        ),
        Entry(
            "xrdct_75",
            "http://tiny.cc/0a0dsz",
            "real",
            "XRD-CT",
            "Reactor bed",
            "75x75x2038",
            "38",
            "From same experiment as the data above. 3rd dim is the diffraction "
            "pattern; an earlier table of the original repository has 1 data set",
            38 * 75 * 75 * 2038 * 4,
            "phase maps, denoising of patterns, fusion with micro-CT",
            _UNKNOWN,
            _BED,
            "xrdct_75.h5",
            "http://tiny.cc/0a0dsz",
            stand_in="simulate('xrdct_75')",
        ),
        Entry(
            "xrdct_149",
            "http://tiny.cc/jd0dsz",
            "real",
            "XRD-CT",
            "Reactor bed",
            "149x149x2038",
            "38",
            "Same experiment as above; higher-res; an earlier table of the original "
            "repository has 1 data set",
            38 * 149 * 149 * 2038 * 4,
            "truth for super-resolution of xrdct_75",
            _UNKNOWN,
            _BED,
            "xrdct_149.h5",
            "http://tiny.cc/jd0dsz",
            stand_in="simulate('xrdct_149')",
        ),
        Entry(
            "sample_reconstruction",
            "http://tiny.cc/vdl9rz",
            "synthetic",
            "Random shapes",
            "",
            "64x64",
            "10,000",
            "shapes_random_noise_64px_norm.h5 of the reconstruction tutorials",
            10_000 * 2 * 64 * 64 * 4,
            "following the seed's reconstruction tutorials to the letter",
            _UNKNOWN,
            _SEED,
            "shapes_random_noise_64px_norm.h5",
            "http://tiny.cc/vdl9rz",
            stand_in="simulate('shapes', n=10_000, scale=0.5)",
        ),
        Entry(
            "sample_sinograms",
            "https://tinyurl.com/y2t56hgd",
            "",
            "All materials",
            "",
            "not stated",
            "2,000",
            "All_mixed_2K_sinograms_raw.h5 (zipped) of the dimension reduction page",
            0,
            "a map of sinograms",
            _UNKNOWN,
            _SEED,
            "sample_sinograms.zip",
            "https://tinyurl.com/y2t56hgd",
            stand_in="simulate('shapes', n=2000, scale=0.5)",
        ),
        Entry(
            "sample_images",
            "https://tinyurl.com/y2l4jvoj",
            "",
            "All materials",
            "",
            "not stated",
            "not stated",
            "Images (zipped) of the dimension reduction page",
            0,
            "a map of images",
            _UNKNOWN,
            _SEED,
            "sample_images.zip",
            "https://tinyurl.com/y2l4jvoj",
            stand_in="simulate('shapes', n=2000, scale=0.5)",
        ),
        Entry(
            "tooth",
            "https://github.com/tomopy/tomopy",
            "real",
            "Micro CT",
            "Tooth",
            "181x2x640",
            "1",
            "Counts of 181 angles, 2 rows, 640 columns, with 10 white and 10 dark "
            "fields; axis near column 295.5; shows rings",
            2 * 201 * 2 * 640,
            "the way from counts to a slice: flat field, centring, rings",
            "BSD-3-Clause",
            "Gursoy et al., J. Synchrotron Rad. 21 (2014) 1188, "
            "doi:10.1107/S1600577514013939",
            "tooth.h5",
            f"{_TOMOPY}/source/tomopy/data/tooth.h5",
            "ab1d9bd073b7fb1beae4defa991c2a2626605c5cf1f4be0d0203656bc47b6489",
        ),
        Entry(
            "ni_superalloy",
            "https://github.com/tldr-group/interactive-seg-backend",
            "real",
            "Electron microscope",
            "Nickel superalloy",
            "512x512",
            "1",
            "A micrograph, not an X-ray image",
            512 * 512,
            "segmentation into three classes on real grey values",
            "MIT",
            "github.com/tldr-group/interactive-seg-backend",
            "ni_superalloy.tif",
            f"{_TLDR}/tests/data/0.tif",
            "d127af46deb743eb7236fcc9b3f163fc4d3eeb70794c03ee981508efb19d746f",
        ),
        Entry(
            "ni_superalloy_truth",
            "https://github.com/tldr-group/interactive-seg-backend",
            "real",
            "Labels by hand",
            "Nickel superalloy",
            "512x512",
            "1",
            "Classes 85, 170, 255 of every pixel of ni_superalloy",
            512 * 512,
            "truth for ni_superalloy",
            "MIT",
            "github.com/tldr-group/interactive-seg-backend",
            "ni_superalloy_truth.tif",
            f"{_TLDR}/tests/data/0_ground_truth.tif",
            "ffa0ffa8899394b95e9f16cc8af526e238863ac9b23ae6547c65f9871b4c1c2f",
        ),
    ]
)


def catalogue() -> Catalogue:
    """Return what is known of every data set, the seed's benchmarks first.

    Returns
    -------
    Catalogue
        A mapping from name to `Entry`; a notebook draws it as a table, and
        ``pandas.DataFrame(catalogue().rows())`` makes a frame of it.
    """
    return _CATALOGUE
