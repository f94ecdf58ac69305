"""Look at every page of the built book in a browser, and say what is wrong with it.

    python scripts/check_pages.py [folder of html] [page ...]

On a desktop and on a phone, in light and in dark mode: errors on the console, requests
to another host, text that leaves the screen sideways, and what the rules of axe find
(contrast AA, names of buttons and pictures, scrolling by keyboard). It needs Chromium
or Chrome with its driver, and ``pip install -e .[browser]``.
"""

import argparse
import json
import shutil
import sys
from importlib import resources
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BROWSERS = ("chromium", "chromium-browser", "google-chrome")

# The innermost elements that spill over the edge of a page.
SIDEWAYS = """
const screen = document.scrollingElement;
if (screen.scrollWidth <= screen.clientWidth) return [];
const spills = (e) =>
    e.scrollWidth > e.clientWidth && getComputedStyle(e).overflowX == "visible";
const parts = document.querySelectorAll("article :not(mjx-container)");
const found = [...parts].filter(spills);
return found.filter((e) => !found.some((f) => f != e && e.contains(f)))
    .slice(0, 3)
    .map((e) => e.outerHTML.slice(0, 120));
"""
# A button that only a mouse finds.
MOUSE_ONLY = """
return [...document.querySelectorAll("[onclick], [role=button], summary, a, button")]
    .filter((e) => e.tabIndex < 0 && e.checkVisibility())
    .filter((e) => !e.closest("[inert], dialog:not([open])"))
    .map((e) => e.outerHTML.slice(0, 120));
"""
# Formulas are set, and the screen has been drawn since.
DRAWN = """
const done = arguments[0];
const ready = window.MathJax?.startup?.promise ?? Promise.resolve();
ready.then(() => requestAnimationFrame(() => requestAnimationFrame(() => done())));
"""
# Mark an element of each look that was not seen before, and return all looks: colour
# and size of a text, and the colours of all that it lies in. The same look has the same
# contrast on any page. The text of formulas is for readers aloud.
LOOKS = """
const [seen, within] = arguments;
const known = new Set(seen), looks = new Set(), behind = new Map([[null, ""]]);
const ground = (e) => {
    if (!behind.has(e)) {
        const s = getComputedStyle(e);
        const own = [s.backgroundColor, s.backgroundImage, s.opacity, s.filter].join();
        const clear = own == "rgba(0, 0, 0, 0),none,1,none";
        behind.set(e, (clear ? "" : own + "/") + ground(e.parentElement));
    }
    return behind.get(e);
};
for (const e of document.querySelector(within).querySelectorAll("*")) {
    e.removeAttribute("data-look");
    if (![...e.childNodes].some((n) => n.nodeType == 3 && n.data.trim())) continue;
    if (e.closest("mjx-container") || !e.checkVisibility()) continue;
    const s = getComputedStyle(e);
    const look = [s.color, s.fontSize, s.fontWeight, s.textShadow, ground(e)].join();
    if (!known.has(look) && !looks.has(look)) e.setAttribute("data-look", "new");
    looks.add(look);
}
return [...looks];
"""
# The rule of contrast looks at what is marked.
MARKED = """
axe.configure({rules: [{id: "color-contrast", selector: "[data-look]"}]});
"""
AXE = """
const [within, options, done] = arguments;
axe.run(within, {...options, resultTypes: ["violations"]}).then((found) =>
    done(found.violations.map((v) => [v.id, v.nodes.map((n) => n.html.slice(0, 120))]))
);
"""
# Width of the screen [pixels], mode, rules of axe.
SCREENS = {
    "on a phone": (390, "light", ["scrollable-region-focusable", "image-alt"]),
    "on a desktop": (1280, "light", ["wcag2a", "wcag2aa"]),
    "in dark mode": (1280, "dark", ["color-contrast"]),
}


def missing() -> str:
    """Return what a check needs and this machine lacks, or nothing."""
    if not any(map(shutil.which, BROWSERS)):
        return "no browser: expected one of " + ", ".join(BROWSERS)
    try:
        import axe_core_python  # noqa: F401
        import selenium  # noqa: F401
    except ImportError as error:
        return f"{error.name} is not installed: pip install -e .[browser]"
    return ""


