// Packs the package as `npm publish` would and checks what is inside.
//
//   node scripts/check-package.mjs
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';

const root = join(import.meta.dirname, '..');
const allowed =
  /^(dist\/(src|actors|native)\/.+\.(js|js\.map|d\.ts)|prebuilds\/[^/]+\/[^/]+\.node)$/;
const always = ['package.json', 'LICENSE', 'README.md', 'CHANGELOG.md'];
const entries = ['dist/src/index', 'dist/src/stress/index'];
const needed = [...always, ...entries.flatMap((entry) => [`${entry}.js`, `${entry}.d.ts`])];
const maxBytes = 8e6;

/** Packs into `folder`; the tarball, and the files in it. */
function pack(folder) {
  const args = ['pack', '--json', '--pack-destination', folder];
  const options = { cwd: root, encoding: 'utf8', shell: process.platform === 'win32' };
  const { status, stdout, stderr } = spawnSync('npm', args, options);
  if (status !== 0) throw new Error(`npm pack failed:\n${stdout}\n${stderr}`);
  // The output of the scripts comes before the JSON.
  const [packed] = Object.values(JSON.parse(stdout.slice(stdout.search(/^[[{]/m))));
  return { tarball: join(folder, packed.filename), files: packed.files };
}

function fileProblems(files) {
  const paths = files.map(({ path }) => path);
  const size = files.reduce((sum, file) => sum + file.size, 0);
  return [
    ...paths
      .filter((path) => !allowed.test(path) && !always.includes(path))
      .map((path) => `${path} does not belong in the package`),
    ...needed
      .filter((path) => !paths.includes(path))
      .map((path) => `${path} is not in the package`),
    ...(size > maxBytes ? [`${size} bytes are more than ${maxBytes}`] : []),
    ...paths.filter((path) => path.endsWith('.js.map')).flatMap(mapProblems),
  ];
}

/** A source map works only with its sources inside: they are not shipped beside it. */
function mapProblems(path) {
  const { sources, sourcesContent } = JSON.parse(readFileSync(join(root, path), 'utf8'));
  if (sourcesContent?.length === sources.length) return [];
  return [`${path} names sources that are not in the package`];
}

/** A binary must be there when it could be built here. */
function addonProblems(files) {
  const built = existsSync(join(root, 'build', 'Release', 'tensorkv.node'));
  const folder = `prebuilds/${process.platform}-${process.arch}/`;
  if (!built || files.some(({ path }) => path.startsWith(folder))) return [];
  return [`${folder} holds no addon`];
}

const folder = mkdtempSync(join(tmpdir(), 'tensorkv-pack-'));
try {
  const { tarball, files } = pack(folder);
  const bytes = readFileSync(tarball);
  const packed = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
  const { messages, pkg } = await publint({ pack: { tarball: packed }, strict: true });
  const problems = [
    ...fileProblems(files),
    ...addonProblems(files),
    ...messages.map((message) => formatMessage(message, pkg, { color: false })),
  ];
  for (const problem of problems) console.error(problem);
  process.exitCode = problems.length > 0 ? 1 : 0;
} finally {
  rmSync(folder, { recursive: true, force: true });
}
