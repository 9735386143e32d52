import { createHash } from 'node:crypto';
import type { Random } from '../helpers/random.js';

/** The parts of a safetensors file. */
interface Parts {
  readonly header: string;
  readonly data: Uint8Array;
}

const lengthBytes = 8;
const odd = ['-1', '0.5', '1e999', '9007199254740993', 'null', '"x"', '[]', '{}', 'true', '""'];

function split(file: Uint8Array): Parts {
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  const header = new TextDecoder().decode(file.subarray(lengthBytes, lengthBytes + length));
  return { header, data: file.subarray(lengthBytes + length) };
}

function join({ header, data }: Parts): Uint8Array {
  const text = new TextEncoder().encode(header);
  const file = new Uint8Array(lengthBytes + text.length + data.length);
  new DataView(file.buffer).setBigUint64(0, BigInt(text.length), true);
  file.set(text, lengthBytes);
  file.set(data, lengthBytes + text.length);
  return file;
}

/** Replaces one match of `pattern` in `text`, whichever. */
function replaceOne(random: Random, text: string, pattern: RegExp, by: () => string): string {
  const matches = [...text.matchAll(pattern)];
  if (matches.length === 0) return text;
  const { index, 0: found } = random.pick(matches);
  return text.slice(0, index) + by() + text.slice(index + found.length);
}

/** Gives a changed header the digest of its own: then it is looked at, and not refused for that alone. */
function sealed(file: Uint8Array): Uint8Array {
  const parts = split(file);
  const zeros = '0'.repeat(64);
  const digest = /"sha256":"[^"]*"/;
  const blank = join({ ...parts, header: parts.header.replace(digest, `"sha256":"${zeros}"`) });
  const guarded = blank.subarray(0, blank.length - parts.data.length);
  const actual = createHash('sha256').update(guarded).digest('hex');
  return join({ ...parts, header: split(blank).header.replace(zeros, actual) });
}

/** One change to a file: to its bytes, or to what its header says. */
function mutateOnce(random: Random, file: Uint8Array): Uint8Array {
  const inHeader = (change: (header: string) => string): Uint8Array => {
    const parts = split(file);
    return join({ ...parts, header: change(parts.header) });
  };
  const number = (): string =>
    random.chance(0.4) ? random.pick(odd) : String(random.integer(random.pick([4, 100, 2 ** 31])));
  switch (random.integer(9)) {
    case 0: {
      const changed = Uint8Array.from(file);
      changed[random.integer(file.length)]! ^= 1 << random.integer(8);
      return changed;
    }
    case 1:
      return file.slice(0, random.integer(file.length + 1));
    case 2: {
      const longer = new Uint8Array(file.length + 1 + random.integer(64));
      longer.set(file);
      return longer;
    }
    case 3: {
      const changed = Uint8Array.from(file);
      const length = random.pick([0n, 1n, 2n ** 63n, 2n ** 64n - 1n, BigInt(file.length)]);
      if (changed.length >= lengthBytes) {
        new DataView(changed.buffer).setBigUint64(0, length, true);
      }
      return changed;
    }
    case 4:
      return inHeader((header) => replaceOne(random, header, /\d+/g, number));
    case 5:
      return inHeader((header) =>
        replaceOne(random, header, /"[^"]*"/g, () => random.pick([...odd, '"__proto__"', '"F32"'])),
      );
    case 6:
      return inHeader((header) => replaceOne(random, header, /\\"[^"\\]*\\"/g, () => '\\"a\\"'));
    case 7:
      return inHeader((header) => replaceOne(random, header, /[{}[\],:]/g, () => ''));
    default:
      return inHeader(
        (header) => header.replace(/\s*$/, '').slice(0, -1) + ',"x":' + number() + '}',
      );
  }
}

/** A file with some changes, or nothing but noise. */
export function mutate(random: Random, file: Uint8Array): Uint8Array {
  if (random.chance(0.02)) {
    return Uint8Array.from({ length: random.integer(200) }, () => random.integer(256));
  }
  let changed = file;
  for (let count = 1 + random.integer(3); count > 0; count--) {
    // What was cut before its header ends has no parts any more.
    if (changed.length < file.length / 2) break;
    changed = headerFits(changed) ? mutateOnce(random, changed) : changed.slice(1);
  }
  return headerFits(changed) && random.chance(0.9) ? sealed(changed) : changed;
}

function headerFits(file: Uint8Array): boolean {
  if (file.length < lengthBytes) return false;
  const length = new DataView(file.buffer, file.byteOffset).getBigUint64(0, true);
  return length <= BigInt(file.length - lengthBytes);
}
