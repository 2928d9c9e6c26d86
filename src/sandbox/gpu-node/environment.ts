/** What the components of one emulated node have in common: the world outside, time, and what is to go wrong. */

import type { GpuKind } from './hardware.ts';
import { type Clock, type Range, type Timing, within } from './timing.ts';

export interface GpuNodeSpec extends GpuKind {
  readonly name: string;
  readonly gpus: number;
  /** Configuration of the plugin where no label names one; default: nothing is shared. */
  readonly defaultConfig?: string;
  /** The Node is created with these besides its own. */
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
}

/** What goes wrong on purpose; a number: so many times, counted down. Read at the moment in which it would happen. */
export interface Faults {
  /** mig-manager ends in `failed`, with everything as before. */
  migFails?: boolean | number;
  /** mig-manager waits for pods that never go: `pending`, and the deploy labels stay paused. */
  migSticks?: boolean | number;
  /** The mode takes a reboot: `rebooting` in between. */
  migReboots?: boolean;
  /** config-manager does not see changes of its label, until one after this is over. */
  pluginIgnores?: boolean;
  /** GPU Feature Discovery writes nothing, until its next run after this is over. */
  featureDiscoveryAway?: boolean;
}

/** Whether it is to go wrong now; of a number one is taken. */
export function strikes(faults: Faults, fault: keyof Faults): boolean {
  const left = faults[fault];
  if (typeof left !== 'number') return left === true;
  if (left <= 0) return false;
  Object.assign(faults, { [fault]: left - 1 });
  return true;
}

export interface NodeIo {
  /** A merge patch: null removes. */
  labels(labels: Readonly<Record<string, string | null>>): Promise<void>;
  /** Resources by name; null removes. */
  resources(
    allocatable: Readonly<Record<string, string | null>>,
    capacity: Readonly<Record<string, string | null>>,
  ): Promise<void>;
  podStatus(pod: PodOnNode, status: object): Promise<void>;
  /** What a pod's volume shows of a ConfigMap by now. */
  volume(configMap: 'plugin' | 'mig'): Readonly<Record<string, string>>;
  log(message: string, details?: object): void;
}

/** A pod that is bound to the node. */
export interface PodOnNode {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  /** Devices asked for, by resource. */
  readonly devices: ReadonlyMap<string, number>;
  readonly finished: boolean;
}

export interface GpuNodeOptions {
  readonly spec: GpuNodeSpec;
  readonly io: NodeIo;
  readonly clock: Clock;
  readonly timing: Timing;
  readonly random: () => number;
  readonly faults?: Faults;
}

export class Environment {
  readonly spec: GpuNodeSpec;
  readonly io: NodeIo;
  readonly timing: Timing;
  readonly faults: Faults;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #stopping = new AbortController();

  constructor({ spec, io, clock, timing, random, faults = {} }: GpuNodeOptions) {
    this.spec = spec;
    this.io = io;
    this.timing = timing;
    this.faults = faults;
    this.#clock = clock;
    this.#random = random;
  }

  /** ms, in the node's own time. */
  now(): number {
    return this.#clock.now();
  }

  /**
   * @param time ms, or from where to where
   * @param signal ends it early; the end of the node always does
   * @throws AbortError
   */
  async sleep(time: number | Range, signal?: AbortSignal): Promise<void> {
    const stopping = this.#stopping.signal;
    const ms = typeof time === 'number' ? time : within(time, this.#random);
    await this.#clock.sleep(ms, signal ? AbortSignal.any([stopping, signal]) : stopping);
  }

  /** Work that is not waited for. A fault is logged; that it was ended early is none. */
  aside(work: Promise<unknown>): void {
    work.catch((error: Error) => {
      if (this.isStopped || error.name === 'AbortError') return;
      this.io.log('the emulated node met an error', { error: error.message });
    });
  }

  get isStopped(): boolean {
    return this.#stopping.signal.aborted;
  }

  stop(): void {
    this.#stopping.abort();
  }
}
