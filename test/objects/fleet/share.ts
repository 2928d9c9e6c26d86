/** Workloads that share, by a decision or because of what `nvidia.com/gpu` is on their nodes; and those that others serve. */

import { A100_MPS, DRA, H100_WHOLE, L4_SLICES, LOOK_WHOLE, T4_SLICES } from './nodes.ts';
import {
  asItCame,
  byMps,
  type FleetWorkload,
  GPU,
  inference,
  KEY,
  pod,
  SHARED,
  TOLERATIONS,
  TRITON,
  whole,
} from './workload.ts';

const CUDA_SAMPLE = 'nvcr.io/nvidia/k8s/cuda-sample:vectoradd-cuda12.5.0';
const DRIVER = 'gpu.nvidia.com';

export const SHARE: readonly FleetWorkload[] = [
  {
    id: '01',
    says: 'NVIDIA’s default time-slicing: what no rule shares runs as before',
    nodes: L4_SLICES,
    pods: [
      {
        pod: pod('time-slicing-verification', {
          image: CUDA_SAMPLE,
          owner: 'ReplicaSet',
          spec: { hostPID: true, tolerations: TOLERATIONS },
        }),
        replicas: 5,
        becomes: asItCame(/nvidia\.com\/gpu is a slot of a GPU on 2 nodes: it stays as it came/),
        node: /l4-ts-default/,
        record: { mode: 'timeslicing', milliGpu: 250 },
      },
      {
        pod: pod('gpu-pod', { image: CUDA_SAMPLE, spec: { tolerations: TOLERATIONS, restartPolicy: 'Never' } }),
        becomes: asItCame(/it stays as it came/),
        node: /l4-ts-default/,
      },
    ],
  },
  {
    id: '08',
    says: 'pods of two users do not meet in one MPS daemon',
    nodes: [A100_MPS],
    pods: [
      {
        pod: pod('root-triton', { image: TRITON, labels: inference, spec: { securityContext: { runAsUser: 0 } } }),
        becomes: byMps,
        node: /a100-mps/,
      },
      {
        pod: pod('kserve-hf', {
          image: 'kserve/huggingfaceserver:v0.15.0-gpu',
          labels: inference,
          spec: { securityContext: { runAsNonRoot: true, runAsUser: 1000 } },
        }),
        becomes: byMps,
        amongOthers: whole(/MPS daemons of the nodes that offer a slot for it serve other users/),
        waits: /Insufficient nvidia\.com\/gpu/,
      },
    ],
  },
  {
    id: '14',
    says: 'a label that another webhook writes after the decision does not undo it',
    nodes: [A100_MPS, H100_WHOLE],
    pods: [
      {
        pod: pod('labelled-by-kyverno', {
          image: 'vllm/vllm-openai:v0.8.5',
          labels: { [`${KEY}workload-type`]: 'training' },
          annotations: { [`${KEY}optimized`]: 'true', [`${KEY}optimization-strategy`]: 'mps' },
          limits: { [SHARED]: 1 },
        }),
        becomes: { resource: SHARED, strategy: 'mps' },
        node: /a100-mps/,
      },
    ],
  },
  {
    id: '15',
    says: 'one pod more than there are slots waits (`sharing.whenFull: wholeGpu`: `full-slots.test.ts`)',
    nodes: [A100_MPS, H100_WHOLE],
    pods: [
      {
        pod: pod('fill', { image: TRITON, labels: inference, owner: 'ReplicaSet' }),
        replicas: 65,
        becomes: byMps,
        node: /a100-mps/,
        running: 64,
        waits: /Insufficient nvidia\.com\/gpu\.shared/,
      },
    ],
  },
  {
    id: '16',
    says: 'slices that look like whole GPUs are known as slices',
    nodes: LOOK_WHOLE,
    pods: [
      {
        pod: pod('cuda-simple', {
          image: 'nvidia/cuda:11.0.3-base-ubi7',
          owner: 'Job',
          spec: {
            nodeSelector: { 'cloud.google.com/gke-gpu-sharing-strategy': 'time-sharing' },
            tolerations: [{ key: GPU, operator: 'Exists' }],
            restartPolicy: 'Never',
          },
        }),
        replicas: 2,
        becomes: asItCame(/nvidia\.com\/gpu is a slot of a GPU on 1 node: it stays as it came/),
        node: /gke-ts/,
        record: { mode: 'timeslicing', milliGpu: 250 },
      },
      {
        pod: pod('train', { labels: { [`${KEY}workload-type`]: 'training' } }),
        becomes: asItCame(/training keeps a whole GPU; nvidia\.com\/gpu is a slot of a GPU on 1 node/),
        node: /a100-mig-single/,
        record: { mode: 'mig', milliGpu: 142, memoryMiB: 4_864 },
      },
    ],
  },
  {
    id: '19',
    says: 'limits that the pod may have from its envFrom stand',
    nodes: [A100_MPS],
    others: [
      {
        apiVersion: 'gpuautoscaler.io/v1alpha1',
        kind: 'GPUSharingPolicy',
        metadata: { name: 'limits' },
        spec: {
          strategy: 'mps',
          podSelector: { matchLabels: { app: 'limited' } },
          mpsConfig: { maxClients: 16, memoryLimitMB: 2_048 },
        },
      },
    ],
    pods: [
      {
        pod: pod('envfrom', {
          labels: { app: 'limited' },
          container: { envFrom: [{ configMapRef: { name: 'mps-limits' } }] },
        }),
        becomes: { ...byMps, env: {} },
        node: /a100-mps/,
      },
      {
        pod: pod('without', { labels: { app: 'limited' } }),
        becomes: { ...byMps, env: { CUDA_MPS_PINNED_DEVICE_MEM_LIMIT: '0=2048M' } },
        node: /a100-mps/,
      },
    ],
  },
  {
    id: '21',
    says: 'two time-slices by name: the author is told',
    nodes: [T4_SLICES],
    pods: [
      {
        pod: pod('two-slots', { limits: { [SHARED]: 2 } }),
        becomes: { resource: SHARED, warning: /2 slots of nvidia\.com\/gpu\.shared may be of one GPU/ },
        node: /t4-ts/,
        record: { mode: 'timeslicing', count: 2 },
      },
    ],
  },
  // A DeviceClass is the whole cluster's: it comes last.
  {
    id: '06',
    says: 'GPUs that DRA serves under the plain name',
    nodes: [DRA],
    others: [
      {
        apiVersion: 'resource.k8s.io/v1',
        kind: 'DeviceClass',
        metadata: { name: DRIVER },
        spec: { extendedResourceName: GPU, selectors: [{ cel: { expression: `device.driver == '${DRIVER}'` } }] },
      },
      {
        apiVersion: 'resource.k8s.io/v1',
        kind: 'ResourceSlice',
        metadata: { name: 'dra-1-gpus' },
        spec: {
          driver: DRIVER,
          nodeName: 'dra-1',
          pool: { name: 'dra-1', generation: 1, resourceSliceCount: 1 },
          devices: [{ name: 'gpu-0' }, { name: 'gpu-1' }],
        },
      },
    ],
    pods: [
      {
        pod: pod('gpu-pod', { image: CUDA_SAMPLE, spec: { tolerations: TOLERATIONS, restartPolicy: 'Never' } }),
        becomes: whole(/DRA may serve nvidia\.com\/gpu \(DeviceClass gpu\.nvidia\.com\)/),
        node: /dra-1/,
        record: { mode: 'dra', milliGpu: 0 },
      },
    ],
  },
];
