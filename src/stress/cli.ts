#!/usr/bin/env node
import { stress } from './command.js';
import { usage } from './options.js';

/** The command `tensorkv`. */
const [command, ...args] = process.argv.slice(2);
if (command === 'stress') {
  process.exitCode = await stress(args, {
    result: (line) => process.stdout.write(`${line}\n`),
    progress: (line) => process.stderr.write(`${line}\n`),
  });
} else {
  const isHelp = command === '--help' || command === 'help';
  if (!isHelp && command !== undefined) {
    process.stderr.write(`expected the command stress, got ${command}\n`);
  }
  process[isHelp ? 'stdout' : 'stderr'].write(usage);
  process.exitCode = isHelp ? 0 : 2;
}
