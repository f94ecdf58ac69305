// The page: what its controls say is measured, reconstructed and shown.
"use strict";

const PHOTONS = [100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000];
const ITERATIONS = { TV: 180, SIRT: 200 };
const FRAME = 12; // milliseconds of iterating before the picture is drawn again
const STILL = matchMedia("(prefers-reduced-motion: reduce)"); // only the last picture

const part = (name) => document.getElementById(`try-${name}`);
const drawing = new Drawing(part("object"), part("ring"), () => {
  objectName = "Your drawing";
  change();
});
let objectName = ""; // of the object
let network = null; // once it has started
let scan = null; // what was measured last, and what was made of it
let running = null; // the iteration that goes on

// What the controls say.
function settings() {
  return {
    views: Number(part("views").value),
    photons: PHOTONS[Number(part("photons").value)],
    shift: Number(part("axis").value),
    range: 180 - Number(part("wedge").value),
    filter: part("filter").value,
    method: part("method").value,
  };
}

// Beams are kept, since most changes leave them as they are.
const beams = new Map();
function beamOf(views, range, shift) {
  const key = [views, range, shift].join();
  if (!beams.has(key)) {
    if (beams.size === 4) beams.clear();
    const angles = Array.from({ length: views }, (_, i) => (i * range) / views);
    beams.set(key, new ParallelBeam(angles, MIDDLE + shift));
  }
  return beams.get(key);
}

// Something has changed: measure anew, once for all changes before the next picture.
let waiting = false;
function change() {
  if (waiting) return;
  waiting = true;
  requestAnimationFrame(() => {
    waiting = false;
    measure();
  });
}

function measure() {
  const start = performance.now();
  const asked = settings();
  const truth = drawing.image;
  const clean = beamOf(asked.views, asked.range, asked.shift).project(truth);
  const sinogram = countPhotons(clean, asked.photons, randomNumbers(1));
  // The reconstruction believes that the axis is in the middle.
  const beam = beamOf(asked.views, asked.range, 0);
  scan = { ...asked, truth, sinogram, beam, scores: {} };

  paintImage(part("object"), truth);
  paintSinogram(part("sinogram"), sinogram, asked.views, asked.range);
  show("fbp", "FBP", beam.fbp(sinogram, asked.filter));
  showControls();
  performance.measure("fbp", { start });
  setTimeout(reconstruct, 0, scan);
}

// What takes longer than FBP, as long as nothing has changed again.
function reconstruct(mine) {
  if (mine !== scan) return;
  predict();
  iterate();
}

function predict() {
  if (!network) return;
  const start = performance.now();
  // It was taught on FBP with this filter, whatever is chosen for the picture.
  const image = network.predict(scan.beam.fbp(scan.sinogram, "hann"));
  show("network", "Network", image);
  performance.measure("network", { start });
}

function iterate() {
  const mine = scan;
  const last = ITERATIONS[mine.method];
  const steps =
    mine.method === "TV"
      ? totalVariation(mine.beam, mine.sinogram, NETWORK.tvWeight)
      : sirt(mine.beam, mine.sinogram);
  const scores = [];
  running = { scan: mine, paused: false, done: false, go: frame };
  const here = running;
  function frame() {
    if (here !== running || mine !== scan || here.paused) return;
    const start = performance.now();
    let image;
    do {
      image = steps.next().value;
      scores.push(psnr(mine.truth, image));
    } while (scores.length < last && performance.now() < start + FRAME);
    here.done = scores.length === last;
    if (here.done || !STILL.matches) {
      show("iterated", mine.method, image);
      paintCurve(part("curve"), scores, last);
      part("steps").textContent = `iteration ${scores.length} of ${last}`;
    }
    if (here.done) describe();
    else requestAnimationFrame(frame);
    labelRunning();
  }
  frame();
}

function labelRunning() {
  part("run").textContent = running.done ? "Again" : running.paused ? "Go on" : "Pause";
}

