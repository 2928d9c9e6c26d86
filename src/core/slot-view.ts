/** A node of the ledger in the eyes of a strategy. */

import type { NodeInventory, Pool } from './inventory.ts';
import type { NodeView } from './scoring/packing-node.ts';

/** One kind of slot of a node, as strategies see it; of this moment only. */
export class SlotView implements NodeView {
  readonly #inventory: NodeInventory;
  readonly #pool: Pool;
  readonly #taken: readonly number[] | undefined;
  readonly heldMilli: number;
  /** What other pods take of CPU is not in the ledger. */
  readonly cpuFree = Number.POSITIVE_INFINITY;

  constructor(inventory: NodeInventory, pool: Pool, heldMilli: number, taken: readonly number[] | undefined) {
    this.#inventory = inventory;
    this.#pool = pool;
    this.#taken = taken;
    this.heldMilli = heldMilli;
  }

  get name(): string {
    return this.#inventory.name;
  }
  get createdAt(): number {
    return this.#inventory.createdAt;
  }
  get product(): string {
    return this.#inventory.product;
  }
  get totalMilli(): number {
    return this.#inventory.gpus * 1000;
  }
  get slotMilli(): number {
    return this.#pool.slotMilli;
  }

  /** Made only for strategies that look at it. */
  get gpuFree(): number[] {
    const { slotsPerGpu, slotMilli } = this.#pool;
    return slotsPerGpu.map((slots, gpu) => {
      const free = Math.max(0, slots - (this.#taken?.[gpu] ?? 0));
      // All slots of a GPU together are the whole GPU, though each is rounded down.
      return free > 0 && free === Math.floor(1000 / slotMilli) ? 1000 : free * slotMilli;
    });
  }
}
