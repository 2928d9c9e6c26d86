/**
 * The configuration file: the chart's values `binPacking`, `sharing`, `admissionWebhook` and `reconciler`, as one schema. What of
 * them concerns only the chart stands here too, so that a whole values.yaml may be given.
 */

import { z } from 'zod';
import { WHEN_FULL } from '../core/admission/decision-input.ts';
import { strategyNames } from '../core/strategies/registry.ts';
import { labelSelector } from './labels.ts';
import {
  activeThreads,
  fairnessMode,
  MPS_RULES,
  memoryLimit,
  migProfile,
  mpsClients,
  sliceMs,
  timeSlices,
} from './sharing-bounds.ts';

/** Of pino, the gravest first. */
export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const;

const labels = z.record(z.string(), z.string()).default({});
/** Objects of Kubernetes, which its API server checks. */
const kubernetesObject = z.record(z.string(), z.unknown());
const replicas = z.int().min(1).optional();

const binPacking = z.strictObject({
  enabled: z.boolean().default(true).describe('Whether optimized pods are placed by our scheduler.'),
  strategy: z.enum(strategyNames as [string, ...string[]]).default('bestfit'),
  narrowing: z.boolean().default(true).describe('Name the best node alone, unless the pod prefers some node itself.'),
  analysisInterval: duration().default('5m').describe('How often consolidation is looked for.'),
  autoConsolidate: z.boolean().default(false).describe('Act on what consolidation recommends.'),
  replicas,
  scheduler: z.strictObject({ image: z.string().min(1).optional(), resources: kubernetesObject.optional() }).optional(),
  resources: kubernetesObject.optional(),
});

const mig = z.strictObject({
  enabled: z.boolean().default(true),
  autoConfig: z
    .boolean()
    .default(false)
    .describe('Pods may be given instances that nodes could be configured to offer.'),
  defaultProfile: migProfile
    .optional()
    .describe('Given to pods that do not declare GPU memory, where it is on offer; else the smallest.'),
  nodeSelector: labels,
});

const mps = z
  .strictObject({
    enabled: z.boolean().default(true),
    autoConfig: z.boolean().default(false),
    maxClients: mpsClients.default(16),
    defaultActiveThreads: activeThreads.default(100).describe('Percent; 100 sets no limit of its own.'),
    resources: z.strictObject({ memoryLimitMB: memoryLimit.optional() }).default({}),
    nodeSelector: labels,
  })
  .superRefine(({ resources, ...terms }, context) => {
    for (const { holds, field, message } of MPS_RULES) {
      const path = field === 'memoryLimitMB' ? ['resources', field] : [field];
      if (!holds({ ...terms, ...resources })) context.addIssue({ code: 'custom', path, message });
    }
  });

const timeSlicing = z.strictObject({
  enabled: z.boolean().default(true),
  autoConfig: z.boolean().default(false),
  replicasPerGPU: timeSlices.default(4),
  sliceMs: sliceMs.default(100),
  fairnessMode: fairnessMode.default('roundrobin'),
  oversubscribe: z.boolean().default(false).describe('A slot may use the memory of the whole GPU.'),
  nodeSelector: labels,
});

