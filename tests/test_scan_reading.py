import subprocess
import sys

import h5py
import numpy as np
import pytest
import tifffile

from srtools.scan import missing_wedge, read_scan

N, ROWS, COLUMNS = 12, 3, 8
ANGLES = np.linspace(0, 180, N, endpoint=False)


@pytest.fixture
def pictures():
    """Projections, flats and darks, 16 bits: no two pixels of a projection alike."""
    projections = np.arange(N * ROWS * COLUMNS).reshape(N, ROWS, COLUMNS) + 100
    flats = np.full((2, ROWS, COLUMNS), 1000)
    stacks = projections, flats, np.full_like(flats, 10)
    return tuple(stack.astype("uint16") for stack in stacks)


def exchange(path, projections, flats, darks, angles=ANGLES, **attributes):
    with h5py.File(path, "w") as file:
        file["exchange/data"] = projections
        file["exchange/data_white"] = flats
        file["exchange/data_dark"] = darks
        file["exchange/theta"] = angles
        file["exchange/theta"].attrs.update(attributes)
    return path


def folder(path, projections, flats, darks, angles=ANGLES, **how):
    path.mkdir()
    for name, stack in (("raw", projections), ("flat", flats), ("dark", darks)):
        for i, picture in enumerate(stack):
            tifffile.imwrite(path / f"{name}_{i:04d}.tif", picture, **how)
    np.savetxt(path / "angles.txt", angles)
    return path


def nxtomo(path, projections, flats, darks, **entries):
    """Written by the library of that name: flats, darks, projections, one spoilt."""
    library = pytest.importorskip("nxtomo")
    units = pytest.importorskip("pint").get_application_registry()
    for entry in entries or ("entry0000",):
        scan = library.NXtomo()
        spoilt = np.zeros_like(projections[:1])
        scan.instrument.detector.data = np.concatenate(
            [flats, darks, projections, spoilt]
        )
        keys = [1] * len(flats) + [2] * len(darks) + [0] * N + [3]
        scan.instrument.detector.image_key_control = np.array(keys)
        scan.instrument.detector.x_pixel_size = 2.5 * units.um
        around = np.concatenate([np.zeros(len(flats) + len(darks)), ANGLES, [0]])
        scan.sample.rotation_angle = around * units.degree
        scan.save(str(path), entry, overwrite=True)
    return path


@pytest.mark.parametrize("kind", ["exchange", "nxtomo", "folder", "packed folder"])
def test_the_formats_that_tell_need_no_argument(tmp_path, pictures, kind):
    projections, flats, darks = pictures
    write = {"exchange": exchange, "nxtomo": nxtomo}.get(kind, folder)
    how = {"compression": "zlib"} if kind == "packed folder" else {}
    scan = read_scan(write(tmp_path / "scan.nx", projections, flats, darks, **how))
    assert scan.projections.shape == (N, ROWS, COLUMNS)
    assert scan.projections.dtype == "uint16"
    assert np.allclose(scan.angles, ANGLES)
    counts = scan.counts(slice(1, 3))
    assert counts.shape == (2, COLUMNS, N, 1) and counts.dtype == np.float32
    assert np.array_equal(counts[..., 0], projections[:, 1:3].transpose(1, 2, 0))
    assert np.array_equal(scan.flats.read(slice(0, 1)), flats[:, :1])
    assert np.array_equal(scan.darks.read(slice(2, 3)), darks[:, 2:])
    assert scan.pixel_size == (pytest.approx(2.5) if kind == "nxtomo" else None)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", ">u2"])
@pytest.mark.parametrize("suffix", [".npy", ".tif"])
def test_one_file_of_any_type_with_its_flats_beside(tmp_path, dtype, suffix):
    projections = np.random.default_rng(0).integers(1, 99, (N, ROWS, COLUMNS))
    write = np.save if suffix == ".npy" else tifffile.imwrite
    for name, stack in (("scan", projections), ("white", projections[:2])):
        stack = stack.astype(dtype)
        how = {"byteorder": ">"} if suffix == ".tif" and dtype == ">u2" else {}
        write(tmp_path / f"{name}{suffix}", stack, **how)
    scan = read_scan(
        tmp_path / f"scan{suffix}", flats=f"white{suffix}", angles=ANGLES, pixel_size=3
    )
    assert np.array_equal(scan.counts(1)[0, ..., 0], projections[:, 1].T)
    assert np.array_equal(scan.flats.read(slice(0, 3)), projections[:2])
    assert scan.pixel_size == 3


