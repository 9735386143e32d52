import { createKVStore, tensor, zeros, type KVStore, type Tensor } from 'tensorkv';
import { digest, integers, showCount } from './arrays.js';
import { repeatAsync, type Bench, type Variant } from './harness.js';
import { echoes } from './rivals/echo.js';

const key = 'weight';

/** What does a small key cost one caller? */
export const bench: Bench = {
  name: 'single-caller',
  question: 'How long is one push and pull of a small key, against a bare call to another thread?',
  sizes: { smoke: [1024], full: [1024] },
  sizeFor: ({ bytes }) => (bytes === undefined ? undefined : Math.ceil(bytes / 4)),
  figures: (found) => ({
    pushPullUs: found.get('thread: push, then pull')!.medianUs,
    pushpullUs: found.get('thread: pushpull')!.medianUs,
    comlinkUs: found.get('comlink call')!.medianUs,
  }),
  async setup(length) {
    const value = tensor(integers(length, 1));
    const thread = await openStore(value);
    const inline = await openStore(value, 'inline');
    const { comlink, message, close } = echoes();
    return {
      about: `one key of ${showCount(length)} float32, one caller, no updater`,
      baseline: 'comlink call',
      verifyTimes: 2,
      expected: digest([value.data as Float32Array]),
      variants: {
        'comlink call': comlink,
        'message echo': message,
        'thread: pushpull': pushPull(thread, value),
        'thread: push, then pull': pushThenPull(thread, value),
        'inline: pushpull': pushPull(inline, value),
        'inline: push, then pull': pushThenPull(inline, value),
      },
      close: async () => {
        await Promise.all([thread.close(), inline.close(), close()]);
      },
    };
  },
};

async function openStore(value: Tensor, coordinator: 'thread' | 'inline' = 'thread') {
  const kv = await createKVStore('local', { coordinator });
  await kv.init(key, zeros(value.shape));
  return kv;
}

function pushPull(kv: KVStore, value: Tensor): Variant {
  const out = zeros(value.shape);
  return {
    run: repeatAsync(() => kv.pushpull(key, value, { out })),
    check: { answer: () => digest([out.data as Float32Array]) },
  };
}

function pushThenPull(kv: KVStore, value: Tensor): Variant {
  const out = zeros(value.shape);
  return {
    run: repeatAsync(async () => {
      await kv.push(key, value);
      await kv.pull(key, { out });
    }),
    check: { answer: () => digest([out.data as Float32Array]) },
  };
}
