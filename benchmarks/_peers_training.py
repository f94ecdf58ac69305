"""The same networks in Keras and in PyTorch: seconds a step, dB after equal seconds.

Run by peers.py, in an environment that has TensorFlow and PyTorch. Both are in one
process, have one core, and train in turn, a few steps each. What is measured is the
time of the processor, which does not count what else the machine does. The networks
have the same layers, the same first weights, pairs, batches, loss and optimizer, and
give the same images before they are trained; the rate falls along a cosine over the
seconds.
"""

import json
import math
import os
import statistics
import sys
import time
from importlib.metadata import version

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf
import torch
import torch.nn.functional as F
from torch import nn

from srtools.metrics import psnr
from srtools.models import learned_primal_dual, unet
from srtools.phantoms import random_shapes
from srtools.tomography import ParallelBeam, fbp_filter, gaussian_noise

RATE, BATCH, CHUNK, ROUNDS, N = 2e-3, 16, 20, 5, 2_000
torch.set_num_threads(1)
tf.config.threading.set_intra_op_parallelism_threads(1)
tf.config.threading.set_inter_op_parallelism_threads(1)
TASKS = {"U-Net": (64, 32), "learned primal-dual": (32, 16)}  # pixels, views
SIDE = 2048  # of the matrices that are multiplied


def block(n_in, n_out):
    """Two convolutions, each with its ReLU, as in `srtools.models.unet`."""
    first, second = nn.Conv2d(n_in, n_out, 3, 1, 1), nn.Conv2d(n_out, n_out, 3, 1, 1)
    return nn.Sequential(first, nn.ReLU(), second, nn.ReLU())


class UNet(nn.Module):
    """The U-Net with filters (16, 32, 64) that adds to what it is shown."""

    def __init__(self, filters=(16, 32, 64)):
        super().__init__()
        a, b, c = filters
        self.down0, self.down1, self.bottom = block(1, a), block(a, b), block(b, c)
        self.up1 = nn.ConvTranspose2d(c, b, 2, 2)
        self.merge1 = block(2 * b, b)
        self.up0 = nn.ConvTranspose2d(b, a, 2, 2)
        self.merge0 = block(2 * a, a)
        self.logits = nn.Conv2d(a, 1, 1)

    def forward(self, x):
        """Images (n, 1, height, width) to images of that shape."""
        first = self.down0(x)
        second = self.down1(F.max_pool2d(first, 2))
        bottom = self.bottom(F.max_pool2d(second, 2))
        y = self.merge1(torch.cat([second, self.up1(bottom)], 1))
        return x + self.logits(self.merge0(torch.cat([first, self.up0(y)], 1)))


class Product(torch.autograd.Function):
    """A sparse matrix times a batch; the gradient is the transposed product."""

    @staticmethod
    def forward(context, x, matrix, transposed, shape):
        """Batch (n, 1, ...) to (n, 1, *shape)."""
        context.pair, context.shape = (transposed, matrix), x.shape[2:]
        return (matrix @ x.reshape(len(x), -1).T).T.reshape(-1, 1, *shape)

    @staticmethod
    def backward(context, y):
        """The other way round."""
        return Product.apply(y, *context.pair, context.shape), None, None, None


