"""Draw the cheat sheet, one page of A4: symbols, shapes, which method when.

    python scripts/cheat_sheet.py        writes book/_static/cheat_sheet.pdf

The same source gives the same bytes; its SHA-256 stands among the file's keywords, and
a test compares.
"""

import hashlib
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from srtools.phantoms import random_shapes  # noqa: E402
from srtools.tomography import ParallelBeam, gaussian_noise  # noqa: E402

SHEET = ROOT / "book" / "_static" / "cheat_sheet.pdf"
WIDTH, HEIGHT = 8.27, 11.69  # A4 [inch]
COLOUR = "#1f4e79"
SIZE = 8.1  # of the text [points]
LINE = 0.150  # from a line to the next [inch]

SYMBOLS = [
    ["$x$", "image: attenuation per pixel", "(n, height, width, 1)"],
    ["$y = Ax + \\varepsilon$", "sinogram: line integrals, noise", "(n, t, angles, 1)"],
    ["$A x$", "projection", "beam.project(x)"],
    ["$A^\\top y$", "back-projection: the adjoint, no inverse", "beam.backproject(y)"],
    ["$\\hat{x}$", "what a method makes of $y$", "beam.fbp(y), sirt, tv, model"],
    [
        "$I = I_0 e^{-y}$",
        "photons left; $\\sigma_y = 1/\\sqrt{I}$",
        "poisson_noise",
    ],
    [
        "$\\hat{p} = \\sigma(z)$",
        "probability of a logit $z$",
        "(n, height, width, k)",
    ],
]
NOTES = [
    "t: translations, the pixels of the detector. Angles in degrees, 0 to 180, the end "
    "left out. The axis is in",
    "the middle, (size - 1) / 2: check it, half a pixel costs FBP 2 dB. The 1 is the "
    "channel of a grey image.",
]
METHODS = {
    "reconstruct": [
        ["many views, good dose", "FBP", "tune filter, cut-off"],
        ["few views, no pairs, uniform regions", "TV", "tune weight"],
        ["few views, no pairs, anything else", "SIRT", "tune iterations"],
        ["some hundred pairs of the same kind", "primal-dual", "fewest weights"],
        ["thousands of pairs, speed matters", "FBP + U-Net", "one pass"],
        ["unknown geometry, up to 64 pixels", "CNN, AUTOMAP", "many pairs"],
        [
            "training objects unlike the sample",
            "FBP or TV first",
            "unseen views decide",
        ],
    ],
    "denoise": [
        ["clean images at hand", "U-Net, spatial VAE", "noisy-clean pairs"],
        ["two exposures of each", "Noise2Noise", "one from the other"],
        ["one scan, and nothing else", "Noise2Inverse", "views in two halves"],
    ],
    "enlarge": [
        ["pixels wider than the detail, pairs", "EDSR, then data", "own kind only"],
        ["the same, but no pairs", "TV on a fine grid", "or two shifted scans"],
        ["a sharp image of something else", "directional TV", "test the guide first"],
    ],
    "segment": [
        ["grey values tell the class", "multi-Otsu", "no training"],
        ["a few labelled images", "random forest", "tune scales, cut"],
        ["many labels, borders matter", "U-Net on patches", "blend tiles"],
    ],
    "inspect": [
        ["is this like my training data?", "NoveltyScore", "false alarms: 5 %"],
    ],
}
LOSSES = [
    ["honest probabilities", "cross entropy, weight 1"],
    ["overlap, a cut by validation", "the same, weight 3 to 10"],
    ["overlap, nothing to choose", "Dice + cross entropy"],
    ["to miss little", "a low threshold"],
    ["no false alarms", "a high threshold"],
]
FAIR = [
    "Split in three, and choose on the validation part.",
    "Tune the baseline as hard as the network.",
    "Show the trivial answers: black image, noisy input.",
    "Same geometry, same axis, same grey scale.",
    "Look at the differences from the truth, too.",
    "Three seeds before you call a difference one.",
]
BLIND = [
    "Project the image: does it explain the measurement?",
    "Left unexplained: much more than the noise is wrong,",
    "   much less has fitted the noise.",
    "Views held out rank images; seen ones only exclude.",
    "Repeat the exposure: what differs was made up.",
    "Another object, dose or view count: what breaks?",
]
NUMBERS = [
    "10 dB more PSNR: a tenth of the squared error.",
    "10 times the photons: noise falls by $\\sqrt{10}$.",
    "Dice: $2|A \\cap B| / (|A| + |B|)$, 1 if they agree.",
    "Accuracy says nothing of a rare class.",
    "A dense layer grows with the 4th power of the size.",
]

CODE = """\
beam = ParallelBeam(size, np.linspace(0, 180, n_views, endpoint=False))
knobs = tune_fbp(beam, y[val], x[val])
baseline = beam.fbp(y[test], **knobs)
model = fbp_unet(beam)
model.compile("adam", "mean_squared_error")
model.fit(y[train], x[train], validation_data=(y[val], x[val]), epochs=5)
image = model.predict(y[test])
print(psnr(x[test], baseline).mean(), psnr(x[test], image).mean())
print(np.linalg.norm(beam.project(image) - y[test]) / np.linalg.norm(y[test]))
"""


