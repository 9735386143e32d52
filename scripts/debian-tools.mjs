// Tools that only some checks need, and the Debian packages that have them.
import { spawnSync } from 'node:child_process';

/** Whether a program can be started. */
export function has(program) {
  return spawnSync('which', [program], { stdio: 'ignore' }).status === 0;
}

/**
 * Installs the packages of those programs that are missing. `packages` maps programs to names of
 * Debian packages. Throws, with what to type, where that cannot be done.
 */
export function ensure(packages) {
  const missing = Object.keys(packages).filter((program) => !has(program));
  if (missing.length === 0) return;
  const names = [...new Set(missing.flatMap((program) => packages[program]))];
  const isRoot = process.getuid?.() === 0;
  const howTo = `apt-get install ${names.join(' ')}`;
  if (!has('apt-get') || !(isRoot || has('sudo'))) {
    throw new Error(`${missing.join(', ')} not installed; on Debian: ${howTo}`);
  }
  const sudo = isRoot ? [] : ['sudo', '-n'];
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const apt = (...args) => {
    const [program, ...rest] = [...sudo, 'apt-get', ...args];
    return spawnSync(program, rest, { encoding: 'utf8', env });
  };
  apt('update', '-qq');
  const { status, stderr } = apt('install', '-y', '-qq', '--no-install-recommends', ...names);
  if (status !== 0) throw new Error(`${howTo} failed: ${stderr.trim().split('\n').at(-1)}`);
}
