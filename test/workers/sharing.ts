import { defineWorker, full, type Tensor } from '../../src/index.js';

interface Args {
  readonly nested: { readonly list: readonly Tensor[] };
  /** int32: becomes 1 when this worker may go on. */
  readonly gate: Tensor;
}

/** Shares tensors both ways: in its arguments, in a report, in its result. */
export default defineWorker<Args, unknown>(({ rank, device, args, report }) => {
  const { list } = args.nested;
  list[rank]!.fill(rank + 1);
  const own = full([2, 2], rank, { device });
  report({ own, text: `rank ${rank}` });
  Atomics.wait(args.gate.data as Int32Array, 0, 0);
  return { own, seen: own.data[0] };
});