const admissionWebhook = z.strictObject({
  enabled: z.boolean().default(true),
  rewriteRequests: z
    .boolean()
    .default(true)
    .describe('False: pods keep their request; the reason says what they would get.'),
  failurePolicy: z.enum(['Ignore', 'Fail']).default('Ignore'),
  timeoutSeconds: z.int().min(1).max(30).default(3),
  exemptNamespaces: z.array(z.string().min(1)).default(['kube-system']),
  namespaceSelector: labelSelector
    .strict()
    .default({})
    .describe('Namespaces whose pods are looked at, by their labels; {} for all.'),
  optimization: z
    .strictObject({
      enableMIG: z.boolean().default(true),
      enableMPS: z.boolean().default(true),
      enableTimeSlicing: z.boolean().default(true),
      autoDetectWorkloadType: z.boolean().default(true),
    })
    .prefault({}),
  history: z
    .strictObject({
      prometheusUrl: z
        .url({ protocol: /^https?$/, error: 'not the URL of a Prometheus, such as http://prometheus.monitoring:9090' })
        .regex(/^https?:\/\//, 'not the URL of a Prometheus, such as http://prometheus.monitoring:9090')
        .refine(hasReadableUser, 'user and password cannot be read: write % as %25')
        .optional()
        .describe('Prometheus that scrapes dcgm-exporter; without it history is not used.'),
      refreshInterval: duration().default('10m'),
    })
    .prefault({}),
  certificates: z
    .strictObject({
      mode: z.enum(['self', 'cert-manager', 'files']).optional(),
      secretName: z.string().optional(),
      caBundle: z.string().optional(),
    })
    .optional(),
  replicas,
  resources: kubernetesObject.optional(),
});

/** Of namespaces and ConfigMaps. */
const objectName = z.string().regex(/^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/, {
  error: ({ input }) => `${JSON.stringify(input)} is not the name of an object`,
});

const reconciler = z.strictObject({
  enabled: z
    .boolean()
    .default(true)
    .describe("Whether GPUNodeConfigs are carried out, through the ConfigMaps and labels of NVIDIA's components."),
  namespace: objectName.default('gpu-operator').describe('Where the two ConfigMaps are.'),
  devicePluginConfigMap: objectName
    .default('gpu-autoscaler-device-plugin')
    .describe("The one that the device plugin reads: the GPU operator's devicePlugin.config.name."),
  migManagerConfigMap: objectName
    .default('gpu-autoscaler-mig-parted')
    .describe("The one that mig-manager reads: the GPU operator's migManager.config.name."),
  maxInTransition: z
    .union([z.int().min(1), z.string().regex(/^([1-9]\d?|100)%$/, 'not a number of nodes, nor a share such as 10%')])
    .default('10%')
    .describe(
      'Nodes whose partitions change at the same time: a number, or a share of the nodes with GPUs, at least one.',
    ),
  propagation: duration()
    .default('90s')
    .describe("Until kubelets have brought a changed ConfigMap to NVIDIA's components."),
  pluginDeadline: duration().default('3m').describe('After so long the device plugin is configured again.'),
  migDeadline: duration().default('10m').describe('After so long mig-manager is repaired and triggered again.'),
  planner: z
    .strictObject({
      idle: duration().default('10s').describe('After the last pod that cannot be placed, so long is waited for more.'),
      longest: duration().default('60s').describe('So long at most.'),
      keepWholeGpu: z
        .boolean()
        .default(true)
        .describe('One GPU stays whole on nodes with a label by which cluster-autoscaler expects nvidia.com/gpu.'),
    })
    .prefault({}),
});

export const configurationSchema = z.strictObject({
  binPacking: binPacking.prefault({}),
  sharing: z
    .strictObject({
      whenFull: z
        .enum(WHEN_FULL)
        .default('wait')
        .describe(
          'What a pod that would share does while all slots for it are taken: wait for one, or keep a whole GPU.',
        ),
      mig: mig.prefault({}),
      mps: mps.prefault({}),
      timeSlicing: timeSlicing.prefault({}),
    })
    .prefault({}),
  admissionWebhook: admissionWebhook.prefault({}),
  reconciler: reconciler.prefault({}),
  logLevel: z.enum(LOG_LEVELS).optional(),
  image: z
    .strictObject({
      repository: z.string().min(1).optional(),
      tag: z.string().optional(),
      pullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']).optional(),
    })
    .optional(),
  imagePullSecrets: z.array(kubernetesObject).optional(),
  controller: z.strictObject({ resources: kubernetesObject.optional() }).optional(),
  global: kubernetesObject.optional(),
});
export type Configuration = z.infer<typeof configurationSchema>;

function hasReadableUser(url: string): boolean {
  if (!URL.canParse(url)) return true;
  const { username, password } = new URL(url);
  try {
    decodeURIComponent(username + password);
    return true;
  } catch {
    return false;
  }
}

/** `5m`, `90s`, `1h`: a text, of which `milliseconds` makes a number. */
function duration() {
  return z.string().regex(/^[1-9]\d{0,5}(s|m|h)$/, {
    error: ({ input }) => `${JSON.stringify(input)} is not a time such as 90s, 5m or 1h`,
  });
}

const UNITS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };

/** ms of `5m`. */
export function milliseconds(text: string): number {
  return Number(text.slice(0, -1)) * (UNITS[text.slice(-1)] ?? 0);
}
