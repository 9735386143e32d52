#!/bin/sh
# Runs a part of the archive that gpu-pack.mjs makes, with nothing but what is in it:
#
#   run test        the tests of CUDA devices, on the GPUs of this machine
#   run bench       its benches, a JSON object a line
#   run stand-in    the same tests without a GPU, on a stand-in for the driver
#   run cpu         tests of the CPU's kernels and tensors
set -eu
here=$(CDPATH= cd -- "$(dirname -- "$0")" && pwd)
cd "$here"
export HOME="${HOME:-$here}" LD_LIBRARY_PATH="$here/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
export PATH="$here/bin:${PATH:-/usr/bin:/bin}" TENSORKV_NATIVE=require
ava() { node node_modules/ava/entrypoints/cli.mjs "$@"; }
cuda() { ava --config ava.cuda.config.mjs "$@"; }
part=${1:-test}
[ $# -gt 0 ] && shift
case $part in
test) cuda '!dist/test/cuda/stand-in/**' "$@" ;;
bench) node dist/bench/gpu/run.js "$@" ;;
stand-in)
  TENSORKV_CUDA_DRIVER=$here/lib/tensorkv_stand_in.so
  export TENSORKV_CUDA_DRIVER TENSORKV_NVRTC="$TENSORKV_CUDA_DRIVER" TENSORKV_NCCL="$TENSORKV_CUDA_DRIVER"
  cuda "$@"
  ;;
cpu) ava 'dist/test/core/tensor.test.js' 'dist/test/core/elements.test.js' \
  'dist/test/native/{cast,copy,reduce-sum,step,compression,rows,is-finite}.test.js' "$@" ;;
*)
  echo "run expected test, bench, stand-in or cpu, got $part" >&2
  exit 2
  ;;
esac
