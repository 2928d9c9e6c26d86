/** Which cloud provider of cluster-autoscaler makes the nodes. */

import { InputError } from '../input-error.ts';

/** As cluster-autoscaler's `--cloud-provider` has them. */
export const PROVIDERS = ['aws', 'azure', 'gce', 'clusterapi'] as const;
export type Provider = (typeof PROVIDERS)[number];

/** What a node says of where it is from. */
export interface ProviderTraces {
  readonly annotations: Readonly<Record<string, string>>;
  /** `spec.providerID`, or ''. */
  readonly providerId: string;
}

/** Cluster API's, on nodes. Source: Cluster API, "Well-known Labels, Annotations and Taints". */
const MACHINE = 'cluster.x-k8s.io/machine';

/**
 * @param flag `--provider`; it wins
 * @throws InputError where it cannot be told
 */
export function providerOf(flag: string | undefined, traces: readonly ProviderTraces[]): Provider {
  if (flag !== undefined) {
    const provider = PROVIDERS.find((name) => name === flag);
    if (provider) return provider;
    throw new InputError(`--provider: ${JSON.stringify(flag)} is not one of ${PROVIDERS.join(', ')}`);
  }
  const found = new Set(traces.flatMap((trace) => providerBy(trace) ?? []));
  const [provider] = found;
  if (provider && found.size === 1) return provider;
  const why =
    found.size > 1
      ? `nodes are from several clouds (${[...found].sort().join(', ')})`
      : 'no spec.providerID of a node is of a cloud that is known here';
  throw new InputError(`${why}: say --provider ${PROVIDERS.join('|')}`);
}

function providerBy({ annotations, providerId }: ProviderTraces): Provider | undefined {
  // Before the cloud: where Cluster API makes the machines, cluster-autoscaler asks it for them.
  if (annotations[MACHINE] !== undefined) return 'clusterapi';
  const scheme = providerId.split(':')[0];
  return PROVIDERS.find((name) => name === scheme);
}
