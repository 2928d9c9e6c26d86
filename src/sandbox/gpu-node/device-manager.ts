/** kubelet's device manager: offers what the plugin has registered, and hands it out to pods. Knows nothing of labels. */

import { chooseDevices } from './assignment.ts';
import type { Device, Registered } from './devices.ts';
import type { Environment, PodOnNode } from './environment.ts';
import type { Gpu } from './hardware.ts';
import type { PluginConfig } from './plugin-config.ts';

interface Held {
  readonly pod: PodOnNode;
  readonly devices: readonly Device[];
  /** It computes through the MPS daemon. */
  readonly throughMps: boolean;
}

export class DeviceManager {
  /** Uids of pods that were not admitted: `UnexpectedAdmissionError`. */
  readonly refused = new Set<string>();
  /** Uids of pods that ran and lost their device, or the MPS daemon in front of it. */
  readonly harmed = new Set<string>();
  /** Uids of pods that hold a GPU or an instance for themselves, and yet others got a slot of it. */
  readonly overlapped = new Set<string>();
  readonly #environment: Environment;
  /** Undefined while the plugin is away. */
  #registered: { readonly devices: Registered; readonly config: PluginConfig } | undefined;
  /** By uid: pods that were admitted, and what they hold until they are gone. */
  readonly #held = new Map<string, Held>();
  /** When, by resource. */
  readonly #vanished = new Map<string, number>();

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  get isOffering(): boolean {
    return this.#registered !== undefined;
  }

  devicesOf(uid: string): readonly Device[] {
    return this.#held.get(uid)?.devices ?? [];
  }

  /** A device of one of these GPUs that a pod holds. */
  heldOf(gpus: ReadonlySet<number>): Device | undefined {
    return [...this.#held.values()].flatMap(({ devices }) => devices).find(({ gpu }) => gpus.has(gpu));
  }

  async register(devices: Registered, config: PluginConfig): Promise<void> {
    this.#registered = { devices, config };
    const amounts = Object.fromEntries([...devices].map(([name, list]) => [name, String(list.length)]));
    for (const name of Object.keys(amounts)) this.#vanished.delete(name);
    const zeros = Object.fromEntries([...this.#vanished.keys()].map((name) => [name, '0']));
    await this.#environment.io.resources({ ...zeros, ...amounts }, amounts);
    this.#environment.aside(this.#forgetVanished());
  }

  /** The plugin is away: what it had registered is still there, but cannot be had. */
  async withdraw(): Promise<void> {
    const resources = [...(this.#registered?.devices.keys() ?? [])];
    this.#registered = undefined;
    for (const name of resources) this.#vanished.set(name, this.#environment.now());
    if (resources.length === 0) return;
    await this.#environment.io.resources(Object.fromEntries(resources.map((name) => [name, '0'])), {});
  }

  async #forgetVanished(): Promise<void> {
    const { timing, io } = this.#environment;
    await this.#environment.sleep(timing.capacityKept);
    const now = this.#environment.now();
    const old = [...this.#vanished].filter(([, since]) => now - since >= timing.capacityKept).map(([name]) => name);
    if (old.length === 0) return;
    for (const name of old) this.#vanished.delete(name);
    const none = Object.fromEntries(old.map((name) => [name, null]));
    await io.resources(none, none);
  }

  /** A pod is bound here: it is admitted or not, once and for all. */
  async bound(pod: PodOnNode): Promise<void> {
    const { uid } = pod;
    if (pod.finished) return this.gone(uid);
    if (this.#held.has(uid) || this.refused.has(uid) || this.harmed.has(uid)) return;
    const { io } = this.#environment;
    const why = this.#admit(pod);
    if (why === undefined) return io.podStatus(pod, { phase: 'Running' });
    this.refused.add(uid);
    const message = `Pod was rejected: Allocate failed due to ${why}, which is unexpected`;
    await io.podStatus(pod, { phase: 'Failed', reason: 'UnexpectedAdmissionError', message });
  }

  gone(uid: string): void {
    this.#held.delete(uid);
  }

  /** Why it cannot be. */
  #admit(pod: PodOnNode): string | undefined {
    const sharing = this.#registered?.config.sharing;
    const policy = this.#registered?.config.allocationPolicy ?? 'distributed';
    const taken = new Set([...this.#held.values()].flatMap(({ devices }) => devices.map(({ id }) => id)));
    const devices: Device[] = [];
    for (const [resource, count] of pod.devices) {
      const offered = this.#registered?.devices.get(resource);
      if (!offered || offered.length === 0)
        return `no healthy devices present; cannot allocate unhealthy devices ${resource}`;
      const isShared = sharing !== undefined && offered.some((device) => !isExclusive(device));
      if (isShared && count > 1 && sharing.failRequestsGreaterThanOne) {
        return `rpc error: request for '${resource}: ${count}': maximum request size for shared resources is 1; found ${count}`;
      }
      const chosen = chooseDevices(offered, taken, count, policy);
      if (!chosen) return `requested number of devices unavailable for ${resource}. Requested: ${count}`;
      for (const device of chosen) {
        taken.add(device.id);
        devices.push(device);
      }
    }
    const throughMps = sharing?.mode === 'mps' && devices.some((device) => !isExclusive(device));
    this.#noteOverlaps(pod.uid, devices);
    this.#held.set(pod.uid, { pod, devices, throughMps });
    return undefined;
  }

  #noteOverlaps(uid: string, devices: readonly Device[]): void {
    for (const [other, { devices: theirs }] of this.#held) {
      for (const device of devices) {
        for (const their of theirs.filter(({ of }) => of === device.of)) {
          if (isExclusive(their)) this.overlapped.add(other);
          if (isExclusive(device)) this.overlapped.add(uid);
        }
      }
    }
  }

  /** The MPS daemon has ended: what its clients compute is lost. */
  async endMpsClients(): Promise<void> {
    await this.#harm(({ throughMps }) => throughMps, 'the MPS daemon has gone');
  }

  /** These are the GPUs from now on. Pods whose device is not there any more have lost it. */
  async keep(gpus: readonly Gpu[]): Promise<void> {
    const there = new Set(gpus.flatMap(({ uuid, instances }) => [uuid, ...instances.map((each) => each.uuid)]));
    await this.#harm(({ devices }) => devices.some(({ of }) => !there.has(of)), 'the device has gone');
  }

  async #harm(whom: (held: Held) => boolean, message: string): Promise<void> {
    const victims = [...this.#held.values()].filter(whom);
    for (const { pod } of victims) {
      this.#held.delete(pod.uid);
      this.harmed.add(pod.uid);
    }
    const status = { phase: 'Failed', reason: 'Error', message };
    await Promise.all(victims.map(({ pod }) => this.#environment.io.podStatus(pod, status)));
  }
}

/** Whether no other pod may have it: the GPU or the instance, and no slot of it. */
function isExclusive({ id, of }: Device): boolean {
  return id === of;
}
