import test from 'ava';
import { deaths, smallHeap, type Death } from '../helpers/deaths.js';
import { program, runChild } from '../helpers/workers.js';

const dying = (how: Death): string => `${program('updater-dies').href}?how=${how}`;
/** An update that throws later has been applied, and its push may have been answered. */
const ends = (how: Death): RegExp =>
  how === 'throw' ? /^(done|peer_dead|bad_checkpoint)$/ : /^peer_dead$/;

const types = ['local', 'device', 'dist_sync', 'dist_async', 'dist_ssp', 'dist_device_sync'];

/** Nothing but its open calls keeps this app. */
const app = (how: Death, of: readonly string[]): string => `
  for (const type of ${JSON.stringify(of)}) {
    const kv = await lib.createKVStore(type);
    await kv.init(0, lib.ones(4));
    const view = await kv.pull(0, { view: true });
    await kv.setUpdater('${dying(how)}');
    const calls = [kv.push(0, lib.ones(4)), kv.pull(0), kv.barrier(), kv.save('/nowhere/nothing')];
    const ends = await Promise.allSettled(calls);
    console.log(...ends.map(({ reason }) => reason?.code ?? 'done'), view.data.join());
    console.log(await kv.pull(0).catch(({ code, message }) => code + ' ' + message));
    await kv.close();
  }`;

for (const how of deaths) {
  test.serial(`D6: calls of all types end when the coordinator dies by ${how}`, async (t) => {
    const of = how === 'heap' ? types.slice(-2) : types; // To fill a heap takes a while.
    const { code, stdout, stderr } = await runChild(app(how, of), smallHeap);
    t.is(code, 0, stdout + stderr);
    const lines = stdout.trim().split('\n');
    t.is(lines.length, 2 * of.length, stdout);
    for (let i = 0; i < lines.length; i += 2) {
      const codes = lines[i]!.split(' ');
      t.is(codes.pop(), '1,1,1,1');
      for (const each of codes) t.regex(each, ends(how));
      t.regex(lines[i + 1]!, /^peer_dead the store's coordinator thread .*(fault|code 3|memory)/);
    }
  });
}

for (const how of deaths) {
  for (const blocks of [false, true]) {
    const calls = blocks ? 'blocking' : 'awaited';
    test.serial(
      `D6: ${calls} calls of all devices end when the coordinator dies by ${how}`,
      async (t) => {
        const args = JSON.stringify({ module: dying(how), blocks });
        const child = await runChild(
          `const group = await lib.launch('${program('bereaved').href}', { devices: 2, args: ${args} });
         for await (const { type, data } of group) if (type === 'report') console.log(data.join(' '));
         await group.done.catch(({ code, message }) => console.log(code, message));`,
          smallHeap,
        );
        t.is(child.code, 0, child.stdout + child.stderr);
        const lines = child.stdout.trim().split('\n');
        t.is(lines.length, 3, child.stdout);
        for (const line of lines.slice(0, 2)) {
          const codes = line.split(' ');
          for (const each of codes.slice(0, 2)) t.regex(each, ends(how));
          t.deepEqual(codes.slice(2), ['peer_dead', 'peer_dead', '1,1,1,1']);
        }
        t.regex(lines[2]!, /^peer_dead the group's coordinator .*(fault|code 3|memory)/);
      },
    );
  }
}
