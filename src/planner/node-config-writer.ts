/** A planned change → the GPUNodeConfig that asks for it. */

import { API_GROUP, API_VERSION, CUSTOM_RESOURCES, NODE_CONFIG } from '../api/keys.ts';
import type { NodeConfig } from '../api/node-config.ts';
import { type GpuLayout, layoutGroups, type Partition } from '../core/partitioning/partition.ts';
import type { Change } from '../core/partitioning/plan-input.ts';
import { JSON_PATCH, type KubeClient, KubeError } from '../kube/kube-client.ts';
import { changesOf, MAX_CHANGES } from './planning-node.ts';

/** As people would write it. */
export function specOf(nodeName: string, { layouts, sharing }: Partition): object {
  const cut = layoutGroups({ layouts }).flatMap(({ layout, gpus }) =>
    layout ? { gpus, profiles: profilesOf(layout) } : [],
  );
  const [first] = cut;
  return {
    nodeName,
    ...(first && { migEnabled: true }),
    ...(first && (first.gpus.length === layouts.length ? { migProfiles: first.profiles } : { migLayouts: cut })),
    ...(sharing?.mode === 'mps' && { mpsEnabled: true, mpsMaxClients: sharing.replicas }),
    ...(sharing?.mode === 'timeslicing' && { timeSlicingEnabled: true, timeSlicingReplicas: sharing.replicas }),
  };
}

function profilesOf(layout: GpuLayout): string[] {
  return Object.entries(layout).flatMap(([profile, count]) => new Array<string>(count).fill(profile));
}

export interface ApplyChangeOptions {
  readonly client: Pick<KubeClient, 'json'>;
  readonly maySend: () => boolean;
  readonly now: Date;
  /** The planner's own GPUNodeConfig of the node, if there is one. */
  readonly existing: NodeConfig | undefined;
  /** Whether an object of that name is not ours. */
  readonly isTaken: (name: string) => boolean;
}

/**
 * What the API server stored.
 * @throws KubeError
 */
export async function applyChange({ node, to, why }: Change, options: ApplyChangeOptions): Promise<unknown> {
  const { client, maySend, now, existing, isTaken } = options;
  const times = [now.getTime(), ...changesOf(existing)].slice(0, MAX_CHANGES);
  const annotations = {
    [NODE_CONFIG.why]: why,
    [NODE_CONFIG.plannedAt]: times.map((at) => new Date(at).toISOString()).join(','),
  };
  const spec = specOf(node, to);
  if (existing) {
    const path = `${CUSTOM_RESOURCES.nodeConfigs}/${encodeURIComponent(existing.name)}`;
    const body = [
      // Of the object that the plan was made for: a newer write to it takes precedence.
      { op: 'test', path: '/metadata/generation', value: existing.generation },
      { op: 'test', path: `/metadata/labels/${pointer(NODE_CONFIG.managedBy)}`, value: NODE_CONFIG.planner },
      { op: 'add', path: '/spec', value: spec },
      // All of them may have been removed.
      ...(Object.keys(existing.annotations).length === 0
        ? [{ op: 'add', path: '/metadata/annotations', value: {} }]
        : []),
      ...Object.entries(annotations).map(([key, value]) => ({
        op: 'add',
        path: `/metadata/annotations/${pointer(key)}`,
        value,
      })),
    ];
    return client.json('PATCH', path, { body, contentType: JSON_PATCH, maySend });
  }
  const name = isTaken(node) ? `${node}.planned` : node;
  const body = {
    apiVersion: `${API_GROUP}/${API_VERSION}`,
    kind: 'GPUNodeConfig',
    metadata: { name, labels: { [NODE_CONFIG.managedBy]: NODE_CONFIG.planner }, annotations },
    spec,
  };
  return client.json('POST', CUSTOM_RESOURCES.nodeConfigs, { body, maySend });
}

function pointer(key: string): string {
  return key.replaceAll('~', '~0').replaceAll('/', '~1');
}

/** Whether another client was quicker, or has changed what it was made for: the next plan knows. */
export function isOutdated(error: unknown): boolean {
  return error instanceof KubeError && (error.status === 409 || error.status === 404 || error.status === 422);
}
