/**
 * Pods as a watch shows them, at each turn of their lives: with all that the API server, kube-scheduler, kubelet, a Job's
 * controller and our webhook write, about 4 KiB of JSON.
 */

import type { AllocationRecord } from '#src/api/allocation-record.ts';
import { LABELS, READ, SCHEDULER_NAME, WRITTEN } from '#src/api/keys.ts';
import { fields, writtenBy } from './managed-fields.ts';
import { GPUS_PER_NODE, type Share } from './shares.ts';

/** In the order in which they happen. */
export const LIFE = ['created', 'unschedulable', 'bound', 'running', 'other status', 'succeeded', 'deleted'] as const;
export type Turn = (typeof LIFE)[number];

/** GPUSharingPolicy of all of them that ask for GPUs. */
export const POLICY = 'inference';

export interface BenchPod {
  /** No other pod has the same. */
  readonly n: number;
  readonly node: string;
  /** Undefined for a pod without GPUs. */
  readonly share: Share | undefined;
}

const CREATED = '2026-11-02T08:15:04Z';
const BOUND = '2026-11-02T08:15:31Z';
const STARTED = '2026-11-02T08:15:37Z';
const FINISHED = '2026-11-02T11:42:10Z';
const IMAGE = 'registry.example.com/ml/inference-server';
const DIGEST = 'sha256:3f1a9a0a2b8c9d5e7f60718293a4b5c6d7e8f90112233445566778899aabbccd';

/** @param version as resourceVersion */
export function podAt({ n, node, share }: BenchPod, turn: Turn, version: number): object {
  const at = LIFE.indexOf(turn);
  const job = `embed-${String(n >> 3).padStart(6, '0')}`;
  const suffix = n.toString(36).padStart(5, 'b');
  const annotations = {
    'prometheus.io/port': '9400',
    'prometheus.io/scrape': 'true',
    ...(share && decided(share)),
    ...(share && at >= LIFE.indexOf('bound') && recorded(share, node, n)),
  };
  return {
    kind: 'Pod',
    apiVersion: 'v1',
    metadata: {
      name: `${job}-${suffix}`,
      generateName: `${job}-`,
      namespace: `team-${n % 40}`,
      uid: uidOf(n),
      resourceVersion: String(version),
      creationTimestamp: CREATED,
      ...(turn === 'deleted' && { deletionTimestamp: FINISHED, deletionGracePeriodSeconds: 0 }),
      labels: {
        app: 'embeddings',
        'batch.kubernetes.io/controller-uid': uidOf(n >> 3),
        'batch.kubernetes.io/job-name': job,
        team: `team-${n % 40}`,
        ...(share && { [LABELS.workloadType]: share.mode === 'exclusive' ? 'training' : 'inference' }),
      },
      annotations,
      ownerReferences: [
        {
          apiVersion: 'batch/v1',
          kind: 'Job',
          name: job,
          uid: uidOf(n >> 3),
          controller: true,
          blockOwnerDeletion: true,
        },
      ],
      managedFields: managedFields(at, Object.keys(annotations)),
    },
    spec: specOf(share, at >= LIFE.indexOf('bound') ? node : undefined),
    status: statusOf(share, n, turn),
  };
}

/** Annotations of the author and of the webhook. */
export function decided({ mode, gpuMemory, reason }: Share): Record<string, string> {
  return {
    [READ.gpuMemory]: gpuMemory,
    [WRITTEN.optimized]: 'true',
    [WRITTEN.reason]: reason,
    [WRITTEN.strategy]: mode,
    [WRITTEN.timestamp]: '2026-11-02T08:15:04.113Z',
    [WRITTEN.originalGpuRequest]: '1',
    [WRITTEN.policy]: POLICY,
  };
}

/** The annotation of the Binding. */
export function recorded(
  { mode, resource, slotMilli, slotMiB }: Share,
  node: string,
  n: number,
): Record<string, string> {
  const holding = { mode, resource, count: 1, milliGpu: slotMilli, memoryMiB: slotMiB, gpus: [n % GPUS_PER_NODE] };
  const record: AllocationRecord = { v: 1, node, strategy: 'bestfit', ...holding };
  return { [WRITTEN.allocation]: JSON.stringify(record) };
}

function uidOf(n: number): string {
  return `6a1f3c52-9d0e-4b7a-8c11-${n.toString(16).padStart(12, '0')}`;
}

