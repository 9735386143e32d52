import type { Operation, Violation } from './operation.js';

/** A violation as a drawing of lanes, one a device: where each of its operations begins and ends. */
export interface LaneDrawing {
  readonly title: string;
  readonly message: string;
  /** Of the first call that is drawn, since the history began. */
  readonly startNs: number;
  readonly spanNs: number;
  readonly lanes: readonly Lane[];
}

interface Lane {
  readonly device: number;
  readonly bars: readonly Bar[];
}

/** An operation, from 0 to 1 along the drawing. */
interface Bar {
  readonly label: string;
  readonly kind: Operation['kind'];
  readonly from: number;
  readonly to: number;
  /** Whether its end is not known. */
  readonly isOpen: boolean;
}

const mostShown = 24;
const longestVector = 16;

/** Lays out the operations of a violation. Of a long one the last are drawn. */
export function drawLanes({ rule, key, message, witness }: Violation): LaneDrawing {
  const shown = witness.toSorted((a, b) => a.callNs - b.callNs).slice(-mostShown);
  const startNs = Math.min(...shown.map(({ callNs }) => callNs));
  const times = shown.flatMap(({ callNs, endNs }) => [callNs, endNs]).filter(Number.isFinite);
  const spanNs = Math.max(1, Math.max(...times) - startNs);
  const devices = [...new Set(shown.map(({ device }) => device))].toSorted((a, b) => a - b);
  const lanes = devices.map((device) => ({
    device,
    bars: shown
      .filter((each) => each.device === device)
      .map((each) => ({
        label: labelOf(each),
        kind: each.kind,
        from: (each.callNs - startNs) / spanNs,
        to: Math.min(1, (each.endNs - startNs) / spanNs),
        isOpen: each.endNs === Infinity,
      })),
  }));
  return { title: `key ${key}: ${rule}`, message, startNs, spanNs, lanes };
}

function labelOf(operation: Operation): string {
  const { kind, number, outcome, version, seen, isTorn } = operation;
  if (kind === 'push') return `push #${number}${outcome === 'done' ? '' : ` (${outcome})`}`;
  const elements = [...seen.slice(0, longestVector)].join(' ');
  const rest = seen.length > longestVector ? ' ...' : '';
  const which = version === undefined ? '' : ` v${version}`;
  return `pull${which} [${elements}${rest}]${isTorn ? ' torn' : ''}`;
}
