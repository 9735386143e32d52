import { parseArguments } from './cli.js';
import { reportLines } from './report.js';
import { train } from './run.js';
import { UserError } from './user-error.js';

const exitCodes = { done: 0, failed: 1, usage: 2, SIGINT: 130, SIGTERM: 143 } as const;

process.exitCode = await main(process.argv.slice(2));

/** Trains as the arguments say; returns the exit code of the process. */
async function main(args: readonly string[]): Promise<number> {
  const stop = new AbortController();
  let stoppedBy: 'SIGINT' | 'SIGTERM' | undefined;
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    // A second signal ends the process at once.
    process.once(signal, () => {
      stoppedBy = signal;
      stop.abort();
    });
  }
  try {
    const settings = parseArguments(args);
    if ('help' in settings) {
      process.stdout.write(settings.help);
      return exitCodes.done;
    }
    const outcome = await train(settings, process.stdout, stop.signal);
    process.stdout.write(`${reportLines(outcome).join('\n')}\n`);
    return exitCodes.done;
  } catch (error) {
    if (stoppedBy) return exitCodes[stoppedBy];
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`${message.split('\n')[0]}\n`);
    return error instanceof UserError ? exitCodes.usage : exitCodes.failed;
  }
}