class Sheet:
    """A page that is filled from top to bottom; lengths in inches."""

    def __init__(self):
        self.figure = plt.figure(figsize=(WIDTH, HEIGHT))

    def text(self, x, y, words, **style):
        """Write a line, its left end at x from the left and y from the top."""
        style = {"fontsize": SIZE, "va": "baseline", **style}
        return self.figure.text(x / WIDTH, 1 - y / HEIGHT, words, **style)

    def heading(self, x, y, words, width):
        """Write a heading above a rule."""
        self.text(x, y, words, fontsize=9.5, weight="bold", color=COLOUR)
        at = 1 - (y + 0.05) / HEIGHT
        ends = [x / WIDTH, (x + width) / WIDTH]
        rule = plt.Line2D(ends, [at, at], color=COLOUR, lw=0.8)
        self.figure.add_artist(rule)
        return y + 0.21

    def table(self, y, rows, places, mono=(), bold=()):
        """Write rows of cells, each column at its place; return where it ends."""
        for row in rows:
            for column, (place, words) in enumerate(zip(places, row, strict=True)):
                style = (
                    {"family": "monospace", "fontsize": 6.8} if column in mono else {}
                )
                style |= {"weight": "bold"} if column in bold else {}
                self.text(place, y, words, **style)
            y += LINE
        return y

    def lines(self, x, y, lines, bullet="• "):
        """Write lines one below the other; return where they end."""
        for words in lines:
            self.text(x, y, words if words.startswith(" ") else bullet + words)
            y += LINE
        return y

    def picture(self, x, y, size, image, title, labels):
        """Draw a picture of a size, with its axes named."""
        width, height = size
        place = x / WIDTH, 1 - (y + height) / HEIGHT, width / WIDTH, height / HEIGHT
        axis = self.figure.add_axes(place)
        axis.imshow(image, cmap="gray", aspect="auto")
        axis.set(xticks=[], yticks=[])
        axis.set_title(title, fontsize=SIZE, pad=3)
        axis.set_xlabel(labels[0], fontsize=6.5, labelpad=2)
        axis.set_ylabel(labels[1], fontsize=6.5, labelpad=2)


@plt.rc_context({"font.family": "DejaVu Sans"})
def draw() -> plt.Figure:
    """Return the page."""
    sheet = Sheet()
    left, right, full = 0.55, 4.35, WIDTH - 1.1
    sheet.text(left, 0.55, "Deep learning for X-ray tomography", fontsize=15)
    sheet.text(WIDTH - 0.55, 0.55, "cheat sheet", fontsize=11, ha="right", color=COLOUR)

    y = sheet.heading(left, 0.84, "Symbols and shapes", full)
    y = sheet.table(y, SYMBOLS, (left, 1.75, 4.75), mono=(2,))
    y = sheet.lines(left, y + 0.05, NOTES, bullet="")

    rng = np.random.default_rng(4)
    beam = ParallelBeam(64, np.linspace(0, 180, 48, endpoint=False))
    image = random_shapes(1, 64, rng=rng)
    noisy = gaussian_noise(beam.project(image), 5, rng=rng)
    soft = beam.fbp(noisy, filter="hann", cutoff=0.7)
    y += 0.2
    for number, (title, picture, labels) in enumerate(
        [
            ("image $x$", image, ("width", "height")),
            ("sinogram $y$", noisy, ("angle", "translation")),
            ("FBP, ramp", beam.fbp(noisy), ("width", "height")),
            ("FBP, tuned", soft, ("width", "height")),
        ]
    ):
        where = left + 0.3 + number * 1.82
        sheet.picture(where, y, (1.0, 1.0), picture[0, ..., 0], title, labels)

    y = sheet.heading(left, y + 1.38, "Which method, when", full)
    for task, rows in METHODS.items():
        sheet.text(left, y, task, color=COLOUR)
        y = sheet.table(y, rows, (1.45, 4.25, 5.95), bold=(1,)) + 0.06

    half = 3.37
    top = y + 0.2
    y = sheet.heading(left, top, "A fair comparison", half)
    y = sheet.lines(left, y, FAIR)
    other = sheet.heading(right, top, "Without a truth", half)
    sheet.lines(right, other, BLIND)
    top = y + 0.2
    y = sheet.heading(left, top, "A loss for rare classes", half)
    sheet.table(y, LOSSES, (left, 2.35))
    y = sheet.heading(right, top, "Worth remembering", half)
    y = sheet.lines(right, y, NUMBERS)
    y = sheet.heading(left, y + 0.2, "To begin with", full)
    for line in CODE.splitlines():
        sheet.text(left, y, line, family="monospace", fontsize=7.4)
        y += 0.122
    return sheet.figure


def digest() -> str:
    """Return what stands among the keywords of a sheet that is up to date."""
    return hashlib.sha256(Path(__file__).read_bytes()).hexdigest()


def main() -> None:
    """Write the sheet."""
    about = {"Title": "Cheat sheet: deep learning for X-ray tomography"}
    about |= {"Keywords": digest(), "CreationDate": None}
    with plt.rc_context({"pdf.fonttype": 42}):
        draw().savefig(SHEET, metadata=about)


if __name__ == "__main__":
    main()
