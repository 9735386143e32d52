// The tests of test/cuda, which need a GPU or the stand-in driver: scripts/cuda-tests.mjs has that.
// oxlint-disable-next-line import/no-default-export -- ava takes no other.
export default {
  files: ['dist/test/cuda/**/*.test.js'],
  workerThreads: false,
  timeout: '5m',
  concurrency: 3,
};
