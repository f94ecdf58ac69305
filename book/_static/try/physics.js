// The scan, as srtools.tomography has it: strips of ParallelBeam, counted photons, FBP.
// Images are arrays of SIZE * SIZE pixels, row by row. Sinograms hold one row of SIZE
// line integrals for each view.
"use strict";

const SIZE = 64;
const MIDDLE = (SIZE - 1) / 2;
const MARGIN = 32; // room for strips beside the detector, on either side
const ATTENUATION = 0.05; // of an image value of 1, per pixel

// 1 in the circle that every view sees, 0 outside.
const FIELD_OF_VIEW = Float32Array.from({ length: SIZE * SIZE }, (_, pixel) => {
  const y = Math.floor(pixel / SIZE) - MIDDLE;
  const x = (pixel % SIZE) - MIDDLE;
  return Number(x * x + y * y <= (SIZE / 2) ** 2);
});

// Area of a unit pixel whose shadow, a trapezium, falls below u.
function shadowBelow(u, a, b) {
  const p = (a + b) / 2;
  const q = (a - b) / 2;
  u = Math.min(Math.max(u, -p), p);
  const square = (v) => (v > 0 ? v * v : 0);
  const sum = square(u + p) - square(u + q) - square(u - q) + square(u - p);
  return sum / (2 * a * b);
}

class ParallelBeam {
  // Angles in degrees; the axis in detector pixels, from the centre of the first.
  constructor(angles, axis = MIDDLE) {
    this.angles = angles;
    const n = angles.length * SIZE * SIZE;
    this.first = new Uint8Array(n); // strip where the shadow of a pixel begins
    this.weights = new Float32Array(3 * n); // its shares of that strip and the next two
    let entry = 0;
    for (const angle of angles) {
      const cos = Math.cos((angle * Math.PI) / 180);
      const sin = Math.sin((angle * Math.PI) / 180);
      const a = Math.max(Math.abs(cos), 1e-5);
      const b = Math.max(Math.abs(sin), 1e-5);
      const half = (Math.abs(cos) + Math.abs(sin)) / 2;
      for (let row = 0; row < SIZE; row++) {
        for (let column = 0; column < SIZE; column++, entry++) {
          const place = (column - MIDDLE) * cos - (row - MIDDLE) * sin;
          const first = Math.floor(place - half + axis + 0.5);
          const edge = first + 0.5 - axis - place; // between the first and the second
          const one = shadowBelow(edge, a, b);
          const two = shadowBelow(edge + 1, a, b);
          this.first[entry] = first + MARGIN;
          this.weights[3 * entry] = one;
          this.weights[3 * entry + 1] = two - one;
          this.weights[3 * entry + 2] = 1 - two;
        }
      }
    }
  }

  project(image) {
    const sinogram = new Float32Array(this.angles.length * SIZE);
    const strips = new Float32Array(SIZE + 2 * MARGIN);
    let entry = 0;
    for (let view = 0; view < this.angles.length; view++) {
      strips.fill(0);
      for (let pixel = 0; pixel < SIZE * SIZE; pixel++, entry++) {
        const value = image[pixel];
        if (value === 0) continue;
        const first = this.first[entry];
        strips[first] += this.weights[3 * entry] * value;
        strips[first + 1] += this.weights[3 * entry + 1] * value;
        strips[first + 2] += this.weights[3 * entry + 2] * value;
      }
      sinogram.set(strips.subarray(MARGIN, MARGIN + SIZE), view * SIZE);
    }
    return sinogram;
  }

  // The adjoint: what each view saw is smeared back over the image.
  backproject(sinogram) {
    const image = new Float32Array(SIZE * SIZE);
    const strips = new Float32Array(SIZE + 2 * MARGIN);
    let entry = 0;
    for (let view = 0; view < this.angles.length; view++) {
      strips.set(sinogram.subarray(view * SIZE, (view + 1) * SIZE), MARGIN);
      for (let pixel = 0; pixel < SIZE * SIZE; pixel++, entry++) {
        const first = this.first[entry];
        image[pixel] +=
          this.weights[3 * entry] * strips[first] +
          this.weights[3 * entry + 1] * strips[first + 1] +
          this.weights[3 * entry + 2] * strips[first + 2];
      }
    }
    return image;
  }

