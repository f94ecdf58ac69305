"""What a loss does to a rare class: cracks, found by one small U-Net per loss.

    python benchmarks/losses.py

Writes results/losses.csv: precision, recall and Dice at a probability of one half on
test images; Dice at the probability that is best on validation images; the expected
calibration error. One row a loss and seed; about 20 minutes on two cores.
Runs that are in the table already are not made again.
"""

from pathlib import Path

import _record
import keras
import numpy as np
from sklearn.metrics import precision_score, recall_score

from srtools import segmentation
from srtools.datasets import simulate_segmentation
from srtools.files import build_list_images, read_image
from srtools.metrics import calibration, dice
from srtools.models import unet
from srtools.segmentation import mask_patch_from_file
from srtools.tutorial import cache_folder, trained

EPOCHS, SEEDS = 12, 2
PATCH = 256  # hardly any is without a crack, to be fair to the Dice loss
CUTS = np.linspace(0.02, 0.98, 49)


def dice_and_entropy(y_true, y_pred):
    """Return the sum of Dice loss and mean cross entropy, for each sample."""
    entropy = segmentation.weighted_cross_entropy(1).call(y_true, y_pred)
    return segmentation.dice_loss(y_true, y_pred) + keras.ops.mean(entropy, axis=(1, 2))


LOSSES = {
    **{
        f"weighted {b:g}": segmentation.weighted_cross_entropy(b) for b in (0.1, 0.3, 1)
    },
    **{
        f"weighted {b:g}": segmentation.weighted_cross_entropy(b)
        for b in (3, 10, 30, 100)
    },
    **{f"balanced {b:g}": segmentation.balanced_cross_entropy(b) for b in (0.1, 0.5)},
    **{f"balanced {b:g}": segmentation.balanced_cross_entropy(b) for b in (0.9, 0.98)},
    "Dice": segmentation.dice_loss,
    "Dice + entropy": dice_and_entropy,
    "Tversky": segmentation.tversky_loss,
    "clDice": segmentation.cldice_loss,
    "Dice, 4 patches": segmentation.dice_loss,
    "batch Dice, 4 patches": segmentation.batch_dice_loss,
}
SCORES = "precision recall dice best_cut dice_best_cut calibration_error".split()


def scores(folder: Path, loss, seed: int, several: bool) -> list[float]:
    """Train a network with one loss, and judge it.

    With several patches in a step, they are smaller: as many pixels, as many steps.
    """
    side, batch_size = (PATCH // 2, 4) if several else (PATCH, 1)
    train = mask_patch_from_file(
        folder / "train",
        "noisy",
        "cracks",
        (side, side),
        batch_size=batch_size,
        augment=True,
        seed=seed,
    )
    keras.utils.set_random_seed(seed)
    model = unet((None, None, 1), filters=(8, 16, 32))
    schedule = keras.optimizers.schedules.CosineDecay(2e-3, EPOCHS * len(train))
    model.compile(keras.optimizers.Adam(schedule, clipnorm=1.0), loss)
    trained(f"losses-{seed}", model, train, epochs=EPOCHS)

    def judge(part):
        low, high = train.scaling
        files = [build_list_images(folder / part / k) for k in ("noisy", "cracks")]
        images, truth = (np.stack([read_image(f) for f in some]) for some in files)
        scaled = (images[..., None] - low) / (high - low)
        logits = model.predict(scaled, batch_size=1, verbose=0)[..., 0]
        return truth > 0, 1 / (1 + np.exp(-logits.astype("float64")))

    truth, chance = judge("val")
    cut = max(CUTS, key=lambda c: dice(truth, chance > c))
    truth, chance = judge("test")
    flat = truth.ravel(), chance.ravel() > 0.5
    return [
        precision_score(*flat, zero_division=0),
        recall_score(*flat),
        dice(*flat),
        cut,
        dice(truth, chance > cut),
        calibration(truth, chance, n_bins=20)[2],
    ]


def main() -> None:
    """Train all networks and write the table."""
    folder = simulate_segmentation(
        cache_folder() / "losses", (16, 4, 6), size=512, seed=5
    )
    done = {(row["loss"], row["seed"]) for row in _record.read("losses")}
    for seed in range(SEEDS):
        for name, loss in LOSSES.items():
            if (name, str(seed)) in done:
                continue
            several = name.endswith("patches")
            found = [f"{s:.4f}" for s in scores(folder, loss, seed, several)]
            row = {"loss": name, "seed": seed, **dict(zip(SCORES, found, strict=True))}
            print(row, flush=True)
            _record.write("losses", [*_record.read("losses"), row])


if __name__ == "__main__":
    main()
