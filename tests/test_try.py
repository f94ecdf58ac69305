"""The playable tomograph: its physics, its network, and what its page says."""

import base64
import csv
import json
import re
import shutil
import subprocess

import numpy as np
import pytest
from playing import BOOK, TRY, constant, fixed_inputs, stages, trained_network
from scipy.ndimage import binary_fill_holes

from srtools.metrics import psnr
from srtools.phantoms import random_shapes, shepp_logan
from srtools.tomography import FILTERS, ParallelBeam, sirt, tv
from srtools.tutorial import ATTENUATION, PHOTONS, many_views_key

needs_node = pytest.mark.skipif(
    shutil.which("node") is None, reason="no node: expected it on the path"
)

# Read the scripts of the page as a page does, answer what is asked on standard input.
# Without its own names of Node: the engine takes what it finds for a browser.
NODE = """
const vm = require("vm"), fs = require("fs");
const files = process.argv.slice(1);
const { code, ...asked } = JSON.parse(fs.readFileSync(0));
for (const name of ["process", "require", "module", "exports"]) delete globalThis[name];
Object.assign(globalThis, { window: globalThis, document: {} });
for (const file of files) vm.runInThisContext(fs.readFileSync(file, "utf8"));
const answer = vm.runInThisContext(`(async (asked) => { ${code} })`)(asked);
answer.then(JSON.stringify).then(console.log);
"""
SCRIPTS = [
    *(TRY / name for name in ("physics.js", "iterate.js", "network.js", "weights.js")),
    *sorted((TRY.parent / "tfjs").glob("*.js"), reverse=True),
]


def node(code, **asked):
    """What a piece of JavaScript returns for ``asked``."""
    said = subprocess.run(
        ["node", "-e", NODE, *map(str, SCRIPTS)],
        input=json.dumps({"code": code, **asked}),
        capture_output=True,
        text=True,
    )
    assert said.returncode == 0, said.stderr
    return json.loads(said.stdout)


def far(found, truth):
    """Largest difference, in parts of the largest true value."""
    return np.abs(np.ravel(found) - np.ravel(truth)).max() / np.abs(truth).max()


SCANS = {  # views, range [degrees], axis, steps until both solvers of TV stand still
    "few views": (4, 180, 31.5, 400),
    "many views": (96, 180, 31.5, 300),
    "axis off": (30, 180, 27.5, 400),
    "missing wedge": (17, 60, 37.5, 2000),
}


@needs_node
@pytest.mark.parametrize("scan", SCANS.values(), ids=list(SCANS))
def test_scan_and_reconstructions_are_those_of_the_package(scan):
    views, span, axis, steps = scan
    angles = np.linspace(0, span, views, endpoint=False)
    measuring = ParallelBeam(64, angles, axis=axis)
    beam = ParallelBeam(64, angles)
    rng = np.random.default_rng(0)
    image = random_shapes(1, 64, rng=rng)
    clean = measuring.project(image)
    noisy = clean + 0.3 * rng.standard_normal(clean.shape, dtype=np.float32)
    found = node(
        """
        const measuring = new ParallelBeam(asked.angles, asked.axis);
        const beam = new ParallelBeam(asked.angles);
        const sinogram = Float32Array.from(asked.sinogram);
        const after = (steps, n) => {
          let image;
          for (let i = 0; i < n; i++) image = steps.next().value;
          return [...image];
        };
        const fbp = {};
        for (const name in WINDOWS) fbp[name] = [...beam.fbp(sinogram, name)];
        return {
          sinogram: [...measuring.project(Float32Array.from(asked.image))],
          weights: beam.angleWeights(),
          fbp,
          sirt: after(sirt(beam, sinogram), 30),
          tv: after(totalVariation(beam, sinogram, 0.5), asked.steps),
        };
        """,
        angles=angles.tolist(),
        axis=axis,
        steps=steps,
        image=image.ravel().tolist(),
        sinogram=noisy[0, :, :, 0].T.ravel().tolist(),  # a view a row
    )
    assert far(found["sinogram"], clean[0, :, :, 0].T) < 1e-4
    assert far(found["weights"], beam.angle_weights) < 1e-4
    assert set(found["fbp"]) == set(FILTERS)
    for name, values in found["fbp"].items():
        assert far(values, beam.fbp(noisy, filter=name)) < 1e-4, name
    assert far(found["sirt"], sirt(beam, noisy, iterations=30)) < 1e-4
    least = tv(beam, noisy, weight=0.5, iterations=steps)
    assert far(found["tv"], least) < 2e-3


