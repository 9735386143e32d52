import test, { type ExecutionContext } from 'ava';
import { program, runChild } from '../helpers/workers.js';

/** Runs an app to its end, which must be a good one; returns what it printed. */
async function app(
  t: ExecutionContext,
  code: string,
  env: Record<string, string> = {},
): Promise<string> {
  const { code: exitCode, stdout, stderr } = await runChild(code, env);
  t.is(exitCode, 0, stderr);
  t.is(stderr, '');
  return stdout.trim();
}

/** Prints the threads of the process and what it waits for, its standard streams apart. */
const printHeld = `
  await new Promise((resolve) => setImmediate(resolve));
  const held = process.getActiveResourcesInfo().filter((name) => name !== 'PipeWrap');
  console.log(process.report.getReport().workers.length, held);`;
const sharing = JSON.stringify(program('sharing').href);
const noProgram = JSON.stringify(program('no-program').href);
const sums = JSON.stringify(program('sums').href);

for (const coordinator of ['thread', 'inline']) {
  const open = `await lib.createKVStore('local', { coordinator: '${coordinator}' })`;

  test(`an app that forgets close() exits with code 0 (${coordinator})`, async (t) => {
    const printed = await app(
      t,
      `const kv = ${open};
       await kv.init(0, lib.ones(2));
       await kv.push(0, lib.full(2, 3));
       console.log((await kv.pull(0)).toArray());`,
    );
    t.is(printed, '[ 3, 3 ]');
  });

  test(`an app that forgets to await still gets its answers (${coordinator})`, async (t) => {
    const printed = await app(
      t,
      `const kv = ${open};
       kv.init(0, lib.ones(2));
       for (let i = 1; i <= 5; i++) kv.push(0, lib.full(2, i));
       kv.pull(0).then((pulled) => console.log(pulled.toArray()));`,
    );
    t.is(printed, '[ 5, 5 ]');
  });

  test(`an app that fails with an open store exits with code 1 (${coordinator})`, async (t) => {
    const { code, stderr } = await runChild(
      `const kv = ${open};
       await kv.init(0, lib.ones(2));
       throw new RangeError('a fault of the app');`,
    );
    t.is(code, 1);
    t.true(stderr.includes('a fault of the app'));
  });

  test(`close leaves no thread and no handle (${coordinator})`, async (t) => {
    const printed = await app(
      t,
      `for (let i = 0; i < 3; i++) {
         const kv = ${open};
         await kv.init(0, lib.ones(2));
         await kv.setUpdater((key, input, stored) => stored.add_(input));
         await Promise.all([kv.push(0, lib.ones(2)), kv.pull(0), kv.barrier()]);
         await kv.close();
       }
       ${printHeld}`,
    );
    t.is(printed, '0 []');
  });
}

test('a store that is made and never looked at does not keep its app', async (t) => {
  t.is(await app(t, `lib.createKVStore('local'); lib.createKVStore('dist_async');`), '');
});

test('an app may exit at any moment', async (t) => {
  const { code, signal, stderr } = await runChild(
    `const kv = await lib.createKVStore('local');
     await kv.init(0, lib.ones(1e6));
     for (let i = 0; i < 20; i++) kv.push(0, lib.ones(1e6));
     setImmediate(() => process.exit(7));`,
  );
  t.is(code, 7, `${signal} ${stderr}`);
});

test('a group runs to its end although nobody waits for it', async (t) => {
  const printed = await app(
    t,
    `const group = await lib.launch(${sums}, { devices: 2, args: { seed: 1, keys: 2, rounds: 2 } });
     group.done.then((wrong) => console.log(wrong.join()));`,
  );
  t.is(printed, '0,0');
});

test('a loss that nobody looks at ends the app, one that is looked at does not', async (t) => {
  const start = `const group = await lib.launch(${noProgram}, { devices: 2 });`;
  const { code, stderr } = await runChild(start);
  t.is(code, 1);
  t.true(stderr.includes('was lost'), stderr);
  const seen = `${start} for await (const { type, rank } of group) console.log(type, rank);`;
  t.deepEqual((await app(t, seen)).split('\n').toSorted(), ['lost 0', 'lost 1']);
});

test('a group that is done leaves no thread and no handle', async (t) => {
  const printed = await app(
    t,
    `const gate = lib.ones(1, { dtype: 'int32' });
     const args = { nested: { list: [lib.zeros(1), lib.zeros(1)] }, gate };
     const group = await lib.launch(${sharing}, { devices: 2, args });
     console.log((await group.done).map(({ seen }) => seen).join());
     ${printHeld}`,
  );
  t.is(printed, '0,1\n0 []');
});

test('native_unavailable: without the addon all works but unsharedView', async (t) => {
  const printed = await app(
    t,
    `const kv = await lib.createKVStore('local');
     await kv.init(0, lib.ones(2));
     await kv.setOptimizer('sgd', { lr: 0.5, momentum: 0.5 });
     await kv.push(0, [lib.ones(2), lib.ones(2)]);
     console.log((await kv.pull(0)).toArray());
     try {
       lib.unsharedView(lib.ones(1));
     } catch (error) {
       console.log(error.code, error.message.includes('TENSORKV_NATIVE=off'));
     }
     await kv.close();`,
    { TENSORKV_NATIVE: 'off' },
  );
  t.is(printed, '[ 0, 0 ]\nnative_unavailable true');
});
