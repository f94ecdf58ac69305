// Arrays as pictures on canvases.
"use strict";

// Fill a canvas; `colour` gives red, green, blue and opacity of each of its pixels.
function paint(canvas, colour) {
  const context = canvas.getContext("2d");
  const { width, height } = canvas;
  const picture = context.createImageData(width, height);
  for (let row = 0; row < height; row++)
    for (let column = 0; column < width; column++)
      picture.data.set(colour(row, column), 4 * (row * width + column));
  context.putImageData(picture, 0, 0);
}

function grey(value) {
  const level = 255 * Math.min(Math.max(value, 0), 1);
  return [level, level, level, 255];
}

// Blue below, white at zero, red above.
function diverging(value) {
  const strength = Math.min(Math.abs(value), 1);
  const end = value < 0 ? [33, 102, 172] : [178, 24, 43];
  return [...end.map((part) => 250 + strength * (part - 250)), 255];
}

function paintImage(canvas, image) {
  paint(canvas, (row, column) => grey(image[row * SIZE + column]));
}

const DIFFERENCE_SHOWN = 0.5; // the end of its colours

function paintDifference(canvas, image, truth) {
  paint(canvas, (row, column) => {
    const pixel = row * SIZE + column;
    return diverging((image[pixel] - truth[pixel]) / DIFFERENCE_SHOWN);
  });
}

// Half a turn from left to right; what was not scanned stays empty.
function paintSinogram(canvas, sinogram, views, range) {
  const largest = sinogram.reduce((most, value) => Math.max(most, value), 1e-6);
  paint(canvas, (row, column) => {
    const view = Math.floor((((column + 0.5) / canvas.width) * 180 * views) / range);
    return view < views ? grey(sinogram[view * SIZE + row] / largest) : [0, 0, 0, 0];
  });
}

// A curve of PSNR against iteration, from its lowest to its highest value.
function paintCurve(canvas, values, length) {
  const context = canvas.getContext("2d");
  const { width, height } = canvas;
  context.clearRect(0, 0, width, height);
  const low = Math.min(...values);
  const high = Math.max(...values, low + 1);
  context.strokeStyle = getComputedStyle(canvas).color;
  context.lineWidth = 3;
  context.beginPath();
  values.forEach((value, i) => {
    const x = 2 + (i / (length - 1)) * (width - 4);
    const y = height - 3 - ((value - low) / (high - low)) * (height - 6);
    if (i === 0) context.moveTo(x, y);
    else context.lineTo(x, y);
  });
  context.stroke();
}
