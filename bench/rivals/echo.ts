import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads';
import { remote, serve } from '../../actors/rpc.js';
import { repeatAsync, type Variant } from '../harness.js';

/**
 * The least that a call to another thread can cost: a number there and the same number back, by a
 * comlink call and by a bare message. No tensor is summed, updated or copied.
 */

/** What the worker serves. */
interface EchoApi {
  echo(x: number): number;
}

/** A call that is answered with what it was given. */
type Echo = (x: number) => Promise<number>;

/** Starts the worker of both echoes. */
export function echoes(): {
  readonly comlink: Variant;
  readonly message: Variant;
  close(): Promise<void>;
} {
  const { port1: near, port2: far } = new MessageChannel();
  const entry = new URL('./echo-thread.js', import.meta.url);
  const worker = new Worker(entry, { workerData: far, transferList: [far] });
  const api = remote<EchoApi>(worker);
  return {
    comlink: echoVariant((x) => api.echo(x)),
    message: echoVariant(messageEcho(near)),
    close: async () => {
      near.close();
      await worker.terminate();
    },
  };
}

/** The worker: answers on both ports. */
export function runEchoWorker(calls: MessagePort, messages: MessagePort): void {
  const api: EchoApi = { echo: (x) => x };
  serve(api, calls);
  messages.on('message', (x: number) => messages.postMessage(x));
}

function messageEcho(port: MessagePort): Echo {
  let answer: (x: number) => void = () => undefined;
  port.on('message', (x: number) => answer(x));
  return (x) =>
    new Promise((resolve) => {
      answer = resolve;
      port.postMessage(x);
    });
}

function echoVariant(echo: Echo): Variant {
  let sent = 0;
  let received = 0;
  return {
    run: repeatAsync(async () => (received = await echo((sent += 1)))),
    check: { holds: () => sent > 0 && received === sent },
  };
}
