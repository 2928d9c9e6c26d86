/** Nodes and demands as packing sees them: plain amounts, whatever they come from (a live ledger or a trace). */

/** What one pod takes. */
export interface PackingDemand {
  readonly cpuMilli: number;
  readonly memoryMiB: number;
  /** GPUs that it holds a part of; 0 for a pod without. */
  readonly gpus: number;
  /** Part of each of them, milli-GPU, 1 to 1000; below 1000 only with one GPU. 0 for a pod without. */
  readonly milli: number;
  /** GPU models that will do; undefined if any will. */
  readonly products: ReadonlySet<string> | undefined;
}

/** A node in the eyes of a strategy. */
export interface NodeView {
  readonly name: string;
  /** Creation time, ms since the epoch: the common order of ties, before the name. */
  readonly createdAt: number;
  readonly product: string;
  /** Free CPU in milli-cores; Infinity where it is not known. */
  readonly cpuFree: number;
  /** Free milli-GPU of each GPU. */
  readonly gpuFree: ArrayLike<number>;
  /** milli-GPU held, and present: 1000 for each GPU. */
  readonly heldMilli: number;
  readonly totalMilli: number;
  /** Moves with every change, where the view is kept and not rebuilt: what is known of a version may be remembered. */
  readonly version?: number;
}

export interface NodeSize {
  readonly name: string;
  readonly createdAt: number;
  readonly product: string;
  readonly cpuMilli: number;
  readonly memoryMiB: number;
  readonly gpus: number;
}

/** Undefined if the demand does not fit; else nothing of it is taken yet. */
export type PackingMisfit = 'product' | 'cpu' | 'memory' | 'gpu';

/** A node that demands can be taken from and given back to. */
export class PackingNode implements NodeView {
  readonly name: string;
  readonly createdAt: number;
  readonly product: string;
  readonly totalMilli: number;
  readonly gpuFree: Int32Array;
  cpuFree: number;
  memoryFree: number;
  heldMilli = 0;
  version = 0;

  constructor(size: NodeSize) {
    this.name = size.name;
    this.createdAt = size.createdAt;
    this.product = size.product;
    this.cpuFree = size.cpuMilli;
    this.memoryFree = size.memoryMiB;
    this.totalMilli = size.gpus * 1000;
    this.gpuFree = new Int32Array(size.gpus).fill(1000);
  }

  /** Why the demand does not fit; undefined if it does. */
  misfit(demand: PackingDemand): PackingMisfit | undefined {
    if (demand.products && !demand.products.has(this.product)) return 'product';
    if (this.cpuFree < demand.cpuMilli) return 'cpu';
    if (this.memoryFree < demand.memoryMiB) return 'memory';
    return demand.gpus > 0 && roomFor(this.gpuFree, demand) < demand.gpus ? 'gpu' : undefined;
  }

  /**
   * Takes what the demand asks for; it must fit.
   * @param gpu index of the GPU for a demand of a part; whole GPUs are taken in order
   * @returns the indices taken, for `giveBack`
   */
  take(demand: PackingDemand, gpu: number): number[] {
    const gpus = demand.milli < 1000 ? [gpu].slice(0, demand.gpus) : firstFree(this.gpuFree, demand.gpus);
    this.#move(demand, gpus, 1);
    return gpus;
  }

  giveBack(demand: PackingDemand, gpus: readonly number[]): void {
    this.#move(demand, gpus, -1);
  }

  #move(demand: PackingDemand, gpus: readonly number[], sign: 1 | -1): void {
    this.version += 1;
    this.cpuFree -= sign * demand.cpuMilli;
    this.memoryFree -= sign * demand.memoryMiB;
    this.heldMilli += sign * demand.milli * gpus.length;
    for (const gpu of gpus) this.gpuFree[gpu] = (this.gpuFree[gpu] ?? 0) - sign * demand.milli;
  }
}

/** GPUs with at least the demand's part free. */
function roomFor(gpuFree: ArrayLike<number>, { milli }: PackingDemand): number {
  let room = 0;
  for (let gpu = 0; gpu < gpuFree.length; gpu += 1) if ((gpuFree[gpu] ?? 0) >= milli) room += 1;
  return room;
}

function firstFree(gpuFree: ArrayLike<number>, count: number): number[] {
  const gpus: number[] = [];
  for (let gpu = 0; gpu < gpuFree.length && gpus.length < count; gpu += 1) if (gpuFree[gpu] === 1000) gpus.push(gpu);
  return gpus;
}
