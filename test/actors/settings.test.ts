import test from 'ava';
import { checkpointFiles } from '../../actors/checkpoint-file.js';
import { Coordinator } from '../../actors/coordinator.js';
import type { LoadedModule } from '../../actors/coordinator-needs.js';
import { kernels } from '../../native/kernels.js';
import { statusBytes } from '../../src/core/layout.js';
import type { FromCoordinator, RequestBody } from '../../src/core/protocol.js';
import { zeros } from '../../src/index.js';

/** A coordinator of two devices whose updater modules load when the test says so. */
class Bench {
  readonly loads: ((outcome: LoadedModule) => void)[] = [];
  readonly coordinator: Coordinator;
  readonly #sent: (readonly [rank: number, message: FromCoordinator])[] = [];
  #lastId = 0;

  constructor() {
    const options = {
      workers: 2,
      consistency: 'sync',
      compression: 'none',
      onDeath: 'abort',
      memoryLimit: 1e6,
      status: new SharedArrayBuffer(statusBytes),
    } as const;
    this.coordinator = new Coordinator(options, {
      kernels,
      send: (to, message) => this.#sent.push([to, message]),
      loadModule: (_, __, loaded) => this.loads.push(loaded),
      files: checkpointFiles,
    });
  }

  /** Sends a request of `rank`; returns its number. */
  ask(rank: number, body: RequestBody, deadlineMs = Infinity): number {
    const id = ++this.#lastId;
    this.coordinator.receive(rank, [{ ...body, id, deadlineMs }]);
    return id;
  }

  /** What became of a request so far. */
  outcome(asked: number): string {
    const answers = this.#sent.flatMap(([, message]) =>
      'id' in message && message.id === asked ? [message] : [],
    );
    return answers.map((each) => (each.type === 'failed' ? each.failure.code : each.type)).join();
  }

  /** Which updater made the last version of key 0: pushes of both devices are sent. */
  pushBoth(): void {
    const push = [{ key: 0, tensors: [zeros(1)] }];
    for (const rank of [0, 1]) this.ask(rank, { type: 'push', push });
  }
}

const module = (url: string): RequestBody => ({
  type: 'setUpdater',
  updater: { kind: 'module', url },
});
const assign: RequestBody = { type: 'setUpdater', updater: { kind: 'assign' } };

test('a module that loads after its deadline is not taken for the next one', (t) => {
  const bench = new Bench();
  bench.ask(0, { type: 'init', values: [{ key: 0, tensors: [zeros(1)] }] });
  const ran: string[] = [];
  const first = bench.ask(0, module('test:first'), 10);
  const second = bench.ask(0, module('test:second'));
  t.is(bench.loads.length, 1, 'the second setting waits for the first');
  bench.coordinator.tick(10);
  t.is(bench.outcome(first), 'timeout');
  t.is(bench.loads.length, 2);

  bench.loads[0]!({ exported: () => void ran.push('first') });
  t.is(bench.outcome(second), '');
  bench.loads[1]!({ exported: () => void ran.push('second') });
  t.is(bench.outcome(second), 'done');
  bench.pushBoth();
  t.deepEqual(ran, ['second']);
});

test('each follower hears of its own setting when the first one fails late', (t) => {
  const bench = new Bench();
  const own = [bench.ask(0, module('test:first'), 10), bench.ask(0, assign)];
  const follow = [bench.ask(1, assign), bench.ask(1, assign)];
  bench.coordinator.tick(10);
  t.deepEqual(
    own.map((id) => bench.outcome(id)),
    ['timeout', 'done'],
  );
  t.deepEqual(
    follow.map((id) => bench.outcome(id)),
    ['timeout', 'done'],
  );
});

test('a module that fails to load fails the setting of everyone and no more', (t) => {
  const bench = new Bench();
  const follow = bench.ask(1, assign);
  const own = bench.ask(0, module('test:bad'));
  const behind = bench.ask(0, { type: 'init', values: [{ key: 0, tensors: [zeros(1)] }] });
  t.is(bench.outcome(behind), '');
  bench.loads[0]!({ failure: { code: 'bad_updater', message: 'no function' } });
  t.is(bench.outcome(own), 'bad_updater');
  t.is(bench.outcome(follow), 'bad_updater');
  t.is(bench.outcome(behind), 'done');
});

test('a module that loads after its device has gone changes nothing', (t) => {
  for (const end of ['depart', 'leave'] as const) {
    const bench = new Bench();
    const own = bench.ask(0, module('test:late'));
    const follow = bench.ask(1, assign);
    if (end === 'depart') bench.coordinator.depart(0, 'a fault');
    else bench.ask(0, { type: 'leave' });
    t.is(bench.outcome(own), end === 'depart' ? '' : 'closed');
    t.is(bench.outcome(follow), end === 'depart' ? 'peer_dead' : 'closed');
    bench.loads[0]!({ exported: () => t.fail('an updater that nobody set') });
    t.is(bench.outcome(follow).includes(','), false, 'one request, one answer');
  }
});
