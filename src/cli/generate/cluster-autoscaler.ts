/** What node groups say of their nodes to cluster-autoscaler, which reads it while a group has no node to look at. */

import { GFD, INSTANCE_TYPE, KARPENTER_NODE_POOL } from '../../api/keys.ts';
import { WHOLE_GPU } from '../../core/resources.ts';
import type { Generated } from './documents.ts';
import { type NodeGroup, reasonsOf, titleOf } from './node-groups.ts';
import type { Provider } from './provider.ts';

type Texts = Readonly<Record<string, string>>;

interface Template {
  /** Where it is written: `tags`. */
  readonly field: string;
  readonly value: Texts | string;
  /** How it gets there. */
  readonly how: string;
}

export function clusterAutoscaler(groups: readonly NodeGroup[], provider: Provider): Generated {
  const notes: string[] = [];
  const documents = groups.flatMap((group) => {
    const { pool, instanceType } = group;
    if (pool?.label === KARPENTER_NODE_POOL) {
      notes.push(`${titleOf(group)} is passed over: its nodes are of Karpenter (gpu-autoscaler generate karpenter)`);
      return [];
    }
    if (provider === 'clusterapi') notes.push(...leftOut(group));
    const { field, value, how } = TEMPLATES[provider](group);
    const nodeGroup = {
      ...(pool && { [pool.label]: pool.name }),
      ...(instanceType !== undefined && { [INSTANCE_TYPE]: instanceType }),
      [GFD.product]: group.product,
    };
    return [{ comments: [...reasonsOf(group), how], value: { nodeGroup, [field]: value } }];
  });
  return { documents, notes };
}

const TEMPLATES: Readonly<Record<Provider, (group: NodeGroup) => Template>> = {
  aws: (group) => ({
    field: 'tags',
    value: tags(group, 'k8s.io/cluster-autoscaler/node-template/', (name) => name),
    how: 'tags of the Auto Scaling group, or of the EKS managed node group',
  }),
  azure: (group) => ({
    field: 'tags',
    value: tags(group, 'k8s.io_cluster-autoscaler_node-template_', azureName),
    how: 'tags of the virtual machine scale set',
  }),
  gce: ({ offers }) => ({
    field: 'extended_resources',
    value: slots(offers)
      .map(([resource, count]) => `${resource}=${count}`)
      .join(','),
    how: 'a variable of AUTOSCALER_ENV_VARS in kube-env, in the metadata of the instance template',
  }),
  clusterapi: ({ offers, product }) => {
    const [resource = WHOLE_GPU, count = 0] = announced(offers) ?? [];
    return {
      field: 'annotations',
      value: {
        'capacity.cluster-autoscaler.kubernetes.io/gpu-type': resource,
        'capacity.cluster-autoscaler.kubernetes.io/gpu-count': String(count),
        'capacity.cluster-autoscaler.kubernetes.io/labels': `${GFD.product}=${product}`,
      },
      how: 'annotations of the MachineDeployment',
    };
  },
};

/**
 * Source: cluster-autoscaler, `cloudprovider/aws/aws_manager.go`, `cloudprovider/azure/azure_template.go`: a resource that a tag
 * names replaces what the instance type has.
 */
function tags({ offers, product }: NodeGroup, prefix: string, nameOf: (name: string) => string): Texts {
  const separator = prefix.at(-1);
  const resources = [...offers].map(([resource, count]) => [
    `${prefix}resources${separator}${nameOf(resource)}`,
    String(count),
  ]);
  return Object.fromEntries([...resources, [`${prefix}label${separator}${nameOf(GFD.product)}`, product]]);
}

/** The name of a tag on Azure has no slash. */
function azureName(name: string): string {
  return name.replaceAll('_', '~2').replaceAll('/', '_');
}

function slots(offers: NodeGroup['offers']): [resource: string, count: number][] {
  return [...offers].filter(([resource]) => resource !== WHOLE_GPU);
}

/** The one resource that Cluster API's annotations have room for: slots before whole GPUs, the most of them. */
function announced(offers: NodeGroup['offers']): [resource: string, count: number] | undefined {
  return slots(offers).sort(([, a], [, b]) => b - a)[0];
}

/** Source: cluster-autoscaler, `clusterapi_unstructured.go`, `InstanceCapacity`. */
function leftOut(group: NodeGroup): string[] {
  const one = announced(group.offers)?.[0] ?? WHOLE_GPU;
  const others = [...group.offers].filter(([resource, count]) => resource !== one && count > 0).map(([name]) => name);
  if (others.length === 0) return [];
  return [`${titleOf(group)}: Cluster API's annotations name one resource: ${others.join(', ')} is left out`];
}