def test_any_hdf5_with_named_keys(tmp_path, pictures):
    projections, flats, darks = pictures
    path = tmp_path / "own.h5"
    with h5py.File(path, "w") as file:
        file["measured/counts"], file["measured/beam"] = projections, flats
        file["turns"] = np.deg2rad(ANGLES)
        file["turns"].attrs["units"] = "radian"
    with pytest.raises(ValueError, match=r"found measured/beam \(2, 3, 8\), .*flats="):
        read_scan(path)
    names = {"projections": "measured/counts", "flats": "measured/beam"}
    scan = read_scan(path, **names, darks=darks, angles="turns")
    assert np.allclose(scan.angles, ANGLES)  # the file says that they are in radians
    assert np.array_equal(scan.darks.read(slice(0, 3)), darks)
    with pytest.raises(ValueError, match="dataset measured/bean for flats=, found mea"):
        read_scan(path, **names | {"flats": "measured/bean"}, angles="turns")
    with pytest.raises(ValueError, match="expected angles in turn, found none"):
        read_scan(path, **names, angles="turn")


def test_what_an_argument_says_is_believed(tmp_path, pictures):
    path = exchange(tmp_path / "a.h5", *pictures)
    scan = read_scan(path, flats=1, angles=ANGLES + 1)
    assert np.array_equal(scan.flats.read(slice(0, 2)), np.ones((1, 2, COLUMNS)))
    assert np.allclose(scan.angles, ANGLES + 1)


def test_an_ambiguous_folder_says_what_decides(tmp_path, pictures):
    path = folder(tmp_path / "scan", *pictures)
    tifffile.imwrite(path / "after_0.tif", np.zeros((ROWS, COLUMNS), "uint16"))
    with pytest.raises(ValueError, match=r"'after_\*.tif': 1, 'raw_\*.tif': 12.*proje"):
        read_scan(path)
    assert read_scan(path, projections="raw_*.tif").projections.shape[0] == N
    (path / "more.txt").touch()
    with pytest.raises(
        ValueError, match=r"found \['angles.txt', 'more.txt'\].*angles="
    ):
        read_scan(path, projections="raw_*.tif")
    with pytest.raises(ValueError, match=r"expected files cold_\* for darks="):
        read_scan(path, projections="raw_*.tif", darks="cold_*", angles=ANGLES)


@pytest.mark.parametrize("pattern", [None, "proj_*.tif"])
def test_pictures_come_in_the_order_of_their_numbers(tmp_path, pictures, pattern):
    projections, flats, _ = pictures
    for i, picture in enumerate(projections):  # _0, _1, ... _11
        tifffile.imwrite(tmp_path / f"proj_{i}.tif", picture)
        tifffile.imwrite(tmp_path / f"flat_{i}.tif", flats[0] + i)
    scan = read_scan(tmp_path, projections=pattern, flats="flat_*.tif", angles=ANGLES)
    assert np.array_equal(scan.counts(1)[0, ..., 0], projections[:, 1].T)
    assert np.array_equal(scan.flats.read(slice(0, 1))[:, 0, 0], 1000 + np.arange(N))


def test_parts_of_a_folder_may_be_anywhere(tmp_path, pictures):
    projections, flats, darks = pictures
    path = folder(tmp_path / "scan", *pictures)
    for place in (path / "white", tmp_path / "dark", path / "raw"):
        place.mkdir()
    for i in range(2):
        tifffile.imwrite(path / "white" / f"{i}.tif", flats[i] + 1)
        tifffile.imwrite(tmp_path / "dark" / f"{i}.tif", darks[i] + 1)
    tifffile.imwrite(path / "raw" / "all.tif", projections + 1)
    np.save(path / "white.npy", flats + 1)
    for flat in ("white", path / "white", "white/*.tif", "white.npy"):
        for dark in (tmp_path / "dark", "../dark/*.tif", f"{tmp_path}/dark/*.tif"):
            scan = read_scan(path, projections="raw", flats=flat, darks=dark)
            assert np.array_equal(scan.flats.read(slice(0, 3)), flats + 1)
            assert np.array_equal(scan.darks.read(slice(0, 3)), darks + 1)
            assert np.array_equal(scan.counts(0)[0, ..., 0], projections[:, 0].T + 1)
    scan = read_scan(path, projections=path / "raw" / "all.tif")
    assert scan.projections.shape[0] == N and scan.flats.shape[0] == 2
    with pytest.raises(ValueError, match=r"expected files /no/\*\.tif for flats="):
        read_scan(path, projections="raw", flats="/no/*.tif")


