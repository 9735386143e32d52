import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { MessagePort } from 'node:worker_threads';
import type { Tensor, Updater } from '../../src/index.js';

/**
 * An updater module that adds what is pushed, and ends the coordinator's thread at a step that its URL
 * names: `at`, a method of a class of `actors`, of `fs` or of `port`; `when` it is called, `before` or
 * `after`; and the how-manieth time. `at=update` is half-way through an update.
 */
const { searchParams } = new URL(import.meta.url);
const at = searchParams.get('at')!;
const when = searchParams.get('when')!;
let left = Number(searchParams.get('count'));

const die = (): never => process.exit(3);

type Methods = Record<string, (this: unknown, ...args: unknown[]) => unknown>;

async function owner(file: string, name: string): Promise<Methods> {
  if (file === 'fs') return fs as unknown as Methods;
  if (file === 'port') return MessagePort.prototype as unknown as Methods;
  const module = (await import(`../../actors/${file}.js`)) as Record<
    string,
    { prototype: Methods }
  >;
  return module[name]!.prototype;
}

if (at !== 'update') {
  const [file, name, method] = at.split('.') as [string, string, string];
  const methods = await owner(file, name);
  const inner = methods[method]!;
  methods[method] = function (...args) {
    const isLast = --left === 0;
    if (isLast && when === 'before') die();
    const result = inner.apply(this, args);
    if (isLast) die();
    return result;
  };
  syncBuiltinESMExports();
}

/** Writes half of the elements, one by one, and is no more. */
function dieHalfWay(stored: Tensor): void {
  for (let i = 0; i < stored.size / 2; i++) stored.data[i] = 1e6;
  die();
}

const add: Updater = (_, input, stored) => {
  if (at === 'update' && --left === 0) dieHalfWay(stored as Tensor);
  stored.add_(input);
};

export default add;
