import test from 'ava';
import { checkSums } from '../../src/history/check-sums.js';
import { assignModel, gaveAssigned } from '../../src/history/models.js';
import { reportHtml } from '../../src/history/report-html.js';
import { violationText } from '../../src/history/report-text.js';
import { search } from '../../src/history/search.js';
import { shrink } from '../../src/history/shrink.js';
import { historyOf, ownLanes, type Short } from '../helpers/histories.js';

const lanes = ownLanes(2);

test('a violation is drawn as lanes', (t) => {
  const history = historyOf([0, 'push', 1000, 2000], [1, 'pull', 3000, 5000, [0, 0, 0]]);
  const text = violationText(checkSums(history, lanes)!);
  const [title, message, scale, first, second] = text.split('\n');
  t.is(title, 'key 0: a pull sees every push that was acknowledged before');
  t.is(message, '  expected at least 1 pushes in lane 0, got 0');
  t.regex(scale!, /from 1\.0 us +4\.0 us$/);
  t.regex(first!, /^ {2}device 0 {2}\|-+\| +push #1$/);
  t.regex(second!, /^ {2}device 1 {20,}\|-+\| +pull \[0 0 0\]$/);
  t.true(first!.indexOf('|', first!.indexOf('|') + 1) < second!.indexOf('|'));
});

test('what has no known end is drawn open', (t) => {
  const history = historyOf([0, 'push', 0, Infinity], [1, 'pull', 5, 9, [2, 0, 2]]);
  const text = violationText(checkSums(history, lanes)!);
  t.regex(text, /\|-+> +push #1 \(unknown\)/);
});

test('a report is one page that stands alone', (t) => {
  const history = historyOf([0, 'push', 0, 1], [1, 'pull', 2, 3, [0, 0, 0]]);
  const page = reportHtml('a <run>', ['1 passed & 1 failed'], [checkSums(history, lanes)!]);
  t.regex(page, /<svg [^>]+aria-label="key 0/);
  t.is(page.match(/<rect class="pu(sh|ll)"/g)?.length, 2);
  t.true(page.includes('a &#60;run&#62;') && page.includes('1 passed &#38; 1 failed'));
  t.notRegex(page, /src=|href=/);
});

test('a long wrong history shrinks to the calls that are wrong', (t) => {
  const numbers = Array.from({ length: 100 }, (_, i) => i + 1);
  const pushes = numbers.map((i): Short => [0, 'push', 10 * i, 10 * i + 5]);
  const pulls = numbers.map((i): Short => [1, 'pull', 10 * i + 6, 10 * i + 8, [i, 0, i]]);
  pulls[60] = [1, 'pull', 616, 618, [17, 0, 17]]; // Long replaced.
  const history = historyOf(...pushes, ...pulls);
  const model = assignModel(lanes);
  const short = shrink(history, {
    fails: (each) => search(each, model).isLinearizable === false,
    shows: gaveAssigned,
  });
  t.true(short.length <= 3, `${short.length} operations`);
  t.is(short.find(({ kind }) => kind === 'pull')?.seen[0], 17);
  t.false(search(short, model).isLinearizable);
});
