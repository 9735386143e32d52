// The tests of test/cuda, which need the stand-in driver: scripts/cuda-tests.mjs runs them.
// oxlint-disable-next-line import/no-default-export -- ava takes no other.
export default {
  files: ['dist/test/cuda/**/*.test.js'],
  workerThreads: false,
  timeout: '5m',
  concurrency: 2,
};
