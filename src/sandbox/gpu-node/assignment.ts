/** Which devices kubelet gives to a pod: the plugin's preference, among those that are free. */

import type { Device } from './devices.ts';

/**
 * `packed`: the GPU (or instance) with the fewest free slots that still has one; `distributed`: the one with the most.
 * Undefined if there are not enough. Source: k8s-device-plugin 0.20, `internal/rm/allocate.go`.
 * @param taken ids
 */
export function chooseDevices(
  devices: readonly Device[],
  taken: ReadonlySet<string>,
  count: number,
  policy: 'distributed' | 'packed',
): Device[] | undefined {
  const free = devices.filter(({ id }) => !taken.has(id));
  if (free.length < count) return undefined;
  const chosen: Device[] = [];
  const left = new Map<string, number>();
  for (const { of } of free) left.set(of, (left.get(of) ?? 0) + 1);
  for (let i = 0; i < count; i += 1) {
    const candidates = free.filter((device) => !chosen.includes(device));
    const [best] = candidates.toSorted((a, b) => {
      const difference = (left.get(a.of) ?? 0) - (left.get(b.of) ?? 0);
      return policy === 'packed' ? difference : -difference;
    });
    if (!best) return undefined;
    chosen.push(best);
    left.set(best.of, (left.get(best.of) ?? 0) - 1);
  }
  return chosen;
}
