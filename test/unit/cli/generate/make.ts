/** Groups of nodes for tests, from manifests. */

import { configurationSchema } from '#src/api/configuration.ts';
import { parseNodeConfig } from '#src/api/node-config.ts';
import { type Grouping, groupNodes } from '#src/cli/generate/node-groups.ts';
import { exclusiveNode } from '../../../objects/nodes.ts';
import { nodesOf } from '../doctor/make.ts';

export const AUTO = { sharing: { mig: { autoConfig: true }, mps: { autoConfig: true } } };

/** Nodes of four A100s each; by name, the spec of a GPUNodeConfig that bears the same name, or nothing. */
export function grouping(
  nodes: Readonly<Record<string, { labels?: Readonly<Record<string, string>>; wants?: object; gpus?: number }>>,
  configuration: object = AUTO,
  more: readonly object[] = [],
): Grouping {
  const objects = Object.entries(nodes).flatMap(([name, { wants }], i) =>
    wants
      ? [{ metadata: { name, creationTimestamp: `2026-01-0${i + 1}T00:00:00Z` }, spec: { nodeName: name, ...wants } }]
      : [],
  );
  const configs = [...objects, ...more].flatMap((object) => parseNodeConfig(object) ?? []);
  return groupNodes(
    nodesOf(...Object.entries(nodes).map(([name, { labels = {}, gpus = 4 }]) => exclusiveNode({ name, gpus, labels }))),
    configs,
    (node) => configs.find(({ nodeName }) => nodeName === node),
    configurationSchema.parse(configuration),
  );
}

export const MPS = { mpsEnabled: true, mpsMaxClients: 8 };
export const ONE_CUT = { migEnabled: true, migLayouts: [{ gpus: [0], profiles: ['1g.5gb', '1g.5gb', '2g.10gb'] }] };
export const pool = (name: string) => ({
  'karpenter.sh/nodepool': name,
  'node.kubernetes.io/instance-type': 'p4d.24xlarge',
});
export const nodegroup = (name: string) => ({
  'eks.amazonaws.com/nodegroup': name,
  'node.kubernetes.io/instance-type': 'p4d.24xlarge',
});