@needs_node
@pytest.mark.parametrize("mean", [0.3, 8, 29, 31, 2000])
def test_photons_are_counted_by_the_law_of_poisson(mean):
    counts = node(
        """
        const random = randomNumbers(1);
        return Array.from({ length: 20000 }, () => poisson(asked.mean, random));
        """,
        mean=mean,
    )
    assert min(counts) >= 0
    assert np.mean(counts) == pytest.approx(mean, rel=0.03)
    assert np.var(counts) == pytest.approx(mean, rel=0.05)


@needs_node
def test_counting_takes_the_logarithm_again():
    clean = np.linspace(0, 40, 64 * 64)
    code = (
        "return [...countPhotons(Float32Array.from(asked.y), 1e7, randomNumbers(1))];"
    )
    assert node(code, y=clean.tolist()) == pytest.approx(clean, abs=0.05)
    assert node("return ATTENUATION;") == ATTENUATION
    dark = node(
        "return [...countPhotons(new Float32Array([1e3]), 100, randomNumbers(1))];"
    )
    assert dark == pytest.approx([np.log(100) / ATTENUATION])  # no photon counts as one


@needs_node
def test_half_precision_is_read_as_numpy_reads_it():
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16)
    halves = halves[np.isfinite(halves)]
    text = base64.b64encode(halves.tobytes()).decode()
    code = "return [...unpackHalves(asked.text)];"
    assert np.array_equal(node(code, text=text), halves.astype(float))


def test_the_weights_are_those_that_the_code_would_train():
    key = constant("NETWORK", "weights.js")["key"]
    assert key == many_views_key(), "expected scripts/export_browser.py to be run again"


def doses():
    """The numbers of photons that the page offers."""
    text = (TRY / "page.js").read_text()
    return json.loads(text.split("const PHOTONS = ")[1].split(";")[0])


def test_the_page_offers_the_doses_that_the_network_knows():
    assert (doses()[0], doses()[-1]) == PHOTONS


def test_ready_objects_are_images_in_the_circle():
    objects = constant("OBJECTS", "objects.js")
    assert list(objects) == [
        "shapes",
        "head",
        "tooth",
        "particles",
        "grains",
        "letters",
    ]
    seen = ParallelBeam(64, [0.0]).field_of_view.ravel()
    for name, packed in objects.items():
        image = np.frombuffer(base64.b64decode(packed), np.uint8)
        assert image.shape == (64 * 64,) and not image[~seen].any(), name
        assert 100 < image.max() <= 255, name
    head = np.frombuffer(base64.b64decode(objects["head"]), np.uint8) / 255
    assert far(head, shepp_logan(64)) < 0.01


def test_the_engine_comes_with_its_licence():
    folder = TRY.parent / "tfjs"
    assert "Apache License" in (folder / "LICENSE").read_text()
    assert sum(file.stat().st_size for file in folder.iterdir()) < 1.2e6


@needs_node
def test_the_network_agrees_with_keras():
    drafts, keras_says = fixed_inputs()
    found = node(
        """
        const network = await startNetwork();
        const images = asked.drafts.map((draft) => Float32Array.from(draft));
        return images.map((draft) => [...network.predict(draft)]);
        """,
        drafts=[draft.ravel().tolist() for draft in drafts],
    )
    assert np.abs(np.array(found) - keras_says.reshape(3, -1)).max() < 1e-3


