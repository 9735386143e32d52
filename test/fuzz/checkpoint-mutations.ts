import { hash } from 'node:crypto';
import type { Random } from '../helpers/random.js';

/** The parts of a safetensors file. */
interface Parts {
  readonly header: string;
  readonly data: Buffer;
}

const lengthBytes = 8;
const odd = ['-1', '0.5', '1e999', '9007199254740993', 'null', '"x"', '[]', '{}', 'true', '""'];
const oddStrings = [...odd, '"__proto__"', '"F32"'];

function split(file: Buffer): Parts {
  const end = lengthBytes + Number(file.readBigUint64LE(0));
  return { header: file.toString('utf8', lengthBytes, end), data: file.subarray(end) };
}

function join({ header, data }: Parts): Buffer {
  const length = Buffer.byteLength(header);
  const file = Buffer.allocUnsafe(lengthBytes + length + data.length);
  file.writeUInt32LE(length, 0);
  file.writeUInt32LE(0, 4);
  file.write(header, lengthBytes);
  file.set(data, lengthBytes + length);
  return file;
}

/** Whether there is a whole header: what was cut before its end has no parts any more. */
function headerFits(file: Buffer): boolean {
  if (file.length < lengthBytes) return false;
  return file.readUInt32LE(0) + 2 ** 32 * file.readUInt32LE(4) <= file.length - lengthBytes;
}

const ends: number[] = [];

/** Replaces one match of `pattern` in `text`, whichever. */
function replaceOne(random: Random, text: string, pattern: RegExp, by: () => string): string {
  // Where matches end costs much less than matches.
  let count = 0;
  pattern.lastIndex = 0;
  while (pattern.test(text)) ends[count++] = pattern.lastIndex;
  if (count === 0) return text;
  const which = random.integer(count);
  pattern.lastIndex = which === 0 ? 0 : ends[which - 1]!;
  const { index } = pattern.exec(text)!;
  return text.slice(0, index) + by() + text.slice(ends[which]);
}

const digestField = /"sha256":"[^"]*"/;
const noDigest = '0'.repeat(64);

/**
 * A file whose changed header has the digest of its own: then it is looked at, and not refused for that
 * alone. Undefined where it has none.
 */
function sealed({ header, data }: Parts): Buffer | undefined {
  const at = header.search(digestField);
  if (at < 0) return undefined;
  const before = header.slice(0, at + '"sha256":"'.length);
  const after = header.slice(header.indexOf('"', before.length));
  const file = join({ header: before + noDigest + after, data });
  const digest = hash('sha256', file.subarray(0, file.length - data.length));
  file.write(digest, lengthBytes + Buffer.byteLength(before), 'latin1');
  return file;
}

const numbers = /\d+/g;
const strings = /"[^"]*"/g;
const quotedStrings = /\\"[^"\\]*\\"/g;
const punctuation = /[{}[\],:]/g;

/** One change to what a header says. */
function mutateHeader(random: Random, kind: number, header: string): string {
  const number = (): string =>
    random.chance(0.4) ? random.pick(odd) : String(random.integer(random.pick([4, 100, 2 ** 31])));
  switch (kind) {
    case 4:
      return replaceOne(random, header, numbers, number);
    case 5:
      return replaceOne(random, header, strings, () => random.pick(oddStrings));
    case 6:
      return replaceOne(random, header, quotedStrings, () => '\\"a\\"');
    case 7:
      return replaceOne(random, header, punctuation, () => '');
    default:
      return header.trimEnd().slice(0, -1) + ',"x":' + number() + '}';
  }
}

/** One change to the bytes of a file. */
function mutateBytes(random: Random, kind: number, file: Buffer): Buffer {
  switch (kind) {
    case 0: {
      const changed = Buffer.from(file);
      changed[random.integer(file.length)]! ^= 1 << random.integer(8);
      return changed;
    }
    case 1:
      return file.subarray(0, random.integer(file.length + 1));
    case 2:
      return Buffer.concat([file], file.length + 1 + random.integer(64));
    default: {
      const changed = Buffer.from(file);
      const length = random.pick([0n, 1n, 2n ** 63n, 2n ** 64n - 1n, BigInt(file.length)]);
      changed.writeBigUint64LE(length, 0);
      return changed;
    }
  }
}

/** A file with some changes, or nothing but noise. */
export function mutate(random: Random, file: Buffer): Buffer {
  if (random.chance(0.02)) {
    return Buffer.from(Array.from({ length: random.integer(200) }, () => random.integer(256)));
  }
  let changed = file;
  /** What `changed` is to be made of, once its header has been changed. */
  let parts: Parts | undefined;
  for (let count = 1 + random.integer(3); count > 0; count--) {
    // What was cut short is changed no more.
    if (parts === undefined && changed.length < file.length / 2) break;
    if (parts === undefined && !headerFits(changed)) {
      changed = changed.subarray(1);
      continue;
    }
    const kind = random.integer(9);
    if (kind < 4) {
      if (parts !== undefined) changed = join(parts);
      parts = undefined;
      changed = mutateBytes(random, kind, changed);
    } else {
      const { header, data }: Parts = parts ?? split(changed);
      parts = { header: mutateHeader(random, kind, header), data };
    }
  }
  if (parts === undefined && !headerFits(changed)) return changed;
  const whole = random.chance(0.9) ? sealed(parts ?? split(changed)) : undefined;
  return whole ?? (parts === undefined ? changed : join(parts));
}
