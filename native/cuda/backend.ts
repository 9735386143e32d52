import { DeviceArray, type Elements } from '../../src/core/device-array.js';
import type { DeviceBackend } from '../../src/core/device-backend.js';
import { privateArray, type DType, type TensorData } from '../../src/core/dtypes.js';
import { castElements, onHost } from '../../src/core/elements.js';
import * as elementwise from '../../src/core/elementwise.js';
import type { Scalar } from '../../src/core/elementwise.js';
import { cudaAddon, missingDeviceReason } from './door.js';
import type { Operation } from './operation-words.js';
import { discard, enqueue, flush } from './queue.js';
import { download, onDevice, transfer } from './staging.js';

type Pair = readonly [Elements, Elements];

/** Tensors on CUDA devices: what their methods do is sent at once. */
export const cudaBackend: DeviceBackend = {
  missingReason: missingDeviceReason,
  allocate: (device, bytes) => cudaAddon().allocate(device, bytes),
  retain: (id) => cudaAddon().retain(id),
  release(id) {
    try {
      cudaAddon().release(id);
    } catch {
      // Nobody is there to hear of it, and a device that is lost has nothing to let go of.
    }
  },
  watch: (object) => cudaAddon().watch(object),
  forget: (number) => cudaAddon().forget(number),
  collected: () => cudaAddon().collected(),
  about: (id) => cudaAddon().arrayInfo(id),
  discard,
  download,
  copy(source, out) {
    transfer(source, out);
    sendFor(out);
  },
  cast(source, from, out, to) {
    if (!(out instanceof DeviceArray)) return castElements(onHost(source), from, out, to);
    run(out, { code: 'cast', dtype: from, to }, [[source, from]]);
  },
  fill(dtype, out, x) {
    run(out as DeviceArray, { code: 'fill', dtype, scalar: bitsOf(dtype, x) }, []);
  },
  addScaled(dtype, [a, b]: Pair, scalar, out) {
    if (!(out instanceof DeviceArray)) {
      return elementwise.addScaled(dtype, [onHost(a), onHost(b)], scalar, out);
    }
    run(out, { code: 'addScaled', dtype, scalar }, [
      [a, dtype],
      [b, dtype],
    ]);
  },
  addNumber(dtype, a, scalar, out) {
    if (!(out instanceof DeviceArray)) return elementwise.addNumber(dtype, onHost(a), scalar, out);
    run(out, { code: 'addNumber', dtype, scalar }, [[a, dtype]]);
  },
  multiply(dtype, [a, b]: Pair, out) {
    if (!(out instanceof DeviceArray)) {
      return elementwise.multiply(dtype, [onHost(a), onHost(b)], out);
    }
    run(out, { code: 'multiply', dtype }, [
      [a, dtype],
      [b, dtype],
    ]);
  },
  multiplyNumber(dtype, a, scalar, out) {
    if (!(out instanceof DeviceArray)) {
      return elementwise.multiplyNumber(dtype, onHost(a), scalar, out);
    }
    run(out, { code: 'multiplyNumber', dtype, scalar }, [[a, dtype]]);
  },
};

/** Has the device of `out` do something that writes it, and sends that. */
function run(
  out: DeviceArray,
  what: Omit<Operation, 'length' | 'inputs' | 'outs'>,
  inputs: readonly (readonly [Elements, DType])[],
): void {
  if (out.length === 0) return;
  const there = inputs.map(([each, dtype]) => onDevice(each, out.device, dtype));
  enqueue(out.device, { ...what, length: out.length, inputs: there, outs: [out] });
  sendFor(out);
}

function sendFor(out: Elements): void {
  if (out instanceof DeviceArray) flush(out.device);
}

/** The bits of the element of `dtype` that `fill(x)` stores. */
export function bitsOf(dtype: DType, x: Scalar): bigint {
  const one: TensorData = privateArray(dtype, 1);
  elementwise.fillWith(dtype, one, x);
  const bytes = new Uint8Array(8);
  bytes.set(new Uint8Array(one.buffer, one.byteOffset, one.byteLength));
  return new BigInt64Array(bytes.buffer)[0]!;
}