// Show an image, its difference from the truth, and how near it comes.
function show(place, method, image) {
  const score = psnr(scan.truth, image);
  scan.scores[place] = [method, score];
  paintImage(part(place), image);
  paintDifference(part(`${place}-difference`), image, scan.truth);
  part(`${place}-psnr`).textContent = decibels(score);
  part(place).setAttribute("aria-label", `${method}: ${decibels(score)}`);
  const scores = Object.values(scan.scores).map((pair) => pair[1]);
  for (const [other, pair] of Object.entries(scan.scores))
    part(`${other}-psnr`).classList.toggle("try-best", pair[1] === Math.max(...scores));
}

function decibels(score) {
  return score === Infinity ? "∞ dB" : `${score.toFixed(1)} dB`;
}

function grouped(number) {
  return String(number).replace(/(?=(\d{3})+$)\B/g, "\u202f");
}

// What the controls stand at, beside each of them and for a screen reader.
function showControls() {
  const { views, photons, shift, range } = scan;
  const says = {
    views: `${views}`,
    photons: grouped(photons),
    axis: `${shift} px`,
    wedge: `${180 - range}°`,
    bright: part("bright").value,
    brush: `${part("brush").value} px`,
  };
  for (const [control, text] of Object.entries(says)) {
    part(`${control}-value`).textContent = text;
    part(control).setAttribute("aria-valuetext", text);
  }
  part("iterated-name").textContent = scan.method;
  part("black").textContent = decibels(psnr(scan.truth, scan.truth.map(() => 0)));
  part("empty").hidden = scan.truth.some((value) => value > 0);
}

// In a sentence, once all methods are done: what was scanned and which came nearest.
function describe() {
  const order = ["fbp", "iterated", "network"].filter((place) => place in scan.scores);
  const scores = order.map((place) => scan.scores[place]);
  const [best] = scores.reduce((one, two) => (two[1] > one[1] ? two : one));
  const list = scores.map(([method, score]) => `${method} ${decibels(score)}`).join(", ");
  const faults = [
    scan.shift ? `, the axis off by ${scan.shift} pixels` : "",
    scan.range < 180 ? `, ${180 - scan.range} degrees missing` : "",
  ].join("");
  part("said").textContent =
    `${objectName}: ${scan.views} views, ${grouped(scan.photons)} photons${faults}. ` +
    `PSNR: ${list}. ${best} comes nearest to the object.`;
}

function readyObject(object) {
  return Float32Array.from(atob(OBJECTS[object]), (letter) => letter.charCodeAt(0) / 255);
}

function take(object) {
  if (object === "nothing") return drawing.replace(new Float32Array(SIZE * SIZE));
  drawing.replace(readyObject(object));
  objectName = object[0].toUpperCase() + object.slice(1);
}

// A ready experiment: a button says in data-... what the controls shall stand at.
function stage(button) {
  for (const [control, value] of Object.entries(button.dataset))
    if (control !== "take") part(control).value = value;
  take(button.dataset.take);
  if (!button.closest("#try"))
    part("object").scrollIntoView({ behavior: STILL.matches ? "auto" : "smooth", block: "center" });
}

function listen() {
  for (const control of document.querySelectorAll("#try .try-scan :is(input, select)"))
    control.addEventListener("input", change);
  for (const button of document.querySelectorAll(".try-objects button, .try-stage")) {
    button.addEventListener("click", () => stage(button));
    const picture = button.querySelector("canvas");
    if (picture) paintImage(picture, readyObject(button.dataset.take));
  }
  const brush = () => {
    drawing.value = part("erase").checked ? 0 : Number(part("bright").value);
    drawing.width = Number(part("brush").value);
    drawing.showRing();
    showControls();
  };
  for (const control of document.querySelectorAll(".try-brush input"))
    control.addEventListener("input", brush);
  part("clear").addEventListener("click", () => take("nothing"));
  part("run").addEventListener("click", () => {
    if (running.done) return iterate();
    running.paused = !running.paused;
    labelRunning();
    running.go();
  });
}

listen();
take("shapes");
measure();
part("object").closest("#try").classList.add("try-ready");
performance.measure("first picture");
addEventListener("load", async () => {
  try {
    network = await startNetwork();
    predict();
    if (running?.done) describe();
  } catch (error) {
    part("lacking").hidden = false;
    part("lacking").textContent =
      `The network is missing, because ${error.message}. FBP, TV and SIRT work without.`;
  }
});
