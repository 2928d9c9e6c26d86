/** ConfigMaps as the volumes of pods show them: each node's kubelet brings a change in its own time. */

import { type Clock, type Range, within } from './timing.ts';

export type Data = Readonly<Record<string, string>>;

interface Version {
  readonly at: number;
  readonly data: Data;
}

export class Volumes {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #delay: Range;
  readonly #random: () => number;
  /** By ConfigMap, the oldest first. */
  readonly #versions = new Map<string, readonly Version[]>();

  /** @param delay until a node shows a change, ms */
  constructor(clock: Pick<Clock, 'now'>, delay: Range, random: () => number) {
    this.#clock = clock;
    this.#delay = delay;
    this.#random = random;
  }

  /** @param configMap `namespace/name` */
  set(configMap: string, data: Data): void {
    const now = this.#clock.now();
    const [, slowest] = this.#delay;
    const versions = this.#versions.get(configMap) ?? [];
    // Of those that every node shows by now only the last is still wanted.
    const oldest = versions.findLastIndex(({ at }) => at + slowest <= now);
    this.#versions.set(configMap, [...versions.slice(Math.max(0, oldest)), { at: now, data }]);
  }

  delete(configMap: string): void {
    this.#versions.delete(configMap);
  }

  /** What the volumes of one node show, whenever it is asked; nothing of a ConfigMap that has not come yet. */
  ofNode(): (configMap: string) => Data {
    const delays = new WeakMap<Version, number>();
    return (configMap) => {
      const now = this.#clock.now();
      const shown = this.#versions.get(configMap)?.findLast((version) => {
        const delay = delays.get(version) ?? within(this.#delay, this.#random);
        delays.set(version, delay);
        return version.at + delay <= now;
      });
      return shown?.data ?? {};
    };
  }
}
