/** Names that users see: annotation and label keys, resources, objects. A public contract. */

import { SHARING_MODES, type SharedMode } from '../core/sharing-mode.ts';

export const PREFIX = 'gpu-autoscaler.io/';

/** The annotation that switches a mode off for a pod. */
export function modeSwitch(mode: SharedMode): string {
  return PREFIX + SHARING_MODES[mode].switch;
}

/** Annotations and labels that users write. */
export const READ = {
  optimize: `${PREFIX}optimize`,
  sharing: `${PREFIX}sharing`,
  sharingMode: `${PREFIX}sharing-mode`,
  migProfile: `${PREFIX}mig-profile`,
  mpsEnabled: modeSwitch('mps'),
  migEnabled: modeSwitch('mig'),
  timeSlicingEnabled: modeSwitch('timeslicing'),
  gpuMemory: `${PREFIX}gpu-memory`,
  gpuFraction: `${PREFIX}gpu-fraction`,
} as const;

export const LABELS = {
  workloadType: `${PREFIX}workload-type`,
  /** Declared GPU memory, for those who prefer labels; the annotation wins. */
  memoryRequirement: `${PREFIX}memory-requirement`,
} as const;

/** Annotations that we write. */
export const WRITTEN = {
  originalGpuRequest: `${PREFIX}original-gpu-request`,
  optimized: `${PREFIX}optimized`,
  strategy: `${PREFIX}optimization-strategy`,
  timestamp: `${PREFIX}optimization-timestamp`,
  reason: `${PREFIX}optimization-reason`,
  /** The GPUSharingPolicy that governs the pod. */
  policy: `${PREFIX}policy`,
  allocation: `${PREFIX}allocation`,
  /** When the pod got a second look, RFC 3339. Before 1.32, kube-scheduler takes no change of the status alone as news. */
  secondLook: `${PREFIX}second-look`,
} as const;

/** Those that tell of a decision: the webhook's alone to write. */
export const DECISION_ANNOTATIONS: readonly string[] = [
  WRITTEN.originalGpuRequest,
  WRITTEN.optimized,
  WRITTEN.strategy,
  WRITTEN.timestamp,
  WRITTEN.reason,
  WRITTEN.policy,
];

/** Labels of NVIDIA's GPU Feature Discovery. */
export const GFD = {
  product: 'nvidia.com/gpu.product',
  count: 'nvidia.com/gpu.count',
  memory: 'nvidia.com/gpu.memory',
  replicas: 'nvidia.com/gpu.replicas',
  sharingStrategy: 'nvidia.com/gpu.sharing-strategy',
  /** mig-manager's: pending, rebooting, success or failed. */
  migConfigState: 'nvidia.com/mig.config.state',
  migStrategy: 'nvidia.com/mig.strategy',
  /** "false" where MIG cannot be switched on, as in the guest of a vGPU. */
  migCapable: 'nvidia.com/mig.capable',
} as const;

/** Labels of GKE. Source: Google's documentation of GPUs in node pools. */
export const GKE = {
  accelerator: 'cloud.google.com/gke-accelerator',
  count: 'cloud.google.com/gke-accelerator-count',
  sharingStrategy: 'cloud.google.com/gke-gpu-sharing-strategy',
  clientsPerGpu: 'cloud.google.com/gke-max-shared-clients-per-gpu',
  partitionSize: 'cloud.google.com/gke-gpu-partition-size',
} as const;

/** Labels of Karpenter's provider for AWS. Source: its documentation of instance types. */
export const KARPENTER_AWS = {
  name: 'karpenter.k8s.aws/instance-gpu-name',
  manufacturer: 'karpenter.k8s.aws/instance-gpu-manufacturer',
  count: 'karpenter.k8s.aws/instance-gpu-count',
  memory: 'karpenter.k8s.aws/instance-gpu-memory',
} as const;

/**
 * Labels by which cluster-autoscaler knows nodes with GPUs: Google's, Amazon's, Azure's, Alibaba's.
 * Source: cluster-autoscaler, `cloudprovider/*`, `GPULabel`.
 */
export const AUTOSCALER_GPU_LABELS = [
  GKE.accelerator,
  'k8s.amazonaws.com/accelerator',
  'accelerator',
  'aliyun.accelerator/nvidia_name',
] as const;

