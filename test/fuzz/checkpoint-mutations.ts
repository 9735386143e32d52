import { hash } from 'node:crypto';
import type { Random } from '../helpers/random.js';

/** The parts of a safetensors file. */
interface Parts {
  readonly header: string;
  readonly data: Buffer;
}

const lengthBytes = 8;
const odd = ['-1', '0.5', '1e999', '9007199254740993', 'null', '"x"', '[]', '{}', 'true', '""'];

function split(file: Buffer): Parts {
  const end = lengthBytes + Number(file.readBigUint64LE(0));
  return { header: file.toString('utf8', lengthBytes, end), data: file.subarray(end) };
}

function join({ header, data }: Parts): Buffer {
  const length = Buffer.byteLength(header);
  const file = Buffer.allocUnsafe(lengthBytes + length + data.length);
  file.writeBigUint64LE(BigInt(length), 0);
  file.write(header, lengthBytes);
  file.set(data, lengthBytes + length);
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
function sealed(file: Buffer): Buffer {
  const { header, data } = split(file);
  const at = header.search(/"sha256":"[^"]*"/);
  if (at < 0) return file;
  const start = at + '"sha256":"'.length;
  const write = (digest: string): Buffer =>
    join({
      header: header.slice(0, start) + digest + header.slice(header.indexOf('"', start)),
      data,
    });
  const blank = write('0'.repeat(64));
  return write(hash('sha256', blank.subarray(0, blank.length - data.length)));
}

/** One change to a file: to its bytes, or to what its header says. */
function mutateOnce(random: Random, file: Buffer): Buffer {
  const inHeader = (change: (header: string) => string): Buffer => {
    const parts = split(file);
    return join({ ...parts, header: change(parts.header) });
  };
  const number = (): string =>
    random.chance(0.4) ? random.pick(odd) : String(random.integer(random.pick([4, 100, 2 ** 31])));
  switch (random.integer(9)) {
    case 0: {
      const changed = Buffer.from(file);
      changed[random.integer(file.length)]! ^= 1 << random.integer(8);
      return changed;
    }
    case 1:
      return file.subarray(0, random.integer(file.length + 1));
    case 2:
      return Buffer.concat([file], file.length + 1 + random.integer(64));
    case 3: {
      const changed = Buffer.from(file);
      const length = random.pick([0n, 1n, 2n ** 63n, 2n ** 64n - 1n, BigInt(file.length)]);
      changed.writeBigUint64LE(length, 0);
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
export function mutate(random: Random, file: Buffer): Buffer {
  if (random.chance(0.02)) {
    return Buffer.from(Array.from({ length: random.integer(200) }, () => random.integer(256)));
  }
  let changed = file;
  for (let count = 1 + random.integer(3); count > 0; count--) {
    // What was cut before its header ends has no parts any more.
    if (changed.length < file.length / 2) break;
    changed = headerFits(changed) ? mutateOnce(random, changed) : changed.subarray(1);
  }
  return headerFits(changed) && random.chance(0.9) ? sealed(changed) : changed;
}

function headerFits(file: Buffer): boolean {
  return file.length >= lengthBytes && file.readBigUint64LE(0) <= BigInt(file.length - lengthBytes);
}