def browser():
    """Start a headless browser with axe that records its console and its requests."""
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = next(filter(None, map(shutil.which, BROWSERS)))
    for argument in (
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
    ):
        options.add_argument(argument)
    options.set_capability(
        "goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"}
    )
    path = shutil.which("chromedriver")
    service = webdriver.ChromeService(executable_path=path) if path else None
    driver = webdriver.Chrome(options=options, service=service)
    axe = (resources.files("axe_core_python") / "axe.min.js").read_text()
    every_page = "Page.addScriptToEvaluateOnNewDocument"
    driver.execute_cdp_cmd(every_page, {"source": axe + MARKED})
    return driver


def show(driver, width: int, mode: str) -> None:
    """Give the screen a width [pixels], and the mode light or dark."""
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    media = {"prefers-color-scheme": mode, "prefers-reduced-motion": "reduce"}
    media = [{"name": name, "value": value} for name, value in media.items()]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": media})


def check(driver, page: Path, known: dict) -> list[str]:
    """Return what is wrong with a page, one sentence each.

    The contrast of a look is checked once a mode: ``known`` holds, by screen, the
    looks that have been, and takes up those of this page. What surrounds an article is
    alike on all pages of a folder: axe looks at it once.
    """
    faults, loaded = [], 0
    within = "article" if page.parent in known else "html"
    known[page.parent] = True
    for where, (width, mode, rules) in SCREENS.items():
        show(driver, width, mode)
        if width != loaded:  # scripts of the theme look at the width once
            driver.get(page.resolve().as_uri())
            loaded = width
        driver.execute_async_script(DRAWN)
        theme = driver.execute_script("return document.documentElement.dataset.theme")
        if theme != mode:
            faults.append(f"{theme} where {mode} is asked for")
        for element in driver.execute_script(SIDEWAYS):
            faults.append(f"wider than the screen {where}: {element}")
        for element in driver.execute_script(MOUSE_ONLY):
            faults.append(f"no key reaches {where}: {element}")
        seen = known.setdefault((width, mode), set())
        looks = driver.execute_script(LOOKS, list(seen), within)
        if rules != ["color-contrast"] or not seen.issuperset(looks):
            found = driver.execute_async_script(AXE, within, {"runOnly": rules})
            for rule, nodes in found:
                faults += [f"{rule} {where}: {node}" for node in nodes[:3]]
        seen.update(looks)
    for entry in driver.get_log("browser"):
        if entry["level"] in ("SEVERE", "WARNING"):
            faults.append(f"console: {entry['message'][:200]}")
    faults += [f"asks another host: {url}" for url in other_hosts(driver)]
    return list(dict.fromkeys(faults))


def other_hosts(driver) -> list[str]:
    """Return the addresses beyond this machine that pages asked since last time."""
    urls = []
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            urls.append(message["params"]["request"]["url"])
    return [url for url in urls if url.split(":")[0] not in ("file", "data", "blob")]


def look(html: Path, pages: list[Path]) -> list[str]:
    """Return what is wrong with pages of a built book."""
    driver, faults, known = browser(), [], {}
    try:
        for page in pages:
            name = page.relative_to(html)
            faults += [f"{name}: {fault}" for fault in check(driver, page, known)]
    finally:
        driver.quit()
    return faults


def main() -> int:
    """Read the command line, look at the pages, return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("html", nargs="?", type=Path, default=ROOT / "_build" / "html")
    parser.add_argument("page", nargs="*", help="part of a name; default: all")
    wish = parser.parse_args()
    if lack := missing():
        print(lack)
        return 2
    pages = sorted(set(wish.html.rglob("*.html")) - {wish.html / "index.html"})
    pages = [path for path in pages if "_static" not in path.parts]
    if wish.page:
        pages = [path for path in pages if any(part in str(path) for part in wish.page)]
    faults = look(wish.html, pages)
    print(*faults, f"{len(pages)} pages seen", sep="\n")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
