/** Names that users see: annotation and label keys, resources, objects. A public contract. */

const PREFIX = 'gpu-autoscaler.io/';

/** Annotations and labels that users write. */
export const READ = {
  optimize: `${PREFIX}optimize`,
  sharing: `${PREFIX}sharing`,
  sharingMode: `${PREFIX}sharing-mode`,
  migProfile: `${PREFIX}mig-profile`,
  mpsEnabled: `${PREFIX}mps-enabled`,
  migEnabled: `${PREFIX}mig-enabled`,
  timeSlicingEnabled: `${PREFIX}time-slicing-enabled`,
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
} as const;

/** Labels of NVIDIA's GPU Feature Discovery. */
export const GFD = {
  product: 'nvidia.com/gpu.product',
  count: 'nvidia.com/gpu.count',
  memory: 'nvidia.com/gpu.memory',
  replicas: 'nvidia.com/gpu.replicas',
  sharingStrategy: 'nvidia.com/gpu.sharing-strategy',
  /** mig-manager's: pending, rebooting, success or failed. */
  migConfigState: 'nvidia.com/mig.config.state',
} as const;

/** Our custom resources. */
export const API_GROUP = 'gpuautoscaler.io';
export const API_VERSION = 'v1alpha1';

/** Paths of the kinds that are ours. */
export const CUSTOM_RESOURCES = {
  policies: `/apis/${API_GROUP}/${API_VERSION}/gpusharingpolicies`,
} as const;

/** The configuration of an installation. */
export const CONFIG_MAP = { name: 'gpu-autoscaler-config', key: 'config.yaml' } as const;

export const SCHEDULER_NAME = 'gpu-autoscaler-scheduler';
export const SYSTEM_NAMESPACE = 'gpu-autoscaler-system';
export const WEBHOOK_NAME = 'gpu-autoscaler-webhook';
export const WEBHOOK_PATH = '/mutate-v1-pod';
export const CERTIFICATE_SECRET = 'webhook-server-cert';

/** Pod conditions that we write. */
export const CONDITIONS = {
  /** The pod was refused before the watch told us of room, and was tried again: docs/guides/pending-pods.md. */
  secondLook: 'gpu-autoscaler.io/SecondLook',
} as const;
