"""The page of the playable tomograph in a browser, as a reader uses it."""

import sys
from pathlib import Path

import numpy as np
import pytest
from playing import fixed_inputs, stages

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))

import check_pages

needs_browser = pytest.mark.skipif(
    bool(check_pages.missing()), reason=check_pages.missing()
)


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
