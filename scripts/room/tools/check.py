"""Will this laptop do? One line for each thing that matters, in plain words.

It needs nothing but Python to begin with, of any version, so that it can say what is
missing. Where the package is installed it trains a small network for ten seconds and
says how long the pages will take.
"""

import importlib
import os
import shutil
import sys
import time

PYTHONS = ((3, 11), (3, 12), (3, 13))  # that the book is tested with
DISK = 3.0  # GB that must be free before the installation
MEMORY = 3.0  # GB that a page and a browser take
PACKAGES = ("numpy", "scipy", "h5py", "skimage", "sklearn", "matplotlib")
PACKAGES += ("tensorflow", "keras", "jupyterlab", "srtools")
SECONDS = 10.0

# Seconds that pages take on two quiet cores, where the network below learns at SPEED
# steps a second, with the weights that come with the package: `pytest` prints them.
SPEED = 8.0
PAGES = {
    "tomography": 60,
    "reconstruction/cnn": 20,
    "reconstruction/physics_aware": 40,
    "reconstruction/compare": 120,
    "segmentation/losses": 15,
    "inspection/tsne": 110,
    "denoising/vae": 50,
    "denoising/latent": 90,
    "real/tooth": 60,
    "real/own_scan": 30,
}


def python():
    """Is this Python one that the book is tested with?"""
    version = "Python {}.{}.{}".format(*sys.version_info[:3])
    if sys.version_info[:2] in PYTHONS:
        return True, version
    known = " or ".join("{}.{}".format(*v) for v in PYTHONS)
    return False, version + ": the workshop needs " + known + ", from python.org"


def disk(folder="."):
    """Is there room?"""
    free = shutil.disk_usage(folder).free / 1e9
    said = f"{free:.0f} GB are free on the disk"
    if free >= DISK:
        return True, said
    return False, said + f": make room, {DISK:.0f} GB are needed"


def memory():
    """Is there memory for a page?"""
    try:
        import psutil
    except ImportError:
        return None, "memory: can be seen after the installation"
    found = psutil.virtual_memory()
    said = "{:.0f} GB of memory, {:.1f} GB of it free"
    said = said.format(found.total / 1e9, found.available / 1e9)
    if found.available / 1e9 >= MEMORY:
        return True, said
    return False, said + ": close other programs, and run one page at a time"


def imports():
    """Is everything installed?"""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    missing = []
    for name in PACKAGES:
        try:
            importlib.import_module(name)
        except Exception as error:  # a broken library raises anything
            line = (str(error).splitlines() or [""])[0]
            missing.append(f"{name} ({line})")
    if not missing:
        return True, "all packages are there"
    if len(missing) == len(PACKAGES):
        return False, "nothing is installed yet, or in another Python: run install"
    return False, "cannot be loaded: " + ", ".join(missing) + "; run install again"


def network(seconds=SECONDS):
    """Does a network learn here, and how fast? Returns steps a second, too."""
    import keras
    import numpy as np

    from srtools.models import reconstruct_cnn
    from srtools.phantoms import random_shapes
    from srtools.tomography import ParallelBeam

    keras.utils.set_random_seed(0)
    beam = ParallelBeam(32, np.linspace(0, 180, 16, endpoint=False))
    images = random_shapes(320, 32, rng=np.random.default_rng(0)).astype("float32")
    sinograms = beam.project(images)
    model = reconstruct_cnn(beam.n_translations, beam.n_angles)
    model.compile("adam", "mean_squared_error")
    first = float(model.train_on_batch(sinograms[:32], images[:32]))
    steps, start = 0, time.time()
    while time.time() - start < seconds:
        part = slice(32 * (steps % 10), 32 * (steps % 10) + 32)
        last = float(model.train_on_batch(sinograms[part], images[part]))
        steps += 1
    speed = steps / (time.time() - start)
    said = "a network learnt for {:.0f} seconds, {:.0f} steps a second"
    said = said.format(seconds, speed)
    if last < first:
        return True, said + ", and its error fell", speed
    return False, said + ", but its error did not fall: ask for help", speed


def pages(speed):
    """How long will the pages take here?"""

    def shown(seconds):
        if seconds < 90:
            return f"{seconds:.0f} s"
        return f"{seconds / 60:.0f} min"

    here = {name: SPEED / speed * seconds for name, seconds in PAGES.items()}
    said = ", ".join(f"{name} {shown(here[name])}" for name in PAGES)
    if max(here.values()) < 400:
        return True, f"pages will take about: {said}"
    return False, f"slow: pages will take about: {said}; sit beside somebody"


def check(seconds=SECONDS, say=print):
    """Print a line an item; return whether all is well."""
    verdicts = []

    def tell(verdict, text):
        verdicts.append(verdict)
        mark = {True: "good      ", None: "not known ", False: "NOT GOOD  "}[verdict]
        say(mark + text)

    tell(*python())
    tell(*disk())
    tell(*memory())
    there = imports()
    tell(*there)
    if there[0]:
        *learnt, speed = network(seconds)
        tell(*learnt)
        tell(*pages(speed))
    good = False not in verdicts
    say("This laptop will do." if good else "Show this to the teacher.")
    return good


if __name__ == "__main__":
    sys.exit(not check())
