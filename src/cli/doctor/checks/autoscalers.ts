/** Autoscalers of nodes: they do not know slots, and take a node without whole GPUs for one whose GPUs are not up. */

import { imageOf } from '../../../api/image.ts';
import { AUTOSCALER_GPU_LABELS } from '../../../api/keys.ts';
import { placeOf } from '../../../api/nvidia-components.ts';
import type { WorkloadResource } from '../../../api/workload-resource.ts';
import { WHOLE_GPU } from '../../../core/resources.ts';
import type { NodeRecord } from '../../../state/node-record.ts';
import { defineCheck, type Finding } from '../check.ts';
import { KARPENTER_DEFINITION } from '../kinds.ts';
import { countOf, namesBy } from '../phrases.ts';
import { repartitionable } from '../repartitionable.ts';

export const autoscalers = defineCheck({
  name: 'autoscalers',
  about: 'cluster-autoscaler or Karpenter, which do not know slots',
  needs: [],
  uses: ['deployments', 'definitions', 'autoscalerStatus', 'nodes'],
  run: ({ deployments, definitions, autoscalerStatus, nodes = [] }, { configuration }) => {
    const clusterAutoscaler =
      deployments?.filter(isClusterAutoscaler).map((each) => `Deployment ${placeOf(each)}`)[0] ??
      autoscalerStatus?.map(({ namespace, name }) => `ConfigMap ${namespace}/${name}`)[0];
    const karpenter =
      deployments?.filter(isKarpenter).map((each) => `Deployment ${placeOf(each)}`)[0] ??
      definitions
        ?.filter(({ name }) => name === KARPENTER_DEFINITION)
        .map(({ name }) => `CustomResourceDefinition ${name}`)[0];
    const seesBoth = deployments || (autoscalerStatus && definitions);
    if (!clusterAutoscaler && !karpenter && !seesBoth) return undefined;
    return [
      ...(clusterAutoscaler ? [...unready(nodes), ...soonUnready(nodes, repartitionable(nodes, configuration))] : []),
      ...(clusterAutoscaler ? [unknown('cluster-autoscaler', clusterAutoscaler, NODE_GROUPS)] : []),
      ...(karpenter ? [unknown('Karpenter', karpenter, NODE_OVERLAY)] : []),
    ];
  },
});

const NODE_GROUPS =
  'tag node groups with what their nodes will offer (gpu-autoscaler generate cluster-autoscaler), or keep enough nodes for pods that share';
const NODE_OVERLAY =
  'add the resources by a NodeOverlay (alpha; gpu-autoscaler generate karpenter), or keep enough nodes for pods that share';

/** Names that others give it: aws-cluster-autoscaler, cluster-autoscaler-arm64. */
const CLUSTER_AUTOSCALER = /(^|-)cluster-autoscaler(-|$)/;
const NAME_LABELS = ['app.kubernetes.io/name', 'app', 'k8s-app'];

function isClusterAutoscaler({ labels, containers }: WorkloadResource): boolean {
  return (
    NAME_LABELS.some((key) => CLUSTER_AUTOSCALER.test(labels[key] ?? '')) ||
    containers.some(({ image }) => CLUSTER_AUTOSCALER.test(imageOf(image).name))
  );
}

/** Its image is called `controller`, in a repository of its own. */
function isKarpenter({ labels, containers }: WorkloadResource): boolean {
  return (
    NAME_LABELS.some((key) => labels[key] === 'karpenter') ||
    containers.some(({ image }) => image.split('@')[0]?.split('/').includes('karpenter'))
  );
}

function unknown(title: string, place: string, fix: string): Finding {
  return {
    severity: 'warning',
    message: `${title} (${place}) makes no node for nvidia.com/gpu.shared and nvidia.com/mig-…: a pod that shares waits for a slot on the nodes that are there`,
    fix,
    objects: [place],
  };
}

function gpuLabelOf({ labels }: NodeRecord): string | undefined {
  return AUTOSCALER_GPU_LABELS.find((key) => labels[key] !== undefined);
}

function hasWhole({ facts }: NodeRecord): boolean {
  return (facts.allocatable.get(WHOLE_GPU) ?? 0) > 0;
}

/** Source: cluster-autoscaler, `gpu_processor.go`; kubernetes/autoscaler#8095. */
function unready(nodes: readonly NodeRecord[]): Finding[] {
  const caught = nodes.filter((node) => !hasWhole(node));
  return namesBy(caught, gpuLabelOf).map(([label, names]) => ({
    severity: 'error',
    message: `cluster-autoscaler takes ${countOf('node', names)} for unready: ${names.length === 1 ? 'it has' : 'they have'} the label ${label} and no ${WHOLE_GPU} to allocate`,
    fix: `leave a GPU of each such node whole (migLayouts of its GPUNodeConfig), or take the label ${label} from its node group`,
    objects: names,
  }));
}

function soonUnready(nodes: readonly NodeRecord[], changed: readonly NodeRecord[]): Finding[] {
  const threatened = nodes.filter((node) => hasWhole(node) && changed.includes(node));
  return namesBy(threatened, gpuLabelOf).map(([label, names]) => ({
    severity: 'warning',
    message: `cluster-autoscaler will take ${countOf('node', names)} for unready once no GPU there is whole: ${names.length === 1 ? 'it has' : 'they have'} the label ${label}`,
    fix: `leave a GPU of each such node whole (migLayouts of its GPUNodeConfig), or take the label ${label} from its node group`,
    objects: names,
  }));
}
