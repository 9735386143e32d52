import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StepProblem } from '../step/problem.js';
import { OutsideRival } from './outside-rival.js';

/** In the sources, not beside the compiled file. */
const source = join(import.meta.dirname, '..', '..', '..', 'bench', 'rivals', 'openmpi-step.c');

const compiler = 'mpicc.openmpi';
const compilerFlags = ['-O3', '-march=native', '-std=c11', '-D_POSIX_C_SOURCE=200809L'];

const launcher = 'mpirun.openmpi';
const launcherFlags = [
  '-q',
  '--allow-run-as-root',
  // More ranks than cores, on this host alone; a rank that waits lets others run.
  ...['--oversubscribe', '--bind-to', 'none'],
  ...['--mca', 'pml', 'ob1', '--mca', 'btl', 'self,vader', '--mca', 'mpi_yield_when_idle', '1'],
];

/**
 * The step on Open MPI, one process a device: the gradients of all tensors end to end are summed by
 * `MPI_Allreduce`, a bucket at a time, and every process updates its own weights. Undefined where
 * Open MPI or its compiler is not installed.
 */
export async function openMpiSteps({
  length,
  devices,
}: StepProblem): Promise<OutsideRival | undefined> {
  const folder = mkdtempSync(join(tmpdir(), 'tensorkv-openmpi-'));
  try {
    const program = join(folder, 'openmpi-step');
    if (!compile(program)) return undefined;
    const args = [...launcherFlags, '-n', String(devices), program, String(length)];
    return await OutsideRival.start(launcher, args);
  } finally {
    // All processes have it open by now.
    rmSync(folder, { recursive: true });
  }
}

/** Whether there was a compiler. Throws when it failed. */
function compile(program: string): boolean {
  const args = [...compilerFlags, '-o', program, source];
  const { error, status, stderr } = spawnSync(compiler, args, { encoding: 'utf8' });
  if (error && 'code' in error && error.code === 'ENOENT') return false;
  if (error) throw error;
  if (status !== 0) throw new Error(`${compiler} failed: ${stderr}`);
  return true;
}
