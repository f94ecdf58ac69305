// The U-Net of srtools.tutorial.many_views, on TensorFlow.js.
"use strict";

// Half-precision numbers from text, as single precision.
function unpackHalves(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const halves = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length / 2 }, (_, i) => {
    const bits = halves.getUint16(2 * i, true);
    const sign = bits & 0x8000 ? -1 : 1;
    const exponent = (bits >> 10) & 0x1f;
    const fraction = (bits & 0x3ff) / 1024;
    if (exponent === 0) return sign * fraction * 2 ** -14;
    return sign * (1 + fraction) * 2 ** (exponent - 15);
  });
}

class UNet {
  // Weights by their paths in Keras, such as "down0_conv1/kernel".
  constructor(network) {
    const values = unpackHalves(network.values);
    this.weights = {};
    let start = 0;
    for (const [path, shape] of Object.entries(network.shapes)) {
      const length = shape.reduce((product, side) => product * side, 1);
      this.weights[path] = tf.tensor(values.subarray(start, start + length), shape);
      start += length;
    }
  }

  // An FBP image in, a better one out.
  predict(image) {
    return tf.tidy(() => {
      const draft = tf.tensor(image, [1, SIZE, SIZE, 1]);
      const fine = this.block(draft, "down0");
      const coarse = this.block(tf.maxPool(fine, 2, 2, "same"), "down1");
      let x = this.block(tf.maxPool(coarse, 2, 2, "same"), "bottom");
      x = this.block(tf.concat([coarse, this.up(x, "up1", coarse.shape)], 3), "merge1");
      x = this.block(tf.concat([fine, this.up(x, "up0", fine.shape)], 3), "merge0");
      return tf.add(draft, this.convolve(x, "logits", "linear")).dataSync();
    });
  }

  block(x, name) {
    x = this.convolve(x, `${name}_conv1`, "relu");
    return this.convolve(x, `${name}_conv2`, "relu");
  }

  convolve(x, name, activation) {
    const filter = this.weights[`${name}/kernel`];
    const bias = this.weights[`${name}/bias`];
    return tf.fused.conv2d({ x, filter, bias, activation, strides: 1, pad: "same" });
  }

  up(x, name, shape) {
    const wide = tf.conv2dTranspose(x, this.weights[`${name}/kernel`], shape, 2, "same");
    return tf.add(wide, this.weights[`${name}/bias`]);
  }
}

// Start the engine, from memory: pages opened from a file may fetch no files.
async function startNetwork() {
  if (typeof WebAssembly === "undefined")
    throw new Error("this browser has no WebAssembly");
  if (typeof tf === "undefined" || typeof TFJS_WASM === "undefined")
    throw new Error("the files of TensorFlow.js are not beside this page");
  tf.env().set("WASM_HAS_MULTITHREAD_SUPPORT", false);
  if (!(await tf.env().getAsync("WASM_HAS_SIMD_SUPPORT")))
    throw new Error("the WebAssembly of this browser has no SIMD");
  tf.wasm.setWasmPaths({
    "tfjs-backend-wasm.wasm": TFJS_WASM,
    "tfjs-backend-wasm-simd.wasm": TFJS_WASM,
    "tfjs-backend-wasm-threaded-simd.wasm": TFJS_WASM,
  });
  if (!(await tf.setBackend("wasm"))) throw new Error("TensorFlow.js did not start");
  return new UNet(NETWORK);
}
