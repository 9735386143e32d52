import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { ExecutionContext } from 'ava';

/** A folder of its own, which is gone when the test ends. */
export function temporaryFolder(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'tensorkv-'));
  t.teardown(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The URL of a module with this text, which is gone when the test ends. */
export function temporaryModule(t: ExecutionContext, text: string): URL {
  const path = join(temporaryFolder(t), 'module.mjs');
  writeFileSync(path, text);
  return pathToFileURL(path);
}
