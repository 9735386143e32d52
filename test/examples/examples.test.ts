import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import test from 'ava';
import { brokenPromise, promisedLines, root, runProgram } from './programs.js';

const folder = join(root, 'examples');
const server = join(folder, '02-http-server.js');
const programs = readdirSync(folder)
  .filter((name) => name.endsWith('.js'))
  .map((name) => ({ name, source: readFileSync(join(folder, name), 'utf8') }))
  .filter(({ source }) => !source.includes('export default defineWorker'));

test('there are programs, and each says what it prints', (t) => {
  t.true(programs.length >= 4);
  for (const { name, source } of programs) t.not(promisedLines(source).length, 0, name);
});

for (const { name, source } of programs) {
  test(`${name} prints what it says`, async (t) => {
    const { code, stdout, stderr } = await runProgram(join(folder, name));
    t.is(stderr, '');
    t.is(code, 0);
    t.is(brokenPromise(source, stdout), undefined);
  });
}

test('the HTTP server says in one sentence that its port is in use', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const { port } = other.address() as AddressInfo;
  try {
    const { code, stdout, stderr } = await runProgram(server, ['--port', String(port)]);
    t.is(code, 2);
    t.is(stdout, '');
    t.is(stderr, `Port ${port} cannot be used (EADDRINUSE): choose another --port.\n`);
  } finally {
    other.close();
  }
});

for (const args of [['--port', '70000'], ['--port', 'x'], ['--requests', '0'], ['--unknown']]) {
  test(`the HTTP server says in one sentence what is wrong with ${args.join(' ')}`, async (t) => {
    const { code, stdout, stderr } = await runProgram(server, args);
    t.is(code, 2);
    t.is(stdout, '');
    t.regex(stderr, /^[^\n]+\n$/);
    t.notRegex(stderr, /\bat /);
  });
}

test('the HTTP server goes on with --serve until Ctrl-C', async (t) => {
  let answer: Promise<{ readonly low: number; readonly high: number }> | undefined;
  const { code, stderr } = await runProgram(server, ['--serve'], (pid, output) => {
    const [address] = /http:\S+/.exec(output)!;
    answer = fetch(address)
      .then((response) => response.json() as Promise<{ low: number; high: number }>)
      .finally(() => process.kill(pid, 'SIGINT'));
  });
  const { low, high } = await answer!;
  t.is(low, high);
  t.is(stderr, '');
  t.is(code, 0);
});
