// Draw on the object with mouse, finger or keys.
"use strict";

class Drawing {
  // The canvas shows an image; the ring, an element above it, shows the brush.
  constructor(canvas, ring, changed) {
    this.canvas = canvas;
    this.ring = ring;
    this.changed = changed;
    this.image = new Float32Array(SIZE * SIZE);
    this.value = 1; // 0 erases
    this.width = 5; // of the brush [pixels]
    this.place = [32, 32]; // of the brush: column, row
    canvas.addEventListener("pointerdown", (event) => this.press(event));
    canvas.addEventListener("pointermove", (event) => this.drag(event));
    canvas.addEventListener("keydown", (event) => this.type(event));
    this.move(0, 0);
  }

  where(event) {
    const box = this.canvas.getBoundingClientRect();
    const scale = SIZE / box.width;
    return [(event.clientX - box.left) * scale - 0.5, (event.clientY - box.top) * scale - 0.5];
  }

  press(event) {
    if (event.button !== 0) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.place = this.where(event);
    this.dab();
  }

  drag(event) {
    const [fromX, fromY] = this.place;
    const [x, y] = this.where(event);
    const steps = Math.ceil(Math.hypot(x - fromX, y - fromY)) || 1;
    for (let step = 1; step <= steps; step++) {
      const part = step / steps;
      this.place = [fromX + part * (x - fromX), fromY + part * (y - fromY)];
      if (event.buttons & 1) this.dab();
    }
    this.showRing();
  }

  type(event) {
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const way = ways[event.key];
    if (way) this.move(...way);
    else if (event.key !== " " && event.key !== "Enter") return;
    if (!way || event.shiftKey) this.dab();
    event.preventDefault();
  }

  move(right, down) {
    const inside = (value) => Math.min(Math.max(value, 0), SIZE - 1);
    this.place = [inside(this.place[0] + right), inside(this.place[1] + down)];
    this.showRing();
  }

  // Let the brush touch the object. Nothing lies outside the circle that all views see.
  dab() {
    const [x, y] = this.place;
    for (let pixel = 0; pixel < this.image.length; pixel++) {
      const far = Math.hypot((pixel % SIZE) - x, Math.floor(pixel / SIZE) - y);
      if (far <= this.width / 2 && FIELD_OF_VIEW[pixel]) this.image[pixel] = this.value;
    }
    this.changed();
  }

  replace(image) {
    this.image = image;
    this.changed();
  }

  showRing() {
    const percent = (pixels) => `${(100 * pixels) / SIZE}%`;
    this.ring.style.left = percent(this.place[0] + 0.5);
    this.ring.style.top = percent(this.place[1] + 0.5);
    this.ring.style.width = percent(this.width);
  }
}
