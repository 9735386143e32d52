import { on } from 'node:events';
import { setTimeout } from 'node:timers/promises';
import { MessageChannel, type MessagePort } from 'node:worker_threads';
import type { BoundMessage } from '../../actors/bindings.js';
import { hostCoordinator } from '../../actors/coordinator-host.js';
import { statusBytes } from '../../src/core/layout.js';
import type { DeviceArray } from '../../src/core/device-array.js';
import type { FromCoordinator } from '../../src/core/protocol.js';
import { arrayOf, type TensorHandle } from '../../src/core/tensor.js';
import { zeros } from '../../src/index.js';
import { first, isThere, serialCudaTest as test } from '../helpers/cuda.js';

/** Posts a barrier behind `messages`, and waits until it has been answered. */
async function post(port: MessagePort, messages: readonly BoundMessage[]): Promise<void> {
  const message = { type: 'barrier', id: 1, deadlineMs: Infinity } as const;
  port.postMessage([...messages, { type: 'message', message, groups: {} }]);
  for await (const [batch] of on(port, 'message') as AsyncIterable<[FromCoordinator[]]>) {
    if (batch.some(({ type }) => type === 'done')) return;
  }
}

test('what an earlier incarnation has bound on a device is given back when its port closes', async (t) => {
  const control = hostCoordinator(
    {
      ...{ workers: 1, consistency: 'sync', compression: 'none', onDeath: 'restart' },
      ...{ memoryLimit: 1e6, status: new SharedArrayBuffer(statusBytes) },
    },
    () => undefined,
  );
  const ports: MessagePort[] = [];
  t.teardown(() => {
    control.stop();
    for (const port of ports) port.close();
  });
  const connect = (): MessagePort => {
    const { port1, port2 } = new MessageChannel();
    control.join(0, port2, new SharedArrayBuffer(8));
    ports.push(port1);
    return port1;
  };
  const bind = async (port: MessagePort): Promise<number> => {
    const { shape, dtype, device, ...rest } = zeros([1000], { device: first }).handle();
    const tensor: TensorHandle = { shape, dtype, device, ...rest };
    await post(port, [{ type: 'bind', bindings: [{ number: 1, tensor }] }]);
    return (arrayOf(tensor) as DeviceArray).id;
  };
  const old = connect();
  const id = await bind(old);
  control.depart(0, 'the test says so', true);
  const next = connect();
  await post(next, []);
  t.true(isThere(id), 'nobody has looked for it');
  old.close();
  for (let look = 0; isThere(id) && look < 500; look++) await setTimeout(10);
  t.false(isThere(id));
});
