/** Observations for tests of single checks, from manifests. */

import { configurationSchema } from '#src/api/configuration.ts';
import { workloadResourceSchema } from '#src/api/workload-resource.ts';
import type { Check, CheckContext, Finding, Seen } from '#src/cli/doctor/check.ts';
import type { NodeRecord } from '#src/state/node-record.ts';
import { nodeRecord } from '../../../objects/records.ts';

export function contextOf(configuration: object = {}, now?: number): CheckContext {
  return { configuration: configurationSchema.parse(configuration), systemNamespace: 'gpu-autoscaler-system', now };
}

export function nodesOf(...manifests: object[]): NodeRecord[] {
  return manifests.map((manifest) => {
    const record = nodeRecord(manifest);
    if (!record) throw new Error('a node without GPUs');
    return record;
  });
}

/** A manifest with labels, besides its own, of allocatable `nvidia.com/…`. */
export function gpuNode(
  name: string,
  labels: Readonly<Record<string, string>>,
  allocatable: Readonly<Record<string, number>>,
  annotations: Readonly<Record<string, string>> = {},
) {
  const counts = Object.entries(allocatable).map(([resource, count]) => [`nvidia.com/${resource}`, String(count)]);
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name, labels, annotations },
    status: { allocatable: { cpu: '8', ...Object.fromEntries(counts) } },
  };
}

export const workloadsOf = (...manifests: object[]) =>
  manifests.map((manifest) => workloadResourceSchema.parse(manifest));

/** A Deployment of one container. */
export function deployment(
  name: string,
  { image = 'example.com/x:1', labels = {}, namespace = 'kube-system', available = 1 } = {},
) {
  return {
    apiVersion: 'apps/v1',
    kind: 'Deployment',
    metadata: { name, namespace, labels },
    spec: { template: { spec: { containers: [{ name: 'main', image }] } } },
    status: { availableReplicas: available },
  };
}

/** What the check finds; it must be able to tell. */
export function findingsOf(check: Check, seen: Seen, context: CheckContext = contextOf()): Finding[] {
  const findings = check.run(seen, context);
  if (!findings) throw new Error(`${check.name} cannot tell`);
  return findings;
}

/** `severity: objects` of each finding. */
export const essence = (findings: readonly Finding[]) =>
  findings.map(({ severity, objects }) => `${severity}: ${objects.join(' ')}`);