@pytest.mark.parametrize("unit", ["degrees", "Degree", "\N{DEGREE SIGN}", "", b"deg"])
def test_degrees_by_many_names(tmp_path, pictures, unit):
    path = exchange(tmp_path / "a.h5", *pictures, units=unit)
    assert np.allclose(read_scan(path).angles, ANGLES)


def test_angles_in_another_unit_are_refused(tmp_path, pictures):
    path = exchange(tmp_path / "a.h5", *pictures, 1e3 * ANGLES, units="mdeg")
    with pytest.raises(ValueError, match=r"a\.h5: .*exchange/theta.*unit 'mdeg'"):
        read_scan(path)
    assert np.allclose(read_scan(path, angles=ANGLES).angles, ANGLES)


def test_what_is_given_is_not_looked_for_in_nxtomo(tmp_path, pictures):
    path = nxtomo(tmp_path / "a.nx", *pictures)
    size = "entry0000/instrument/detector/x_pixel_size"
    for unit, micrometres in (
        ("micrometers", 2.5),
        ("\N{MICRO SIGN}m", 2.5),
        ("\N{GREEK SMALL LETTER MU}m", 2.5),
        ("mm", 2500),
        ("furlong", None),
        ("", None),
    ):
        with h5py.File(path, "r+") as file:
            file[size][...] = 2.5
            file[size].attrs["units"] = unit
        assert read_scan(path).pixel_size == micrometres
        assert read_scan(path, pixel_size=1.5).pixel_size == 1.5
    with h5py.File(path, "r+") as file:
        del file["entry0000/sample/rotation_angle"]
    assert np.allclose(read_scan(path, angles=ANGLES + 1).angles, ANGLES + 1)
    with pytest.raises(ValueError, match="expected angles in entry0000/sample/rotat"):
        read_scan(path)


def test_two_entries_ask_which(tmp_path, pictures):
    path = nxtomo(tmp_path / "a.nx", *pictures, entry0000=None, entry0001=None)
    with pytest.raises(ValueError, match=r"found \['entry0000', 'entry0001'\].*projec"):
        read_scan(path)
    assert read_scan(path, projections="entry0001").projections.shape[0] == N


def test_links_stay_in_the_folder_of_the_file(tmp_path, pictures):
    inside = tmp_path / "scan"
    (inside / "raw").mkdir(parents=True)
    projections, flats, darks = pictures
    for path in (inside / "raw" / "a.h5", tmp_path / "elsewhere.h5"):
        exchange(path, projections, flats, darks)

    def master(name, target):
        with h5py.File(inside / name, "w") as file:
            file["exchange/data_white"] = flats
            file["exchange/theta"] = ANGLES
            file["soft"] = h5py.ExternalLink(target, "exchange")
            file["exchange/data"] = h5py.SoftLink("/soft/data")
        return inside / name

    scan = read_scan(master("good.h5", "raw/a.h5"))
    assert np.array_equal(scan.counts(2)[0, ..., 0], projections[:, 2].T)
    for target in ("../elsewhere.h5", str(tmp_path / "elsewhere.h5")):
        with pytest.raises(
            ValueError, match=r"bad\.h5: expected links to files in its"
        ):
            read_scan(master("bad.h5", target))
    with pytest.raises(FileNotFoundError, match=r"gone\.h5: links to raw/b\.h5, which"):
        read_scan(master("gone.h5", "raw/b.h5"))


def test_virtual_datasets_stay_in_the_folder_too(tmp_path, pictures):
    inside = tmp_path / "scan"
    inside.mkdir()
    projections, flats, darks = pictures
    for path in (inside / "a.h5", tmp_path / "b.h5"):
        exchange(path, projections, flats, darks)

    def master(target):
        layout = h5py.VirtualLayout(projections.shape, "uint16")
        layout[:] = h5py.VirtualSource(target, "exchange/data", projections.shape)
        with h5py.File(inside / "master.h5", "w") as file:
            file.create_virtual_dataset("data", layout)
        return {"path": inside / "master.h5", "projections": "data"}

    scan = read_scan(**master("a.h5"), flats=flats, angles=ANGLES)
    assert np.array_equal(scan.counts(0)[0, ..., 0], projections[:, 0].T)
    with pytest.raises(ValueError, match=r"found one to \.\./b\.h5"):
        read_scan(**master("../b.h5"), flats=flats, angles=ANGLES)


