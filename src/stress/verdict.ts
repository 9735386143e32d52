import { checkRounds } from '../history/check-rounds.js';
import { checkStaleness } from '../history/check-staleness.js';
import { checkSums } from '../history/check-sums.js';
import { checkVersions } from '../history/check-versions.js';
import { assignModel, gaveAssigned, sumModel } from '../history/models.js';
import { byKey, type Operation, type Violation } from '../history/operation.js';
import { checkReplay, type UpdateLog } from '../history/replay.js';
import { search, type Model } from '../history/search.js';
import { shrink, type Shrinking } from '../history/shrink.js';
import { logUpdate, readLog, type LogMemory } from './rules.js';
import { stressTypes, type Plan, type Scenario } from './scenario.js';

/** Histories of a key up to this long are searched too, whatever else checks them. */
const alwaysSearched = 1500;

/** Everything that a run's history breaks, a violation a key at most. */
export function judge(
  history: readonly Operation[],
  run: { readonly scenario: Scenario; readonly plan: Plan; readonly log: LogMemory | undefined },
): Violation[] {
  const { scenario, plan, log } = run;
  const logs = log === undefined ? undefined : readLog(log);
  return [...byKey(history)].flatMap(([key, those]) => {
    const found =
      logs === undefined
        ? judgeKey(those, scenario, plan)
        : judgeLogged(those, logs.get(key) ?? { key, inputs: [] }, { scenario, plan });
    return found ?? [];
  });
}

function judgeKey(
  history: readonly Operation[],
  { type, rule, onDeath, faults }: Scenario,
  { lanes, staleness, outlasts }: Plan,
): Violation | undefined {
  const { order } = stressTypes[type];
  const hasRounds = order === 'rounds';
  if (!hasRounds && rule === 'assign') {
    return searched(history, assignModel(lanes), gaveAssigned);
  }
  const dies = outlasts || faults.some((fault) => fault !== 'stall');
  return (
    checkSums(history, lanes) ??
    (hasRounds ? checkRounds(history, lanes) : undefined) ??
    (order === 'bounded' ? checkStaleness(history, lanes, staleness) : undefined) ??
    (hasRounds && dies && onDeath === 'abort' ? checkWhole(history, lanes) : undefined) ??
    (history.length <= alwaysSearched ? searched(history, sumModel(lanes)) : undefined)
  );
}

function searched<State>(
  history: readonly Operation[],
  model: Model<State>,
  shows?: Shrinking['shows'],
): Violation | undefined {
  const { isLinearizable } = search(history, model);
  if (isLinearizable !== false) return undefined;
  const fails = (part: readonly Operation[]): boolean =>
    search(part, model).isLinearizable === false;
  return {
    rule: 'some order of all calls explains every pull',
    key: history[0]!.key,
    message: 'expected an order of calls that explains these pulls, got none',
    witness: shrink(history, { fails, ...(shows === undefined ? {} : { shows }) }),
  };
}

/** Where a death ends the rounds, no version holds a part of one. */
function checkWhole(
  history: readonly Operation[],
  { count, ofDevice }: Plan['lanes'],
): Violation | undefined {
  const sizes = Array.from(
    { length: count },
    (_, lane) => ofDevice.flat().filter((each) => each === lane).length,
  );
  for (const pull of history) {
    if (pull.kind !== 'pull' || pull.outcome !== 'done') continue;
    const rounds = sizes.map((size, lane) => pull.seen[lane]! / size);
    if (rounds.every((each) => each === rounds[0])) continue;
    return {
      rule: 'a round is whole or not at all',
      key: pull.key,
      message: `expected one number of rounds in every lane, got ${rounds.join(' ')}`,
      witness: [pull],
    };
  }
  return undefined;
}

/** Pulls that name their version, of an updater that logged what it was given. */
function judgeLogged(
  history: readonly Operation[],
  log: UpdateLog,
  { scenario, plan }: { readonly scenario: Scenario; readonly plan: Plan },
): Violation | undefined {
  const replay = { initial: new Float32Array(plan.width), update: logUpdate };
  const wrong = checkReplay(history, log, replay);
  if (wrong !== undefined || stressTypes[scenario.type].order !== 'rounds') {
    return wrong ?? checkVersions(history);
  }
  const { lanes } = plan;
  const inLanes = history.map((each) => ({ ...each, seen: vectorOf(each, lanes) }));
  return checkSums(inLanes, lanes) ?? checkRounds(inLanes, lanes);
}

/** What a pull would have shown of a store that adds: a version is a round. */
function vectorOf({ kind, version }: Operation, { count, ofDevice }: Plan['lanes']): Float32Array {
  if (kind === 'push') return new Float32Array(0);
  const vector = new Float32Array(count + 1);
  for (const lane of ofDevice.flat()) {
    vector[lane]! += version ?? Number.NaN;
    vector[count]! += version ?? Number.NaN;
  }
  return vector;
}