def played(words, iteration="TV"):
    """Object, FBP, iterated image and the network's of an experiment of the page."""
    stage = stages()[words]
    objects = constant("OBJECTS", "objects.js")
    truth = np.frombuffer(base64.b64decode(objects[stage["take"]]), np.uint8) / 255
    found = node(
        """
        const gap = (180 - asked.wedge) / asked.views;
        const angles = Array.from({ length: asked.views }, (_, i) => i * gap);
        const clean = new ParallelBeam(angles, MIDDLE + Number(asked.axis))
            .project(Float32Array.from(asked.truth));
        const measured = countPhotons(clean, asked.photons, randomNumbers(1));
        const beam = new ParallelBeam(angles);
        const steps = asked.iteration === "TV"
            ? totalVariation(beam, measured, asked.weight) : sirt(beam, measured);
        const scores = [];
        let image;
        for (let i = 0; i < (asked.iteration === "TV" ? 180 : 200); i++) {
            image = steps.next().value;
            scores.push(psnr(asked.truth, image));
        }
        return { scores, fbp: [...beam.fbp(measured, "hann")], iterated: [...image] };
        """,
        truth=truth.tolist(),
        views=int(stage["views"]),
        photons=doses()[int(stage["photons"])],
        axis=stage["axis"],
        wedge=int(stage["wedge"]),
        iteration=iteration,
        weight=constant("NETWORK", "weights.js")["tvWeight"],
    )
    draft = np.array(found["fbp"], np.float32).reshape(1, 64, 64, 1)
    images = {
        "fbp": draft,
        "iterated": np.array(found["iterated"]).reshape(1, 64, 64, 1),
        "network": trained_network()(draft).numpy(),
    }
    truth = truth.reshape(1, 64, 64, 1)
    scores = {name: psnr(truth, image)[0] for name, image in images.items()}
    squares = {name: image[0, :, :, 0] for name, image in images.items()}
    return truth[0, :, :, 0], squares, scores, found["scores"]


@needs_node
def test_in_little_light_the_network_wins_and_sirt_goes_too_far():
    _, _, scores, _ = played("Shapes in little light")
    assert scores["network"] > max(scores["fbp"], scores["iterated"]) + 2
    *_, curve = played("Shapes in little light", "SIRT")
    assert max(curve) > curve[-1] + 1


@needs_node
def test_letters_become_shapes():
    truth, images, scores, _ = played("Letters, eight views")
    assert scores["iterated"] > scores["network"] + 3
    letter_a = np.zeros_like(truth, bool)
    letter_a[:32, :32] = True
    hole = binary_fill_holes(truth > 0.5) & (truth < 0.1) & letter_a
    strokes = (truth > 0.6) & letter_a
    filled = {k: v[hole].mean() / v[strokes].mean() for k, v in images.items()}
    assert filled["iterated"] < 0.6 and 0.8 < filled["network"]


@needs_node
def test_particles_lose_their_rims():
    truth, images, _, _ = played("Particles, eight views")
    rim, core = truth > 0.6, (truth > 0.1) & (truth < 0.6)
    higher = {k: v[rim].mean() - v[core].mean() for k, v in images.items()}
    true = truth[rim].mean() - truth[core].mean()
    assert higher["network"] < 0.2 * true < 0.4 * true < higher["fbp"]


@needs_node
def test_a_wrong_axis_spoils_all_and_only_fbp_looks_it():
    _, images, scores, _ = played("A wrong axis")
    assert max(scores.values()) < 18 and np.ptp(list(scores.values())) < 1.5
    sharp = {k: np.quantile(np.hypot(*np.gradient(v)), 0.98) for k, v in images.items()}
    assert sharp["network"] > 1.3 * sharp["fbp"]


@needs_node
def test_a_missing_wedge_is_filled_by_tv_and_left_by_the_network():
    _, _, scores, _ = played("A missing wedge")
    assert scores["iterated"] > scores["network"] + 6
    assert abs(scores["network"] - scores["fbp"]) < 1


def test_the_page_quotes_the_stored_table():
    path = BOOK.parent / "benchmarks" / "results" / "many_views.csv"
    with path.open(newline="") as file:
        (eight,) = [row for row in csv.DictReader(file) if row["views"] == "8"]
    text = (BOOK / "try.md").read_text()
    quoted = re.search(
        r"it reaches (\S+) dB.* alone (\S+) dB. TV reaches (\S+) dB", text
    )
    assert quoted.groups() == (eight["network"], eight["own network"], eight["TV"])
