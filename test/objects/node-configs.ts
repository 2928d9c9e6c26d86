/** GPUNodeConfigs as the API server keeps them. */

import { type NodeConfig, parseNodeConfig } from '#src/api/node-config.ts';
import type { Manifest } from '../fakes/object-store.ts';

/** GPUNodeConfig c for node a. */
export function nodeConfigObject(spec: object = {}, metadata: object = {}, status?: unknown): Manifest {
  return {
    metadata: { name: 'c', uid: 'c', generation: 1, ...metadata },
    spec: { nodeName: 'a', ...spec },
    ...(status !== undefined && { status }),
  };
}

/** The same, parsed. */
export function nodeConfig(...parts: Parameters<typeof nodeConfigObject>): NodeConfig {
  const config = parseNodeConfig(nodeConfigObject(...parts));
  if (!config) throw new Error('this is no GPUNodeConfig');
  return config;
}
