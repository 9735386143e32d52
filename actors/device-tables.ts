import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads';
import type { FromCoordinator, Rank, ToCoordinator, WireTensor } from '../src/core/protocol.js';
import { BindingTable, type BoundMessage } from './bindings.js';

interface DeviceTable {
  readonly port: MessagePort;
  readonly bindings: BindingTable;
  /** Messages that were read before their turn. */
  early: ToCoordinator[];
}

/** What devices have bound, and the messages that say so. It keeps their tensors alive. */
export class DeviceTables {
  readonly #tables = new Map<Rank, DeviceTable>();

  /** A device that talks on `port`. */
  add(rank: Rank, port: MessagePort): void {
    this.#tables.set(rank, { port, bindings: new BindingTable(), early: [] });
  }

  delete(rank: Rank): void {
    this.#tables.delete(rank);
  }

  /** The messages of a batch. */
  decode(rank: Rank, batch: readonly BoundMessage[]): ToCoordinator[] {
    return this.#tables.get(rank)!.bindings.decode(batch);
  }

  /** What `message` brings a device lives until it has arrived there. */
  keep(rank: Rank, message: FromCoordinator): void {
    this.#tables.get(rank)?.bindings.keep(message);
  }

  /** A device with messages that `tensorOf` has read; they are to be handled next. */
  takeEarly(): { readonly rank: Rank; readonly messages: readonly ToCoordinator[] } | undefined {
    for (const [rank, table] of this.#tables) {
      if (table.early.length === 0) continue;
      const messages = table.early;
      table.early = [];
      return { rank, messages };
    }
    return undefined;
  }

  /** The tensor that a device knows by a number. It has said so, but perhaps nobody has read it. */
  tensorOf(rank: Rank, number: number): WireTensor {
    const { port, bindings } = this.#tables.get(rank)!;
    for (;;) {
      const known = bindings.find(number);
      if (known !== undefined) return known;
      this.#readEarly(rank, port);
    }
  }

  #readEarly(rank: Rank, port: MessagePort): void {
    const table = this.#tables.get(rank)!;
    const next = receiveMessageOnPort(port) as { readonly message: BoundMessage[] } | undefined;
    if (next === undefined) throw new Error(`rank ${rank} used a tensor that it never bound`);
    table.early.push(...table.bindings.decode(next.message));
  }
}
