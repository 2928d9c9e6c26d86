/** What the device plugin registers with kubelet: the devices behind each resource. */

import { migResource, WHOLE_GPU } from '../../core/resources.ts';
import type { Parsed } from '../../core/units.ts';
import type { Gpu } from './hardware.ts';
import type { PluginConfig } from './plugin-config.ts';

/** A slot that kubelet can hand out. */
export interface Device {
  /** `GPU-…` or `MIG-…`, with `::<i>` where the device is shared. */
  readonly id: string;
  /** Index of the physical GPU. */
  readonly gpu: number;
  /** Of what it is a slot: the id of the GPU or the MIG instance. */
  readonly of: string;
}

export type Registered = ReadonlyMap<string, readonly Device[]>;

/** A reason is what the plugin ends with: then nothing is registered. */
export function devicesOf(gpus: readonly Gpu[], config: PluginConfig): Parsed<Registered> {
  const plain = plainDevices(gpus, config);
  if (!plain.ok) return plain;
  const { sharing } = config;
  if (!sharing) return plain;
  if (sharing.mode === 'mps' && gpus.some(({ migEnabled }) => migEnabled)) {
    return { ok: false, reason: 'sharing is not supported for MIG devices with MPS' };
  }
  const registered = new Map<string, readonly Device[]>();
  for (const [resource, devices] of plain.value) {
    const replicas = sharing.replicas.get(resource);
    if (replicas === undefined) registered.set(resource, devices);
    else
      registered.set(
        sharing.renameByDefault ? `${resource}.shared` : resource,
        devices.flatMap((device) => replicate(device, replicas)),
      );
  }
  return { ok: true, value: registered };
}

function replicate({ id, gpu, of }: Device, replicas: number): Device[] {
  return Array.from({ length: replicas }, (_, i) => ({ id: `${id}::${i}`, gpu, of }));
}

function plainDevices(gpus: readonly Gpu[], { migStrategy }: PluginConfig): Parsed<Map<string, Device[]>> {
  const whole = (gpu: Gpu): Device => ({ id: gpu.uuid, gpu: gpu.index, of: gpu.uuid });
  const instances = (gpu: Gpu): [string, Device][] =>
    gpu.instances.map(({ uuid, profile }) => [migResource(profile), { id: uuid, gpu: gpu.index, of: uuid }]);
  const devices = new Map<string, Device[]>();
  const add = (resource: string, device: Device) => devices.set(resource, [...(devices.get(resource) ?? []), device]);
  if (migStrategy === 'single' && gpus.some(({ migEnabled }) => migEnabled)) {
    const profiles = new Set(gpus.flatMap((gpu) => gpu.instances.map(({ profile }) => profile)));
    const uniform =
      gpus.every(({ migEnabled, instances }) => migEnabled && instances.length > 0) && profiles.size === 1;
    if (!uniform)
      return { ok: false, reason: 'more than one MIG device type, or GPUs without any, under strategy single' };
    for (const gpu of gpus) for (const [, device] of instances(gpu)) add(WHOLE_GPU, device);
    return { ok: true, value: devices };
  }
  for (const gpu of gpus) {
    if (migStrategy === 'mixed' && gpu.migEnabled)
      for (const [resource, device] of instances(gpu)) add(resource, device);
    else add(WHOLE_GPU, whole(gpu));
  }
  return { ok: true, value: devices };
}
