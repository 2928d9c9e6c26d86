/** What `generate` reads of a cluster, live or in a snapshot: nodes and GPUNodeConfigs. */

import { z } from 'zod';
import { CUSTOM_RESOURCES } from '../../api/keys.ts';
import { type KubeClient, KubeError } from '../../kube/kube-client.ts';
import { listAll } from '../../kube/list.ts';
import { ClusterState } from '../../state/cluster-state.ts';
import type { Manifest } from '../decide/manifests.ts';
import { say } from '../input.ts';
import { InputError } from '../input-error.ts';
import type { ProviderTraces } from './provider.ts';

export interface Gathered {
  readonly state: ClusterState;
  /** What each node says of the cloud that it is from. */
  readonly traces: readonly ProviderTraces[];
}

/** @throws KubeError, InputError where the API server does not know GPUNodeConfigs */
export async function gatherLive(client: KubeClient): Promise<Gathered> {
  const nodes = await listAll(client, '/api/v1/nodes');
  const configs = await listAll(client, CUSTOM_RESOURCES.nodeConfigs).catch((error: unknown) => {
    if (!(error instanceof KubeError) || error.status !== 404) throw error;
    throw new InputError(
      'the API server does not know GPUNodeConfigs: kubectl apply --server-side -f charts/gpu-autoscaler/crds',
      { cause: error },
    );
  });
  return gathered(nodes, configs);
}

export function gatherSnapshot(manifests: readonly Manifest[]): Gathered {
  const of = (kind: string) => manifests.map(({ object }) => object).filter((object) => object.kind === kind);
  return gathered(of('Node'), of('GPUNodeConfig'));
}

const tracesSchema = z.object({
  metadata: z.object({ annotations: z.record(z.string(), z.string()).nullish() }),
  spec: z.object({ providerID: z.string().nullish() }).nullish(),
});

function gathered(nodes: readonly unknown[], configs: readonly unknown[]): Gathered {
  const state = new ClusterState((why, details) => say(`${why}: ${JSON.stringify(details)}`));
  for (const node of nodes) state.nodes.update(node);
  for (const config of configs) state.nodeConfigs.update(config);
  const traces = nodes.flatMap((node) => {
    const parsed = tracesSchema.safeParse(node).data;
    if (!parsed) return [];
    return { annotations: parsed.metadata.annotations ?? {}, providerId: parsed.spec?.providerID ?? '' };
  });
  return { state, traces };
}
