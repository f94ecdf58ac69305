// SIRT and total variation, one iteration at a time, as srtools.tomography has them.
"use strict";

// Sums of the entries of the matrix: of each ray over the field of view, of each pixel.
function sums(beam) {
  const ones = new Float32Array(beam.angles.length * SIZE).fill(1);
  return { rays: beam.project(FIELD_OF_VIEW), pixels: beam.backproject(ones) };
}

// Project, compare with the measurement, correct: yields the image again and again.
function* sirt(beam, sinogram) {
  const { rays, pixels } = sums(beam);
  const image = new Float32Array(SIZE * SIZE);
  while (true) {
    const residual = beam.project(image);
    for (let i = 0; i < residual.length; i++)
      residual[i] = rays[i] > 1e-3 ? (sinogram[i] - residual[i]) / rays[i] : 0;
    const change = beam.backproject(residual);
    for (let i = 0; i < image.length; i++)
      if (FIELD_OF_VIEW[i] && pixels[i] > 1e-3)
        image[i] = Math.max(image[i] + change[i] / pixels[i], 0);
    yield image;
  }
}

// Half the squared misfit plus weight * noise * sqrt(views) * TV, by the preconditioned
// primal-dual method of Pock and Chambolle, over-relaxed. `tv` of the package finds the
// same image in fewer, larger steps: it filters by a ramp inside.
function* totalVariation(beam, sinogram, weight) {
  const { rays, pixels } = sums(beam);
  const norm = Math.sqrt(Math.max(...rays) * Math.max(...pixels));
  const largest = sinogram.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const noise = Math.max(noiseLevel(sinogram), 1e-3 * largest);
  const radius = Math.max(weight * Math.sqrt(beam.angles.length) * noise, 1e-30);
  const step = 0.04 * norm;
  const RELAXATION = 1.9; // how far to go on towards the next iterate
  const edgeStep = (step * norm) / 2;

  const image = new Float32Array(SIZE * SIZE);
  const found = new Float32Array(SIZE * SIZE);
  const ahead = new Float32Array(SIZE * SIZE);
  const misfit = new Float32Array(sinogram.length);
  const down = new Float32Array(SIZE * SIZE); // slopes to the pixel below
  const right = new Float32Array(SIZE * SIZE); // and to the one on the right
  while (true) {
    const projected = beam.project(ahead);
    for (let i = 0; i < misfit.length; i++) {
      const rayStep = step / Math.max(rays[i], 1e-3);
      const pull = misfit[i] + rayStep * (projected[i] - sinogram[i]);
      misfit[i] += RELAXATION * (pull / (1 + rayStep) - misfit[i]);
    }
    for (let i = 0; i < image.length; i++) {
      const below = i + SIZE < image.length ? ahead[i + SIZE] - ahead[i] : 0;
      const beside = (i + 1) % SIZE ? ahead[i + 1] - ahead[i] : 0;
      const one = down[i] + edgeStep * below;
      const other = right[i] + edgeStep * beside;
      const longer = Math.max(1, Math.hypot(one, other) / radius);
      down[i] += RELAXATION * (one / longer - down[i]);
      right[i] += RELAXATION * (other / longer - right[i]);
    }
    const downhill = beam.backproject(misfit);
    for (let i = 0; i < image.length; i++) {
      image[i] += RELAXATION * (found[i] - image[i]);
      const slope =
        downhill[i] - down[i] - right[i] +
        (i >= SIZE ? down[i - SIZE] : 0) + (i % SIZE ? right[i - 1] : 0);
      const next = image[i] - slope / (step * (pixels[i] + 4 * norm));
      found[i] = Math.max(next, 0) * FIELD_OF_VIEW[i];
      ahead[i] = 2 * found[i] - image[i];
    }
    yield found;
  }
}

// Standard deviation of the noise, from third differences along the detector.
function noiseLevel(sinogram) {
  const found = [];
  for (let i = 0; i < sinogram.length; i++)
    if (i % SIZE < SIZE - 3)
      found.push(
        Math.abs(sinogram[i + 3] - 3 * sinogram[i + 2] + 3 * sinogram[i + 1] - sinogram[i]),
      );
  found.sort((one, two) => one - two);
  const half = Math.floor(found.length / 2);
  const median = found.length % 2 ? found[half] : (found[half - 1] + found[half]) / 2;
  return median / Math.sqrt(20) / 0.6745;
}
