/** Every failure a caller can meet. Programs match on these, people read the message. */
export const errorCodes = [
  'unknown_type',
  'unknown_key',
  'duplicate_key',
  'mixed_key_types',
  'bad_key_type',
  'length_mismatch',
  'shape_mismatch',
  'dtype_mismatch',
  'stype_mismatch',
  'row_id_out_of_range',
  'bad_updater',
  'updater_error',
  'updater_required',
  'unknown_optimizer',
  'bad_optimizer',
  'no_optimizer',
  'scheduler_owns_lr',
  'unsupported',
  'bad_compression',
  'unknown_capability',
  'bad_checkpoint',
  'memory_limit',
  'queue_full',
  'timeout',
  'peer_dead',
  'closed',
  'native_unavailable',
  'cuda_unavailable',
  'bad_argument',
] as const;

/** One of `errorCodes`. */
export type ErrorCode = (typeof errorCodes)[number];

/** What a failure concerns, beside its code and sentence. */
export interface ErrorContext {
  readonly key?: string | number | undefined;
  readonly rank?: number | undefined;
  readonly cause?: unknown;
}

/** A failure as plain data: `postMessage` drops the `code` of an Error, so threads send these. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  readonly key?: string | number;
  readonly rank?: number;
  readonly cause?: string;
}

/** The one error class of the library: the message says what was expected and what came. */
export class KVStoreError extends Error {
  override readonly name = 'KVStoreError';
  readonly code: ErrorCode;
  readonly key?: string | number;
  readonly rank?: number;

  constructor(code: ErrorCode, message: string, context: ErrorContext = {}) {
    super(message, context.cause === undefined ? undefined : { cause: context.cause });
    this.code = code;
    if (context.key !== undefined) this.key = context.key;
    if (context.rank !== undefined) this.rank = context.rank;
  }
}

/** The error as data, ready to cross a thread. Anything thrown is accepted. */
export function toFailure(thrown: unknown, fallback: ErrorCode = 'bad_argument'): Failure {
  if (!(thrown instanceof KVStoreError)) return { code: fallback, message: describe(thrown) };
  return {
    code: thrown.code,
    message: thrown.message,
    ...(thrown.key === undefined ? {} : { key: thrown.key }),
    ...(thrown.rank === undefined ? {} : { rank: thrown.rank }),
    ...(thrown.cause === undefined ? {} : { cause: describe(thrown.cause) }),
  };
}

/** The error that `failure` describes, with a stack of this thread. */
export function fromFailure(failure: Failure): KVStoreError {
  return new KVStoreError(failure.code, failure.message, failure);
}

/** The same error with the stack from here: what another thread or a timer made knows nothing of the caller. */
export function placed(error: unknown): unknown {
  return error instanceof KVStoreError ? new KVStoreError(error.code, error.message, error) : error;
}

/** A thrown value in words: `TypeError: x is not a function`, or the value itself. */
export function describe(thrown: unknown): string {
  if (thrown instanceof Error) return `${thrown.name}: ${thrown.message}`;
  return typeof thrown === 'string' ? thrown : show(thrown);
}

/** A value as an error message shows it: strings quoted, long ones cut, objects by their class. */
export function show(value: unknown): string {
  if (typeof value === 'string') {
    return JSON.stringify(value.length > 60 ? `${value.slice(0, 57)}...` : value);
  }
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return `a function ${value.name}`.trimEnd();
  if (Array.isArray(value)) return `an array of ${value.length}`;
  if (typeof value === 'object' && value !== null) {
    const name = (Object.getPrototypeOf(value) as object | null)?.constructor?.name ?? 'Object';
    return `a value of class ${name}`;
  }
  return String(value);
}

/** A key as an error message shows it: `key 3`, `key "bias"`. */
export function showKey(key: unknown): string {
  return `key ${show(key)}`;
}