class PrimalDual(nn.Module):
    """Learned primal-dual, with the sparse products of PyTorch."""

    def __init__(self, beam, iterations=5, filters=16, memory=4):
        super().__init__()
        matrix = (beam.matrix / beam.norm).astype("float32")
        self.pair = [sparse(matrix), sparse(matrix.T)]
        self.shapes = (beam.n_translations, beam.n_angles), (beam.size, beam.size)
        self.norm, self.memory = float(f"{beam.norm:.4g}"), memory
        response = fbp_filter(beam.n_translations, "hann").astype("float32")
        weights = (beam.norm * beam.angle_weights).astype("float32")
        self.response, self.weights = map(torch.from_numpy, (response, weights))
        self.seen = torch.from_numpy(beam.field_of_view.astype("float32"))
        turns = [self.improve(memory + n, filters) for n in iterations * (2, 1)]
        self.turns = nn.ModuleList(turns)

    def improve(self, n_in, filters):
        """What convolutions add to the maps, in one space."""
        ends = (n_in, filters), (filters, filters), (filters, self.memory)
        first, second, last = [nn.Conv2d(*end, 3, padding=1) for end in ends]
        slopes = nn.PReLU(filters), nn.PReLU(filters)
        return nn.Sequential(first, slopes[0], second, slopes[1], last)

    def forward(self, x):
        """Sinograms (n, 1, n_translations, n_angles) to images (n, 1, size, size)."""
        project, back = self.pair
        spectrum = torch.fft.rfft(x, 2 * len(self.response) - 2, dim=2)
        filtered = torch.fft.irfft(spectrum * self.response[:, None], dim=2)
        filtered = filtered[:, :, : x.shape[2]] * self.weights
        start = Product.apply(filtered, back, project, self.shapes[1]) * self.seen
        y = x / self.norm
        primal, dual = (s.repeat(1, self.memory, 1, 1) for s in (start, y))
        for improve_dual, improve_primal in batched(self.turns):
            seen = Product.apply(primal[:, :1], project, back, self.shapes[0])
            dual = dual + improve_dual(torch.cat([dual, seen, y], 1))
            seen = Product.apply(dual[:, :1], back, project, self.shapes[1])
            primal = primal + improve_primal(torch.cat([primal, seen], 1))
        return primal[:, :1]


def batched(turns):
    """Pairs of what comes one after the other."""
    return zip(turns[::2], turns[1::2], strict=True)


def sparse(matrix):
    """A scipy matrix for PyTorch."""
    rows = matrix.tocsr()
    parts = (rows.indptr.astype("int64"), rows.indices.astype("int64"), rows.data)
    return torch.sparse_csr_tensor(*map(torch.from_numpy, parts), rows.shape)


class InKeras:
    """A network that Keras trains, on TensorFlow."""

    software = "Keras on TensorFlow"
    version = f"{version('keras')} on {version('tensorflow')}"

    def __init__(self, model, x, y):
        self.model, (self.x, self.y) = model, (x, y)
        model.compile(keras.optimizers.Adam(RATE), "mean_squared_error")

    def train(self, order, rate):
        """One step a batch of `order`."""
        self.model.optimizer.learning_rate = rate
        x, y = self.x[order].reshape(-1, *self.x.shape[1:]), self.y[order]
        y = y.reshape(-1, *self.y.shape[1:])
        self.model.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0)

    def predict(self, x):
        """Images of the network."""
        return self.model.predict(x, verbose=0)


class InTorch:
    """A network that PyTorch trains."""

    software, version = "PyTorch", version("torch")

    def __init__(self, model, like, x, y, last=False):
        self.layout = torch.channels_last if last else torch.contiguous_format
        self.software += ", channels last" if last else ""
        for mine, theirs in zip(model.parameters(), like.get_weights(), strict=True):
            if theirs.ndim == 4:
                theirs = theirs.transpose(3, 2, 0, 1)
            mine.data = torch.from_numpy(theirs.reshape(mine.shape).copy())
        self.model = model.to(memory_format=self.layout)
        self.x, self.y = self.tensor(x), self.tensor(y)
        self.adam = torch.optim.Adam(model.parameters(), RATE, eps=1e-7)

    def tensor(self, array):
        """From (n, height, width, 1) to (n, 1, height, width)."""
        moved = torch.from_numpy(np.moveaxis(array, -1, 1).copy())
        return moved.contiguous(memory_format=self.layout)

    def train(self, order, rate):
        """One step a batch of `order`."""
        for group in self.adam.param_groups:
            group["lr"] = rate
        for some in order:
            self.adam.zero_grad()
            F.mse_loss(self.model(self.x[some]), self.y[some]).backward()
            self.adam.step()

    def predict(self, x):
        """Images of the network."""
        with torch.no_grad():
            return np.moveaxis(self.model(self.tensor(x)).numpy(), 1, -1)


def pairs(size, n_angles):
    """Sinograms, their FBP and the truth."""
    beam = ParallelBeam(size, np.linspace(0, 180, n_angles, endpoint=False))
    rng = np.random.default_rng(0)
    images = random_shapes(N + 200, size, rng=rng)
    clean = beam.project(images)
    sinograms = gaussian_noise(clean, 2.0, rng=rng, largest=float(clean.max()))
    return beam, sinograms, beam.fbp(sinograms, filter="hann"), images