function specOf(share: Share | undefined, node: string | undefined): object {
  const amounts = { cpu: '4', memory: '24Gi', ...(share && { [share.resource]: '1' }) };
  const api = 'kube-api-access-x7k2p';
  return {
    volumes: [
      { name: 'models', persistentVolumeClaim: { claimName: 'models-read-only', readOnly: true } },
      { name: 'dshm', emptyDir: { medium: 'Memory', sizeLimit: '8Gi' } },
      {
        name: api,
        projected: {
          sources: [
            { serviceAccountToken: { expirationSeconds: 3607, path: 'token' } },
            { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
          ],
          defaultMode: 420,
        },
      },
    ],
    containers: [
      {
        name: 'main',
        image: `${IMAGE}:2.14.3`,
        args: ['--model=/models/embed-large', '--batch-size=64', '--precision=bf16'],
        env: [
          { name: 'MODEL_CACHE', value: '/models' },
          { name: 'OMP_NUM_THREADS', value: '4' },
          { name: 'HF_TOKEN', valueFrom: { secretKeyRef: { name: 'hugging-face', key: 'token' } } },
        ],
        resources: { limits: amounts, requests: amounts },
        volumeMounts: [
          { name: 'models', readOnly: true, mountPath: '/models' },
          { name: 'dshm', mountPath: '/dev/shm' },
          { name: api, readOnly: true, mountPath: '/var/run/secrets/kubernetes.io/serviceaccount' },
        ],
        imagePullPolicy: 'IfNotPresent',
      },
    ],
    restartPolicy: 'Never',
    terminationGracePeriodSeconds: 30,
    dnsPolicy: 'ClusterFirst',
    serviceAccountName: 'default',
    serviceAccount: 'default',
    ...(node !== undefined && { nodeName: node }),
    securityContext: {},
    schedulerName: share ? SCHEDULER_NAME : 'default-scheduler',
    tolerations: [
      ...(share ? [{ key: 'nvidia.com/gpu', operator: 'Exists', effect: 'NoSchedule' }] : []),
      { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
      { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
    ],
    priority: 0,
    enableServiceLinks: true,
    preemptionPolicy: 'PreemptLowerPriority',
  };
}

function statusOf(share: Share | undefined, n: number, turn: Turn): object {
  if (turn === 'created') return { phase: 'Pending', qosClass: 'Guaranteed' };
  if (turn === 'unschedulable') {
    const message = `0/1000 nodes are available: 1000 Insufficient ${share?.resource ?? 'cpu'}.`;
    const conditions = [condition('PodScheduled', 'False', CREATED, { reason: 'Unschedulable', message })];
    return { phase: 'Pending', conditions, qosClass: 'Guaranteed' };
  }
  const scheduled = condition('PodScheduled', 'True', BOUND);
  if (turn === 'bound') return { phase: 'Pending', conditions: [scheduled], qosClass: 'Guaranteed' };
  const hasEnded = turn === 'succeeded' || turn === 'deleted';
  const ended = hasEnded ? { reason: 'PodCompleted' } : {};
  const [since, ready] = hasEnded ? [FINISHED, 'False'] : [STARTED, 'True'];
  const conditions = [
    condition('PodReadyToStartContainers', ready, since),
    condition('Initialized', 'True', BOUND, ended),
    condition('Ready', ready, since, ended),
    // Of a readiness gate that somebody else keeps.
    ...(turn === 'running' ? [] : [condition('example.com/LoadBalancerAttached', 'True', STARTED)]),
    condition('ContainersReady', ready, since, ended),
    scheduled,
  ];
  const containerID = `containerd://${DIGEST.slice(7)}`;
  const state = hasEnded
    ? {
        terminated: {
          exitCode: 0,
          reason: 'Completed',
          startedAt: STARTED,
          finishedAt: FINISHED,
          containerID,
        },
      }
    : { running: { startedAt: STARTED } };
  return {
    phase: hasEnded ? 'Succeeded' : 'Running',
    conditions,
    hostIP: '10.20.30.40',
    podIP: `10.${n % 200}.${(n >> 3) % 250}.${n % 250}`,
    startTime: BOUND,
    containerStatuses: [
      {
        name: 'main',
        state,
        lastState: {},
        ready: !hasEnded,
        restartCount: 0,
        image: `${IMAGE}:2.14.3`,
        imageID: `${IMAGE}@${DIGEST}`,
        containerID,
        started: !hasEnded,
      },
    ],
    qosClass: 'Guaranteed',
  };
}

function condition(type: string, status: string, since: string, more: object = {}): object {
  return { type, status, lastProbeTime: null, lastTransitionTime: since, ...more };
}

const OF_CONTAINER = {
  '.': {},
  ...fields(['args', 'env', 'image', 'imagePullPolicy', 'name', 'volumeMounts']),
  'f:resources': { '.': {}, 'f:limits': fields(['cpu', 'memory']), 'f:requests': fields(['cpu', 'memory']) },
};

/** Who wrote which field. A Binding leaves no trace. */
function managedFields(at: number, annotations: readonly string[]): object[] {
  const ofConditions = (types: readonly string[]) => ({
    'f:status': {
      'f:conditions': Object.fromEntries(types.map((type) => [`k:{"type":"${type}"}`, { 'f:status': {} }])),
    },
  });
  const made = writtenBy('kube-controller-manager', CREATED, {
    'f:metadata': {
      'f:annotations': { '.': {}, ...fields(annotations) },
      'f:generateName': {},
      'f:labels': { '.': {}, ...fields(['app', 'batch.kubernetes.io/job-name', 'team']) },
      'f:ownerReferences': { '.': {} },
    },
    'f:spec': {
      'f:containers': { 'k:{"name":"main"}': OF_CONTAINER },
      ...fields(['dnsPolicy', 'restartPolicy', 'schedulerName', 'tolerations', 'volumes']),
    },
  });
  const scheduled = writtenBy('kube-scheduler', CREATED, ofConditions(['PodScheduled']), 'status');
  const ran = writtenBy('kubelet', STARTED, ofConditions(['ContainersReady', 'Initialized', 'Ready']), 'status');
  return [
    made,
    ...(at >= LIFE.indexOf('unschedulable') ? [scheduled] : []),
    ...(at >= LIFE.indexOf('running') ? [ran] : []),
  ];
}