/** Label of a node's machine type. Source: Kubernetes, "Well-Known Labels". */
export const INSTANCE_TYPE = 'node.kubernetes.io/instance-type';

export const KARPENTER_NODE_POOL = 'karpenter.sh/nodepool';

/** Labels by which a node says which pool it was made for: Karpenter's, Amazon's, Google's, Azure's, the first that is there. */
export const NODE_POOL_LABELS = [
  KARPENTER_NODE_POOL,
  'eks.amazonaws.com/nodegroup',
  'cloud.google.com/gke-nodepool',
  'kubernetes.azure.com/agentpool',
  'agentpool',
] as const;

/** Labels that configure NVIDIA's components. */
export const TRIGGERS = {
  /** Key of the device plugin's ConfigMap. */
  plugin: 'nvidia.com/device-plugin.config',
  /** Name in mig-parted's configuration. */
  mig: 'nvidia.com/mig.config',
} as const;

/** What mig-manager writes in place of "true" into the labels by which the operator's DaemonSets choose nodes. */
export const PAUSED = { prefix: 'nvidia.com/gpu.deploy.', value: 'paused-for-mig-change' } as const;

/** Annotations of nodes that we write. */
export const NODE = {
  /** The node's partitions are being changed: no pod is placed there. */
  transition: `${PREFIX}transition`,
  /** What was applied to the node last. */
  partition: `${PREFIX}partition`,
} as const;

/** Of GPUNodeConfigs. */
export const NODE_CONFIG = {
  /** Label: `planner` where it was made, and is kept, by the planner. */
  managedBy: `${PREFIX}managed-by`,
  planner: 'planner',
  /** Annotation: why the planner wants it so. */
  why: `${PREFIX}planned-because`,
  /** Annotation: times of the planner's last changes, RFC 3339, the newest first. */
  plannedAt: `${PREFIX}planned-at`,
} as const;

/** Our custom resources. */
export const API_GROUP = 'gpuautoscaler.io';
export const API_VERSION = 'v1alpha1';

/** Paths of the kinds that are ours. */
export const CUSTOM_RESOURCES = {
  policies: `/apis/${API_GROUP}/${API_VERSION}/gpusharingpolicies`,
  nodeConfigs: `/apis/${API_GROUP}/${API_VERSION}/gpunodeconfigs`,
} as const;

/** Path of the classes of devices of DRA; not known to API servers before Kubernetes 1.34. */
export const DEVICE_CLASSES = '/apis/resource.k8s.io/v1/deviceclasses';

/** Paths of Kueue's queues, the newest version first: which is served depends on Kueue's. */
const pathsOfKueue = (plural: string) =>
  ['v1beta2', 'v1beta1'].map((version) => `/apis/kueue.x-k8s.io/${version}/${plural}`);
export const QUEUES = {
  localQueues: pathsOfKueue('localqueues'),
  clusterQueues: pathsOfKueue('clusterqueues'),
} as const;

/**
 * Names in Kueue's configuration and queues. Nodes do not offer milli-GPUs, and pods do not ask for them: they are of quotas alone. They
 * count in whole numbers, since Kueue rounds fractions of everything but cpu up. Source: Kueue 0.17, `pkg/resources/requests.go`,
 * `ResourceValue`.
 */
export const QUOTA = {
  milliGpu: `${PREFIX}milli-gpu`,
  /** Annotation of a ClusterQueue: resources that Kueue counts as milli-GPUs, with commas between them. */
  countedResources: `${PREFIX}counted-resources`,
} as const;

/** The configuration of an installation. */
export const CONFIG_MAP = { name: 'gpu-autoscaler-config', key: 'config.yaml' } as const;

export const SCHEDULER_NAME = 'gpu-autoscaler-scheduler';
export const SYSTEM_NAMESPACE = 'gpu-autoscaler-system';
export const WEBHOOK_NAME = 'gpu-autoscaler-webhook';
export const WEBHOOK_PATH = '/mutate-v1-pod';
/** The controller, as its events and its Lease name it. */
export const CONTROLLER_NAME = 'gpu-autoscaler-controller';
export const CERTIFICATE_SECRET = 'webhook-server-cert';

/** Pod conditions that we write. */
export const CONDITIONS = {
  /** The pod was refused before the watch reported room, and was tried again: docs/guides/pending-pods.md. */
  secondLook: 'gpu-autoscaler.io/SecondLook',
} as const;
