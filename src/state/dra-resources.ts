/** Extended resources that DRA serves: a DeviceClass names them. Which devices there are, kube-scheduler alone knows. */

import { z } from 'zod';
import type { DelegatedResources } from '../core/fit.ts';
import { type Reading, resourceVersionOf, type Store } from './store.ts';

const deviceClassSchema = z.object({
  metadata: z.object({ name: z.string() }),
  spec: z.object({ extendedResourceName: z.string().nullish() }).nullish(),
});

export interface DeviceClassRecord {
  /** The extended resource that it stands for. */
  readonly resource: string;
}

/** Reads a DeviceClass; a class that stands for no extended resource has no record. */
export function readDeviceClass(object: unknown): Reading<DeviceClassRecord> | undefined {
  const parsed = deviceClassSchema.safeParse(object);
  if (!parsed.success) return undefined;
  const { metadata, spec } = parsed.data;
  const resource = spec?.extendedResourceName;
  return {
    key: metadata.name,
    resourceVersion: resourceVersionOf(object),
    record: resource ? { resource } : undefined,
  };
}

/** Follows the DeviceClasses. */
export class DraResources implements DelegatedResources {
  /** DeviceClasses by the resource that they stand for. */
  readonly #classes = new Map<string, Set<string>>();
  #changes = 0;

  constructor(deviceClasses: Store<DeviceClassRecord>) {
    deviceClasses.follow(({ key, before, after }) => {
      if (before?.resource === after?.resource) return;
      this.#changes += 1;
      if (before) this.#remove(before.resource, key);
      if (after) this.#classes.set(after.resource, (this.#classes.get(after.resource) ?? new Set()).add(key));
    });
  }

  has(resource: string): boolean {
    return this.#classes.has(resource);
  }

  /** The first, by name, of the DeviceClasses that stand for the resource. */
  classOf(resource: string): string | undefined {
    return [...(this.#classes.get(resource) ?? [])].sort()[0];
  }

  /** Moves whenever a resource is served by other classes than before. */
  get changes(): number {
    return this.#changes;
  }

  #remove(resource: string, key: string): void {
    const classes = this.#classes.get(resource);
    classes?.delete(key);
    if (classes?.size === 0) this.#classes.delete(resource);
  }
}