def test_links_in_a_circle_end(tmp_path):
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["data"] = h5py.SoftLink("/other")
        file["other"] = h5py.SoftLink("/data")
    with pytest.raises(ValueError, match="found a circle"):
        read_scan(tmp_path / "a.h5", projections="data", angles=ANGLES)


@pytest.mark.parametrize(
    ("angles", "message"),
    [
        (ANGLES[:5], "expected 12 angles for 12 projections, found 5"),
        (np.deg2rad(ANGLES), r"from 0 to 2\.88, which look like radians"),
        (np.where(ANGLES == 15, 0, ANGLES), "every angle once, found 0 2 times"),
        (np.where(ANGLES == 15, np.nan, ANGLES), "expected finite angles"),
        (np.zeros((N, 2)), r"12 projections, found \(12, 2\)"),
    ],
)
def test_angles_that_cannot_be_right(tmp_path, pictures, angles, message):
    path = exchange(tmp_path / "a.h5", *pictures, angles=angles)
    with pytest.raises(ValueError, match=rf"a\.h5: .*{message}"):
        read_scan(path)


def test_files_of_another_size_or_cut_short(tmp_path, pictures):
    projections, flats, darks = pictures
    with pytest.raises(
        ValueError, match=r"expected flats of 3 x 8 pixels.*found 3 x 7"
    ):
        read_scan(exchange(tmp_path / "a.h5", projections, flats[..., :7], darks))
    path = folder(tmp_path / "scan", projections, flats, darks)
    last = path / "raw_0011.tif"
    whole = last.read_bytes()
    last.write_bytes(whole[:-20])
    with pytest.raises(ValueError, match=r"raw_0011\.tif: .*truncated"):
        read_scan(path)
    tifffile.imwrite(last, projections[0, :, :7])
    with pytest.raises(
        ValueError, match=r"raw_0011.*3 x 8 uint16, as in raw_0000.*3 x 7"
    ):
        read_scan(path)
    last.write_bytes(b"no picture")
    with pytest.raises(ValueError, match=r"raw_0011\.tif: expected a TIFF image"):
        read_scan(path)
    for name in ("a.npy", "a.nx"):
        (tmp_path / name).write_bytes(b"nothing of the kind")
        with pytest.raises(ValueError, match=rf"{name}: expected a"):
            read_scan(tmp_path / name, angles=ANGLES)
    path = exchange(tmp_path / "b.h5", projections, flats, darks)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(ValueError, match=r"b\.h5: expected an HDF5 file"):
        read_scan(path)


def test_missing_things_are_named(tmp_path, pictures):
    with pytest.raises(FileNotFoundError, match="nowhere: no such file or folder"):
        read_scan(tmp_path / "nowhere")
    np.save(tmp_path / "a.npy", np.ones((N, ROWS, COLUMNS), "float32"))
    with pytest.raises(ValueError, match="expected angles, found none; pass angles="):
        read_scan(tmp_path / "a.npy")
    with pytest.raises(FileNotFoundError, match=r"white\.npy: no such file.*flats="):
        read_scan(tmp_path / "a.npy", flats="white.npy", angles=ANGLES)
    np.save(tmp_path / "b.npy", np.ones((N, COLUMNS)))
    with pytest.raises(
        ValueError, match=r"\(n, n_rows, n_columns\).*found shape \(12, 8\)"
    ):
        read_scan(tmp_path / "b.npy", angles=ANGLES)
    scan = read_scan(tmp_path / "a.npy", angles=ANGLES)
    with pytest.raises(ValueError, match=r"expected flats.*found none.*flats=1"):
        scan.sinograms(0)
    for rows in (3, slice(2, 4), slice(0, 2, 2), -1):
        with pytest.raises(ValueError, match="expected rows from 0 to 2"):
            scan.counts(rows)


def test_the_missing_wedge():
    assert missing_wedge(np.arange(180)) == 0
    assert missing_wedge(np.arange(360)[::-1]) == 0
    assert missing_wedge(np.arange(121)) == pytest.approx(59)
    assert missing_wedge(np.arange(-60, 60, 2)) == pytest.approx(60)


def test_the_room_opens_without_keras_or_matplotlib():
    program = (
        "import sys, srtools.scan as room\n"
        "[getattr(room, name) for name in room.__all__]\n"
        "heavy = {'keras', 'tensorflow', 'matplotlib', 'algotom'}\n"
        "sys.exit(str(heavy & sys.modules.keys()) if heavy & sys.modules.keys() else 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