def rivals(task, seed):
    """Networks with the same weights, what they are judged on, the work of a step."""
    size, n_angles = TASKS[task]
    beam, x, drafts, y = pairs(size, n_angles)
    x = drafts if task == "U-Net" else x
    keras.utils.set_random_seed(seed)
    if task == "U-Net":
        model = unet((size, size, 1), residual=True)
    else:
        model = learned_primal_dual(beam)
    networks = [InKeras(model, x[:N], y[:N])]
    for layout in (True, False) if task == "U-Net" else (False,):
        other = UNet() if task == "U-Net" else PrimalDual(beam)
        networks.append(InTorch(other, model, x[:N], y[:N], layout))
    answers = [network.predict(x[N:]) for network in networks]
    assert all(np.allclose(answers[0], other, atol=1e-4) for other in answers)
    return networks, (x[N:], y[N:], drafts[N:]), operations(model)


def operations(model):
    """Multiplications and additions of the convolutions in a step of training.

    Forwards, and twice that backwards: gradients of the weights and of the input, which
    the first layer does not need.
    """
    total, first = 0, True
    for layer in model.layers:
        if "Conv2D" in type(layer).__name__:
            if "Transpose" in type(layer).__name__:
                where = layer.input.shape
            else:
                where = layer.output.shape
            pixels = where[1] * where[2]
            total += (2 if first else 3) * 2 * math.prod(layer.kernel.shape) * pixels
            first = False
    return BATCH * total


def speeds(task):
    """Seconds a step, in turn; and the share of the rate of a matrix product."""
    networks, _, work = rivals(task, 0)
    rng = np.random.default_rng(1)
    matrix = torch.randn(SIDE, SIDE)
    found = {network: [] for network in networks} | {"product": []}
    for turn in range(ROUNDS + 1):  # the first one compiles
        start = time.process_time()
        matrix @ matrix
        passed = [("product", time.process_time() - start)]
        for network in networks:
            order = rng.integers(N, size=(CHUNK, BATCH))
            start = time.process_time()
            network.train(order, RATE)
            passed.append((network, (time.process_time() - start) / CHUNK))
        for key, value in passed if turn else ():
            found[key].append(value)
    rate = 2 * SIDE**3 / min(found.pop("product"))
    yield row(task, "PyTorch", version("torch"), "product [Gflop/s]", rate / 1e9)
    ours = found[networks[0]]
    for network, values in found.items():
        who = task, network.software, network.version
        seconds = statistics.median(values)
        yield row(*who, "seconds a step", seconds)
        ratios = [v / o for v, o in zip(values, ours, strict=True)]
        yield row(*who, "times ours", statistics.median(ratios))
        if task == "U-Net":  # the other one does more than convolve
            yield row(*who, "share of the product's rate", work / seconds / rate)


def quality(task, seed, budget):
    """What each has reached after the same seconds, in turn."""
    networks, (x, truth, drafts), _ = rivals(task, seed)
    networks = networks[:2]
    rng = np.random.default_rng(seed)
    spent, steps = dict.fromkeys(networks, 0.0), dict.fromkeys(networks, 0)
    for network in networks:  # compiles, and moves nothing
        network.train(rng.integers(N, size=(CHUNK, BATCH)), 0.0)
    while left := [n for n in networks if spent[n] < budget]:
        for network in left:
            rate = RATE * (1 + math.cos(math.pi * spent[network] / budget)) / 2
            order = rng.integers(N, size=(CHUNK, BATCH))
            start = time.process_time()
            network.train(order, rate)
            spent[network] += time.process_time() - start
            steps[network] += CHUNK
    case = f"{task}, seed {seed}, {budget:.0f} s"
    for network in networks:
        who = case, network.software, network.version
        yield row(*who, "steps", steps[network])
        yield row(*who, "PSNR [dB]", psnr(truth, network.predict(x)).mean())
    yield row(case, "FBP", "", "PSNR [dB]", psnr(truth, drafts).mean())


def row(case, software, version, measure, value):
    """A row of the table."""
    found = {"task": "train", "case": case, "software": software, "version": version}
    return found | {"measure": measure, "value": float(f"{value:.4g}")}


def main():
    """Measure speeds, or quality after so many seconds: `TASK [SEED SECONDS]`."""
    task, *more = sys.argv[1:]
    results = quality(task, int(more[0]), float(more[1])) if more else speeds(task)
    for result in results:
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
