import type { Rank } from '../src/core/protocol.js';

/**
 * Something that handles one message at a time and knows nothing of threads. Handlers are
 * synchronous, so state is never half changed between messages. What an actor sends goes through a
 * function it was made with.
 */
export interface Actor<In> {
  /**
   * Handles messages of device `from` that came together, one after another. Never throws for what a
   * message asks.
   */
  receive(from: Rank, batch: readonly In[]): void;
}
