/**
 * The slots taken from one pool of one node. Which physical GPU serves a slot is the device plugin's
 * choice; expected is its `packed` policy: the fullest GPU that has room.
 */

import type { Pool } from './inventory.ts';

export class PoolUse {
  readonly #pool: Pool | undefined;
  readonly #perGpu: number[];
  #total: number;

  /** @param pool undefined where the node does not offer what pods hold of it */
  constructor(pool: Pool | undefined, perGpu?: readonly number[], total = 0) {
    this.#pool = pool;
    this.#perGpu = perGpu ? [...perGpu] : Array.from({ length: pool?.slotsPerGpu.length ?? 0 }, () => 0);
    this.#total = total;
  }

  clone(): PoolUse {
    return new PoolUse(this.#pool, this.#perGpu, this.#total);
  }

  /** Slots taken, more than there are where a node shrank under its pods. */
  get total(): number {
    return this.#total;
  }

  /** Of these, those expected on each GPU. */
  get perGpu(): readonly number[] {
    return this.#perGpu;
  }

  /**
   * Takes slots; the GPU expected for each, fewer than `count` where the node is full.
   * @param wishes GPU of each slot, where one is known already
   */
  take(count: number, wishes: readonly number[]): number[] {
    const gpus: number[] = [];
    // Ends when the node is full, not at `count`: a pod may claim any number without being admitted by kubelet.
    while (gpus.length < count) {
      const wish = wishes[gpus.length];
      const gpu = wish !== undefined && this.#hasRoom(wish) ? wish : this.#fullestWithRoom();
      if (gpu < 0) break;
      this.#perGpu[gpu] = (this.#perGpu[gpu] ?? 0) + 1;
      gpus.push(gpu);
    }
    this.#total += count;
    return gpus;
  }

  giveBack(count: number, gpus: readonly number[]): void {
    this.#total -= count;
    for (const gpu of gpus) this.#perGpu[gpu] = (this.#perGpu[gpu] ?? 0) - 1;
  }

  #hasRoom(gpu: number): boolean {
    return (this.#perGpu[gpu] ?? 0) < (this.#pool?.slotsPerGpu[gpu] ?? 0);
  }

  /** -1 if none has room. */
  #fullestWithRoom(): number {
    let best = -1;
    for (let gpu = 0; gpu < this.#perGpu.length; gpu += 1) {
      if (this.#hasRoom(gpu) && (best < 0 || (this.#perGpu[gpu] ?? 0) > (this.#perGpu[best] ?? 0))) best = gpu;
    }
    return best;
  }
}
