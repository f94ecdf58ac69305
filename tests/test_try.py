"""The playable tomograph: its physics, its network, and the page in a browser."""

import base64
import csv
import functools
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import binary_fill_holes

from srtools.metrics import psnr
from srtools.models import unet
from srtools.phantoms import random_shapes, shepp_logan
from srtools.tomography import FILTERS, ParallelBeam, sirt, tv
from srtools.tutorial import ATTENUATION, PHOTONS, many_views_key

ROOT = Path(__file__).parents[1]
TRY = ROOT / "book" / "_static" / "try"
sys.path.insert(0, str(ROOT / "scripts"))

import check_pages  # noqa: E402

needs_node = pytest.mark.skipif(
    shutil.which("node") is None, reason="no node: expected it on the path"
)
needs_browser = pytest.mark.skipif(
    bool(check_pages.missing()), reason=check_pages.missing()
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


def constant(name, file):
    """The value of the constant that a written JavaScript file defines."""
    text = (TRY / file).read_text()
    return json.loads(text.split(f"const {name} = ")[1].removesuffix(";\n"))


@functools.cache
def trained_network():
    """The U-Net of the page, in Keras, with the weights of the page."""
    network = constant("NETWORK", "weights.js")
    model = unet((64, 64, 1), residual=True)
    assert {w.path: list(w.shape) for w in model.weights} == network["shapes"]
    values = np.frombuffer(base64.b64decode(network["values"]), "<f2")
    sizes = np.cumsum([np.prod(w.shape) for w in model.weights])
    assert sizes[-1] == len(values)
    parts = np.split(values.astype(np.float32), sizes[:-1])
    pairs = zip(parts, model.weights, strict=True)
    model.set_weights([part.reshape(w.shape) for part, w in pairs])
    return model


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
    folder = ROOT / "book" / "_static" / "tfjs"
    assert "Apache License" in (folder / "LICENSE").read_text()
    assert sum(file.stat().st_size for file in folder.iterdir()) < 1.2e6


@functools.cache
def fixed_inputs():
    """FBP images of few, some and many views, and what Keras makes of them."""
    images = np.concatenate(
        [random_shapes(2, 64, rng=np.random.default_rng(2)), shepp_logan(64)]
    )
    drafts = []
    for views, image in zip((5, 20, 90), images, strict=True):
        beam = ParallelBeam(64, np.linspace(0, 180, views, endpoint=False))
        drafts.append(beam.fbp(beam.project(image[None]), filter="hann")[0])
    return drafts, trained_network()(np.stack(drafts)).numpy()


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


def stages():
    """What the buttons of the page set: the object and the controls, by their words."""
    text = (ROOT / "book" / "try.md").read_text()
    buttons = re.findall(r'class="try-stage" (.*?)>(.*?)</button>', text)
    return {words: dict(re.findall(r'data-(\w+)="(\S+)"', s)) for s, words in buttons}


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


class Page:
    """The page in a browser, as a reader uses it."""

    def __init__(self, driver, path):
        self.driver, self.path = driver, path

    def open(self, motion="reduce", before=""):
        """Open the page from its file, in light mode; run some JavaScript before."""
        command = self.driver.execute_cdp_cmd
        size = {"width": 1280, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        command("Emulation.setDeviceMetricsOverride", size)
        self.prefer(motion)
        added = command("Page.addScriptToEvaluateOnNewDocument", {"source": before})
        self.driver.get(self.path.as_uri())
        command("Page.removeScriptToEvaluateOnNewDocument", added)
        self.wait("return document.readyState === 'complete'")

    def prefer(self, motion):
        """Say whether the reader wants motion: pictures on the way take their time."""
        media = [{"name": "prefers-reduced-motion", "value": motion}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})

    def run(self, code, *arguments):
        """Return what JavaScript returns in the page."""
        return self.driver.execute_script(code, *arguments)

    def wait(self, code, seconds=30):
        """Wait until JavaScript returns something true."""
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.driver, seconds, 0.05).until(
            lambda d: d.execute_script(code)
        )

    def text(self, name):
        """Return what an element of the page says."""
        return self.run(f"return document.getElementById('try-{name}').textContent")

    def shown(self):
        """Return the PSNR of each method [dB], once all are done."""
        self.wait(
            "return !waiting && scan && running?.done && running.scan === scan && "
            "(!network || scan.scores.network)"
        )
        texts = {
            name: self.text(f"{name}-psnr") for name in ("fbp", "iterated", "network")
        }
        return {
            k: float(v.split()[0].replace("∞", "inf")) for k, v in texts.items() if v
        }

    def set(self, **values):
        """Move controls, as a reader does."""
        self.run(
            """
            for (const [name, value] of Object.entries(arguments[0])) {
                const control = document.getElementById(`try-${name}`);
                control.value = value;
                control.dispatchEvent(new Event("input", { bubbles: true }));
            }
            """,
            values,
        )

    def press(self, words):
        """Click a button by its words."""
        self.run(
            "[...document.querySelectorAll('#try button, .try-stage')]"
            ".find((b) => b.textContent.trim() === arguments[0]).click()",
            words,
        )

    def fastest(self, name):
        """Return the shortest of the times that a step took [milliseconds].

        What else the machine did meanwhile is not the page's.
        """
        entries = (
            "return performance.getEntriesByName(arguments[0]).map((e) => e.duration)"
        )
        return min(self.run(entries, name))


