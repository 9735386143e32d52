import type { PlaneOptions } from '../actors/plane.js';
import type { StoreType } from './core/types.js';

/** What a store hears from its plane. */
export type PlaneHandlers = Pick<PlaneOptions, 'onUpdate' | 'onNotice'>;

/** What a store is, fixed when it is made. */
export interface StoreIdentity {
  readonly type: StoreType;
  readonly rank: number;
  readonly devices: number | undefined;
  readonly status: SharedArrayBuffer;
  /** Whether tensors of open calls are watched, see `InFlight`. */
  readonly debug: boolean;
}