  // What each view adds to an integral over half a turn [radians]: half the gaps to its
  // neighbours. A gap wider than three times the second widest was not scanned.
  angleWeights() {
    const n = this.angles.length;
    const gaps = this.angles.map((angle, i) =>
      i + 1 < n ? this.angles[i + 1] - angle : this.angles[0] + 180 - angle,
    );
    const [widest, second = widest] = [...gaps].sort((one, two) => two - one);
    const scanned = gaps.map((gap) => Math.min(gap, 3 * second));
    return scanned.map(
      (gap, i) => (((gap + scanned[(i + n - 1) % n]) / 2) * Math.PI) / 180,
    );
  }

  fbp(sinogram, filter) {
    const kernel = filterKernel(filter);
    const filtered = new Float32Array(sinogram.length);
    this.angleWeights().forEach((weight, view) => {
      for (let i = 0; i < SIZE; i++) {
        let sum = 0;
        for (let j = 0; j < SIZE; j++)
          sum += kernel[Math.abs(i - j)] * sinogram[view * SIZE + j];
        filtered[view * SIZE + i] = weight * sum;
      }
    });
    return this.backproject(filtered).map((value, i) => value * FIELD_OF_VIEW[i]);
  }
}

const WINDOWS = {
  ramp: () => 1,
  "shepp-logan": (f) => (f === 0 ? 1 : Math.sin((Math.PI / 2) * f) / ((Math.PI / 2) * f)),
  cosine: (f) => Math.cos((Math.PI / 2) * f),
  hann: (f) => Math.cos((Math.PI / 2) * f) ** 2,
};

// The ramp, as its values on the detector, rolled off by a window: values of the filter
// at distances of 0, 1, 2 ... detector pixels.
function filterKernel(filter) {
  const length = 2 * SIZE;
  const ramp = (i) => (i === 0 ? 1 / 4 : i % 2 === 1 ? -1 / (Math.PI * i) ** 2 : 0);
  const transformed = (values, k) => {
    let sum = 0;
    for (let i = 0; i < length; i++)
      sum += values(Math.min(i, length - i)) * Math.cos((2 * Math.PI * i * k) / length);
    return sum;
  };
  const response = Array.from(
    { length: SIZE + 1 },
    (_, k) => transformed(ramp, k) * WINDOWS[filter](k / SIZE),
  );
  return Float32Array.from(
    { length: SIZE },
    (_, i) => transformed((k) => response[k], i) / length,
  );
}

// Numbers from 0 to 1 that look random, the same ones for the same seed (Mulberry32).
function randomNumbers(seed) {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

// A number of photons: from 30 on, the bell curve is as good as Poisson's law.
function poisson(mean, random) {
  if (mean >= 30) {
    const radius = Math.sqrt(-2 * Math.log(1 - random()));
    const normal = radius * Math.cos(2 * Math.PI * random());
    return Math.max(Math.round(mean + Math.sqrt(mean) * normal), 0);
  }
  const limit = Math.exp(-mean);
  let count = -1;
  for (let product = 1; product > limit; count++) product *= random();
  return count;
}

// Count photons behind the object, and take the logarithm again.
function countPhotons(sinogram, photons, random) {
  return sinogram.map((integral) => {
    const count = poisson(photons * Math.exp(-ATTENUATION * integral), random);
    return -Math.log(Math.max(count, 1) / photons) / ATTENUATION;
  });
}

// Peak signal-to-noise ratio [dB], for values from 0 to 1.
function psnr(truth, image) {
  let sum = 0;
  for (let i = 0; i < truth.length; i++) sum += (image[i] - truth[i]) ** 2;
  return -10 * Math.log10(sum / truth.length);
}