@pytest.fixture(scope="module")
def page(html):
    driver = check_pages.browser()
    yield Page(driver, html / "book" / "try.html")
    faults = [e["message"] for e in driver.get_log("browser") if e["level"] == "SEVERE"]
    hosts = check_pages.other_hosts(driver)
    driver.quit()
    assert not faults and not hosts


@needs_browser
def test_it_shows_a_picture_at_once_and_all_methods_soon(page):
    page.open(motion="no-preference")
    assert page.fastest("first picture") < 2000
    shown = page.shown()
    assert shown.keys() == {"fbp", "iterated", "network"}
    page.wait("return document.getElementById('try-said').textContent")
    assert all(f"{value:.1f} dB" in page.text("said") for value in shown.values())


@needs_browser
def test_the_network_agrees_with_keras_in_a_browser(page):
    page.open()
    page.wait("return network")
    drafts, keras_says = fixed_inputs()
    for draft, says in zip(drafts, keras_says, strict=True):
        code = "return [...network.predict(Float32Array.from(arguments[0]))]"
        found = page.run(code, draft.ravel().tolist())
        assert np.abs(np.array(found) - says.ravel()).max() < 1e-3


@needs_browser
def test_each_control_moves_what_it_should(page):
    page.open()
    page.set(views=20)
    before = page.shown()
    for control, value, moved in [
        ("views", 8, {"fbp", "iterated", "network"}),
        ("photons", 9, {"fbp", "iterated", "network"}),
        ("axis", 3, {"fbp", "iterated", "network"}),
        ("wedge", 60, {"fbp", "iterated", "network"}),
        ("filter", "ramp", {"fbp"}),
        ("method", "SIRT", {"iterated"}),
    ]:
        usual = page.run("return part(arguments[0]).value", control)
        page.set(**{control: value})
        after = page.shown()
        assert {k for k in before if before[k] != after[k]} == moved, control
        page.set(**{control: usual})


@needs_browser
def test_a_slider_is_followed_at_once(page):
    page.open(motion="no-preference")
    page.wait("return network")
    page.run("performance.clearMeasures()")
    for views in (92, 93, 94, 95, 96):
        page.set(views=views)
        page.wait("return !waiting && scan.scores.network")
    assert page.fastest("fbp") < 100
    assert page.fastest("network") < 1000


@needs_browser
def test_one_draws_and_erases_with_a_pointer(page):
    from selenium.webdriver.common.action_chains import ActionChains

    page.open()
    page.set(views=8)
    page.press("Clear")
    page.shown()
    assert page.run("return !document.getElementById('try-empty').hidden")
    canvas = page.driver.find_element("id", "try-object")
    draw = ActionChains(page.driver, duration=20)
    draw.move_to_element_with_offset(canvas, -60, 0).click_and_hold()
    draw.move_by_offset(60, 0).move_by_offset(60, 40).release().perform()
    drawn = page.run("return drawing.image.reduce((sum, value) => sum + value)")
    assert drawn > 50
    shown = page.shown()
    assert page.text("said").startswith("Your drawing")
    assert page.run("return document.getElementById('try-empty').hidden")
    page.driver.find_element("id", "try-erase").click()
    page.set(brush=15)
    ActionChains(page.driver, duration=20).move_to_element(canvas).click().perform()
    assert page.run("return drawing.image.reduce((sum, value) => sum + value)") < drawn
    assert page.shown() != shown


