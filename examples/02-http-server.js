// @ts-check
// An HTTP server that trains while it answers: the sums and updates of large tensors run on the
// store's own thread, so the event loop of the server stays free. The program asks its own server a
// few times and ends; with --serve it goes on until Ctrl-C.
//
//   node examples/02-http-server.js [--port N] [--requests N] [--serve]
//
// prints (the delay is another one each time):
//   20 of 20 requests answered while the store trained
//   answers with a half-written tensor: 0
//   answers older than the one before: 0
//   longest delay of the event loop, for information: … ms
import { once } from 'node:events';
import { createServer } from 'node:http';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { cpu, createKVStore, ones, optim, zeros } from 'tensorkv';

const deviceCount = 4;
const largeLength = 1_000_000;
const countLength = 1000;

process.exitCode = await main();

async function main() {
  const options = readArguments();
  if (options === undefined) return 2;

  const kv = await createKVStore('local');
  const stop = new AbortController();
  process.once('SIGINT', () => stop.abort());
  const server = createServer((_request, response) => {
    answer(kv)
      .then((body) => response.setHeader('content-type', 'application/json').end(body))
      .catch((error) => response.writeHead(500).end(String(error)));
  });
  try {
    await listen(server, options.port);
    await kv.init(['large', 'count'], [zeros(largeLength), zeros(countLength)]);
    await kv.setOptimizer(optim.sgd({ lr: 0.25, momentum: 0 }));
    const address = addressOf(server);
    if (options.serve) console.log(`training, and listening on ${address} until Ctrl-C`);
    const asking = options.serve
      ? undefined
      : askOften(address, options.requests).finally(() => stop.abort());
    await Promise.all([train(kv, stop.signal), asking]);
    return 0;
  } catch (error) {
    if (!isPortError(error)) throw error;
    console.error(`Port ${options.port} cannot be used (${error.code}): choose another --port.`);
    return 2;
  } finally {
    stop.abort();
    server.close();
    server.closeAllConnections();
    await kv.close();
  }
}

/**
 * Pushes the gradients of four devices again and again, 16 MB a time. They stand for real ones: each
 * push lowers every element by 1.
 * @param {import('tensorkv').KVStore} kv
 * @param {AbortSignal} signal
 */
async function train(kv, signal) {
  const devices = Array.from({ length: deviceCount }, (_, index) => cpu(index));
  const large = devices.map((device) => ones(largeLength, { device }));
  const count = devices.map((device) => ones(countLength, { device }));
  while (!signal.aborted) await kv.push(['large', 'count'], [large, count]);
}

/**
 * What the server tells: the smallest and largest element of a tensor that is always updated as one.
 * @param {import('tensorkv').KVStore} kv
 */
async function answer(kv) {
  const { data } = await kv.pull('count');
  return JSON.stringify({ low: Math.min(...data), high: Math.max(...data) });
}

/**
 * Asks the server `requests` times, and prints what came.
 * @param {string} address
 * @param {number} requests
 */
async function askOften(address, requests) {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  let [answered, torn, older, last] = [0, 0, 0, 0];
  for (let i = 0; i < requests; i++) {
    const response = await fetch(address);
    const { low, high } = /** @type {{ low: number, high: number }} */ (await response.json());
    if (response.ok) answered += 1;
    if (low !== high) torn += 1;
    if (low > last) older += 1; // Elements only go down.
    last = low;
  }
  delay.disable();
  console.log(`${answered} of ${requests} requests answered while the store trained`);
  console.log(`answers with a half-written tensor: ${torn}`);
  console.log(`answers older than the one before: ${older}`);
  const longestMs = (delay.max / 1e6).toFixed(0);
  console.log(`longest delay of the event loop, for information: ${longestMs} ms`);
}

/** The options, or undefined after a sentence on stderr. */
function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        port: { type: 'string', default: '0' },
        requests: { type: 'string', default: '20' },
        serve: { type: 'boolean', default: false },
      },
    });
    const port = integer('--port', values.port, 0, 65_535);
    const requests = integer('--requests', values.requests, 1, 1_000_000);
    return { port, requests, serve: values.serve };
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    return undefined;
  }
}

/**
 * @param {string} name
 * @param {string} text
 * @param {number} low
 * @param {number} high
 */
function integer(name, text, low, high) {
  const value = /^\d+$/.test(text) ? Number(text) : NaN;
  if (value >= low && value <= high) return value;
  throw new Error(`${name} expected an integer from ${low} to ${high}, got "${text}".`);
}

/**
 * Resolves once `server` listens on this machine only; port 0 stands for any free one.
 * @param {import('node:http').Server} server
 * @param {number} port
 */
async function listen(server, port) {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening'); // Rejects with the error when there is one instead.
}

/** @param {import('node:http').Server} server */
function addressOf(server) {
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : address;
  return `http://127.0.0.1:${port}/`;
}

/**
 * @param {unknown} error
 * @returns {error is NodeJS.ErrnoException}
 */
function isPortError(error) {
  return error instanceof Error && 'syscall' in error && error.syscall === 'listen';
}
