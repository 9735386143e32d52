import test from 'ava';
import { InlineGroup } from '../helpers/inline-group.js';
import { ones, zeros } from '../../src/index.js';
import type { FromCoordinator, RequestBody, ToCoordinator } from '../../src/core/protocol.js';

test('D6: a request that comes twice is applied once; of a new incarnation it counts anew', async (t) => {
  const group = await InlineGroup.open(t, { workers: 2, type: 'dist_async', onDeath: 'restart' });
  const [first] = group.stores;
  await group.finish(first!.init(0, zeros(1)));
  await group.finish(first!.setOptimizer('sgd', { lr: 1 }));
  const push: RequestBody = { type: 'push', push: [{ key: 0, tensors: [ones(1)] }] };
  const asked: ToCoordinator = { ...push, id: 7, deadlineMs: Infinity };
  const heard: FromCoordinator[] = [];
  const start = (): ReturnType<typeof group.coordinator.link> => {
    const link = group.coordinator.link(1);
    link.listen((batch) => heard.push(...batch));
    return link;
  };
  const link = start();
  for (let i = 0; i < 3; i++) link.post([asked]);
  await group.drain();
  t.is(first!.stats().updates, 1);
  t.deepEqual(heard, [{ type: 'done', id: 7 }]);

  group.coordinator.depart(1, 'a fault', true);
  const next = start();
  group.coordinator.join(1);
  next.post([asked]);
  next.post([asked]);
  await group.drain();
  t.is(first!.stats().updates, 2);
});