@needs_browser
def test_one_draws_with_keys_alone(page):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    page.open()
    page.press("Clear")
    page.run("document.getElementById('try-object').focus()")
    keys = ActionChains(page.driver).send_keys(Keys.ARROW_LEFT * 5, Keys.SPACE)
    keys.key_down(Keys.SHIFT).send_keys(Keys.ARROW_UP * 9).key_up(Keys.SHIFT).perform()
    drawn = np.array(page.run("return [...drawing.image]")).reshape(64, 64)
    rows, columns = np.nonzero(drawn)
    assert np.ptp(rows) == 13 and np.ptp(columns) == 4  # a line of nine, five wide
    assert columns.mean() == pytest.approx(27)


@needs_browser
def test_an_empty_image_and_controls_at_their_ends_do_no_harm(page):
    page.open()
    page.press("Clear")
    for ends in (
        {"views": 4, "photons": 0, "axis": -6, "wedge": 0},
        {"views": 96, "photons": 9, "axis": 6, "wedge": 120},
    ):
        for method in ("SIRT", "TV"):
            page.set(method=method, **ends)
            assert np.isfinite(list(page.shown().values())).all()
        page.press("grains")


@needs_browser
def test_without_webassembly_a_sentence_says_so_and_the_rest_works(page):
    page.open(before="delete window.WebAssembly;")
    page.wait("return !document.getElementById('try-lacking').hidden")
    assert "no WebAssembly" in page.text("lacking")
    shown = page.shown()
    assert shown.keys() == {"fbp", "iterated"}
    page.set(views=90)
    assert page.shown()["fbp"] > shown["fbp"]


@needs_browser
def test_who_wants_no_motion_sees_the_last_picture_only(page):
    pictures = """
    const drawn = new Set();
    new MutationObserver(() => drawn.add(part("steps").textContent))
        .observe(part("steps"), { childList: true });
    window.drawn = drawn;
    change();
    """
    page.open()
    page.set(views=8)
    page.shown()
    counts = {}
    for motion in ("reduce", "no-preference"):
        page.prefer(motion)
        page.run(pictures)
        page.wait("return !waiting && drawn.size && running.done")
        counts[motion] = page.run("return drawn.size")
    assert counts["reduce"] == 1 < counts["no-preference"]


@needs_browser
def test_the_iteration_pauses_and_starts_again(page):
    page.open(motion="no-preference")
    page.shown()
    page.press("Again")
    page.press("Pause")
    steps = page.text("steps")
    assert page.run("return new Promise((done) => setTimeout(done, 200))") is None
    assert page.text("steps") == steps != "iteration 180 of 180"
    page.press("Go on")
    page.wait("return running.done")
    assert page.text("steps") == "iteration 180 of 180"


@needs_browser
def test_the_ready_experiments_set_the_tomograph(page):
    page.open()
    controls = ["views", "photons", "axis", "wedge", "method"]
    for words, stage in stages().items():
        page.press(words)
        page.wait("return !waiting")
        values = page.run("return arguments[0].map((c) => part(c).value)", controls)
        assert values == [stage[control] for control in controls], words
    assert page.run("return drawing.image.every((value) => value === 0)")


def test_the_page_quotes_the_stored_table():
    path = ROOT / "benchmarks" / "results" / "many_views.csv"
    with path.open(newline="") as file:
        (eight,) = [row for row in csv.DictReader(file) if row["views"] == "8"]
    text = (ROOT / "book" / "try.md").read_text()
    quoted = re.search(
        r"it reaches (\S+) dB.* alone (\S+) dB. TV reaches (\S+) dB", text
    )
    assert quoted.groups() == (eight["network"], eight["own network"], eight["TV"])
