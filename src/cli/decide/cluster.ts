/** What `decide` knows of the cluster: listed once from the API server, or read from files. */

import { z } from 'zod';
import { CONFIG_MAP, CUSTOM_RESOURCES, DEVICE_CLASSES, QUEUES } from '../../api/keys.ts';
import { parseSharingPolicy } from '../../api/sharing-policy.ts';
import { type KubeClient, KubeError } from '../../kube/kube-client.ts';
import { listPages } from '../../kube/list.ts';
import type { ReflectorStore } from '../../kube/reflector.ts';
import type { ClusterState } from '../../state/cluster-state.ts';
import { InputError } from '../input-error.ts';
import type { Manifest } from './manifests.ts';

/**
 * @returns whether pods could be listed as well: they tell which slots are free
 * @throws KubeError
 */
export async function listCluster(state: ClusterState, client: KubeClient): Promise<boolean> {
  let knowsPods = true;
  await Promise.all([
    takeAll(state.nodes, client, '/api/v1/nodes'),
    takeAll(state.namespaces, client, '/api/v1/namespaces'),
    takeAll(state.limitRanges, client, '/api/v1/limitranges'),
    takeAll(state.quotas, client, '/api/v1/resourcequotas'),
    takeAll(state.policies, client, CUSTOM_RESOURCES.policies).catch(unless(404)),
    takeAll(state.nodeConfigs, client, CUSTOM_RESOURCES.nodeConfigs).catch(unless(404, 403)),
    takeAll(state.deviceClasses, client, DEVICE_CLASSES).catch(unless(404, 403)),
    takeFirst(state.queues.localQueues, client, QUEUES.localQueues).catch(unless(404, 403)),
    takeFirst(state.queues.clusterQueues, client, QUEUES.clusterQueues).catch(unless(404, 403)),
    takeAll(state.pods, client, '/api/v1/pods').catch((error: unknown) => {
      unless(403)(error);
      knowsPods = false;
    }),
  ]);
  return knowsPods;
}

/** Of a kind that is not known to the API server there are no objects. */
function unless(...statuses: readonly number[]): (error: unknown) => void {
  return (error) => {
    if (!(error instanceof KubeError) || !statuses.includes(error.status ?? 0)) throw error;
  };
}

/**
 * Lists everything of one kind into its store.
 * @throws KubeError
 */
export async function takeAll(store: ReflectorStore, client: Pick<KubeClient, 'json'>, path: string): Promise<void> {
  const list = store.replace();
  let version = '';
  for await (const { items, resourceVersion } of listPages({ client, path })) {
    list.add(items);
    version = resourceVersion;
  }
  list.finish(version);
}

/**
 * The same of a kind that may be served in one of several versions.
 * @throws KubeError of the last path, if none is served
 */
async function takeFirst(store: ReflectorStore, client: KubeClient, paths: readonly string[]): Promise<void> {
  const [path = '', ...older] = paths;
  const taken = takeAll(store, client, path);
  await (older.length === 0
    ? taken
    : taken.catch(async (error: unknown) => {
        unless(404)(error);
        await takeFirst(store, client, older);
      }));
}

/** Takes pods that the API server has made; whether there were any. */
export function takePods(state: ClusterState, manifests: readonly Manifest[]): boolean {
  const pods = manifests.filter(({ object }) => object.kind === 'Pod' && object.metadata?.uid !== undefined);
  for (const { object } of pods) state.pods.update(object);
  return pods.length > 0;
}

/**
 * Adds the cluster's objects from a snapshot, or from manifests beside the pods, to the state; returns the others.
 * @throws InputError for a policy that cannot be read: its author is asking
 */
export function takeManifests(state: ClusterState, manifests: readonly Manifest[]): Manifest[] {
  return manifests.filter(({ object, at }) => {
    if (object.kind === 'GPUSharingPolicy') {
      const parsed = parseSharingPolicy(object);
      if (!parsed.ok)
        throw new InputError(`${at()}: GPUSharingPolicy ${object.metadata?.name ?? ''}: ${parsed.reason}`);
    }
    const store = storeOf(state, object.kind);
    store?.update(object);
    return !store;
  });
}

function storeOf(state: ClusterState, kind: string): ReflectorStore | undefined {
  if (kind === 'Node') return state.nodes;
  if (kind === 'Namespace') return state.namespaces;
  if (kind === 'GPUSharingPolicy') return state.policies;
  if (kind === 'GPUNodeConfig') return state.nodeConfigs;
  if (kind === 'LimitRange') return state.limitRanges;
  if (kind === 'ResourceQuota') return state.quotas;
  if (kind === 'DeviceClass') return state.deviceClasses;
  if (kind === 'LocalQueue') return state.queues.localQueues;
  if (kind === 'ClusterQueue') return state.queues.clusterQueues;
  return undefined;
}

const configMapSchema = z.object({ data: z.record(z.string(), z.string()).nullish() });

/** The configuration that the webhook in the cluster has; undefined if it cannot be seen. */
export async function installedConfiguration(client: KubeClient, namespace: string): Promise<string | undefined> {
  const path = `/api/v1/namespaces/${namespace}/configmaps/${CONFIG_MAP.name}`;
  try {
    return configMapSchema.parse(await client.json('GET', path)).data?.[CONFIG_MAP.key];
  } catch (error) {
    if (error instanceof KubeError && (error.status === 404 || error.status === 403)) return undefined;
    throw error;
  }
}

const namespacedSchema = z.object({ metadata: z.object({ namespace: z.string().default('default') }) });

/** Text of the installed configuration, where a snapshot has its ConfigMap. */
export function configurationIn(manifests: readonly Manifest[], systemNamespace: string): string | undefined {
  for (const { object } of manifests) {
    if (object.kind !== 'ConfigMap' || object.metadata?.name !== CONFIG_MAP.name) continue;
    if (namespacedSchema.safeParse(object).data?.metadata.namespace !== systemNamespace) continue;
    const text = configMapSchema.safeParse(object).data?.data?.[CONFIG_MAP.key];
    if (text !== undefined) return text;
  }
  return undefined;
}
