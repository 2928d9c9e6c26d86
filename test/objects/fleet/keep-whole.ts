/** Workloads that keep whole GPUs, though slots are free: sharing would harm them, or nobody knows what they need. */

import { A100_MIG, A100_MPS, A100_MPS_DEDICATED, H100_WHOLE } from './nodes.ts';
import { type FleetWorkload, GPU, inference, KEY, pod, TRITON, whole } from './workload.ts';

const QWEN = pod('qwen3-32b-fp8', {
  image: 'vllm/vllm-openai:v0.10.2',
  owner: 'ReplicaSet',
  container: {
    command: ['vllm', 'serve'],
    args: ['Qwen/Qwen3-32B-FP8', '--gpu-memory-utilization=0.95', '--max-model-len=32768'],
    ports: [{ containerPort: 8000 }],
  },
  spec: { tolerations: [{ key: GPU, operator: 'Exists' }] },
});
const MEMORY_UNKNOWN = whole(/looks like inference .*; skipped MPS: it only looks like inference/);
const TAKES_ALL = whole(
  /looks like inference .*; considered MPS: inference with 95% of a GPU's memory by its flag, but no node offers/,
);
const SEES_ALL = /NVIDIA_VISIBLE_DEVICES=all: it sees the GPUs that it names, not those that it is given/;
const RULED_OUT = /considered MPS: .*ruled out by its nodeSelector, affinity or tolerations/;
/** KServe makes pods of it: `decide` is asked with those. */
const INFERENCE_SERVICE = {
  apiVersion: 'serving.kserve.io/v1beta1',
  kind: 'InferenceService',
  metadata: { name: 'huggingface-llama3' },
  spec: { predictor: { model: { resources: { limits: { [GPU]: '1' } } } } },
};
const OLLAMA = { image: 'ollama/ollama', owner: 'ReplicaSet', container: { command: ['ollama', 'serve'] } };
const TWO_NODES = [A100_MPS, H100_WHOLE];

export const KEEP_WHOLE: readonly FleetWorkload[] = [
  {
    id: '02',
    says: 'a server with shared memory of its own, of which nobody knows the GPU memory',
    nodes: TWO_NODES,
    pods: [
      {
        pod: pod('mistral-7b', {
          image: 'vllm/vllm-openai:latest',
          owner: 'ReplicaSet',
          container: {
            command: ['/bin/sh', '-c'],
            args: ['vllm serve mistralai/Mistral-7B-Instruct-v0.3 --trust-remote-code'],
            ports: [{ containerPort: 8000 }],
            volumeMounts: [{ name: 'shm', mountPath: '/dev/shm' }],
          },
          spec: { volumes: [{ name: 'shm', emptyDir: { medium: 'Memory', sizeLimit: '2Gi' } }] },
        }),
        becomes: MEMORY_UNKNOWN,
        node: /h100-whole/,
      },
    ],
  },
  {
    id: '03',
    says: 'members of one model over several pods',
    nodes: TWO_NODES,
    pods: [
      {
        pod: pod('sglang-0-1', {
          image: 'lmsysorg/sglang:latest',
          labels: { 'leaderworkerset.sigs.k8s.io/name': 'sglang', 'leaderworkerset.sigs.k8s.io/worker-index': '1' },
          owner: 'StatefulSet',
          env: { LWS_GROUP_SIZE: '2' },
          container: { command: ['python3', '-m', 'sglang.launch_server', '--tp', '2', '--nnodes', '2'] },
        }),
        becomes: whole(/member of LeaderWorkerSet sglang: it shares only if/),
        node: /h100-whole/,
      },
      {
        pod: pod('prodstack-pp', {
          image: 'vllm/vllm-openai:latest',
          labels: { 'ray.io/node-type': 'worker', 'ray.io/cluster': 'vllm' },
          owner: 'RayCluster',
        }),
        becomes: whole(/member of RayCluster \w+: it shares only if/),
        node: /h100-whole/,
      },
      {
        pod: pod('kserve-multinode', {
          image: 'kserve/huggingfaceserver:v0.15.0-gpu',
          labels: { 'serving.kserve.io/inferenceservice': 'hf-llama3' },
          owner: 'ReplicaSet',
          container: { command: ['bash', '-c', 'ray start --address=$RAY_HEAD_ADDRESS --block'] },
        }),
        becomes: whole(/joins a Ray cluster: it shares only if/),
        node: /h100-whole/,
      },
    ],
  },
  {
    id: '04',
    says: 'a large model of which nobody knows the memory is pressed into no slot',
    nodes: TWO_NODES,
    pods: [{ pod: QWEN, becomes: TAKES_ALL, node: /h100-whole/ }],
  },
  {
    id: '05',
    says: 'slots of a node that the pod does not tolerate do not count',
    nodes: [H100_WHOLE, A100_MPS_DEDICATED],
    pods: [
      { pod: QWEN, becomes: TAKES_ALL, node: /h100-whole/ },
      {
        pod: pod('labelled', { labels: inference }),
        becomes: whole(RULED_OUT),
        node: /h100-whole/,
      },
    ],
  },
  {
    id: '07',
    says: 'a pod of a Kueue queue keeps what its quota counts',
    nodes: TWO_NODES,
    pods: [
      {
        pod: pod('kueue-pod', {
          image: TRITON,
          labels: { 'kueue.x-k8s.io/queue-name': 'user-queue', 'kueue.x-k8s.io/managed': 'true' },
          spec: { schedulingGates: [{ name: 'kueue.x-k8s.io/admission' }] },
        }),
        becomes: whole(/Kueue counts what it asked for: it keeps a whole GPU/),
        node: /h100-whole/,
      },
    ],
  },
  {
    id: '09',
    says: 'a pod that brings an MPS of its own',
    nodes: TWO_NODES,
    pods: [
      {
        pod: pod('own-mps', {
          labels: inference,
          env: { CUDA_MPS_PIPE_DIRECTORY: '/tmp/nvidia-mps', CUDA_MPS_LOG_DIRECTORY: '/tmp/nvidia-log' },
          spec: { hostIPC: true, restartPolicy: 'OnFailure' },
        }),
        becomes: whole(/CUDA_MPS_PIPE_DIRECTORY: it brings an MPS of its own/),
        node: /h100-whole/,
      },
    ],
  },
  {
    id: '10',
    says: 'a pod that sees every GPU of its node, whatever slot it holds',
    nodes: TWO_NODES,
    pods: [
      {
        pod: pod('ollama', {
          image: 'ollama/ollama:latest',
          owner: 'ReplicaSet',
          env: { NVIDIA_VISIBLE_DEVICES: 'all', NVIDIA_DRIVER_CAPABILITIES: 'compute,utility' },
          spec: { runtimeClassName: 'nvidia' },
        }),
        becomes: whole(SEES_ALL, { warning: SEES_ALL }),
        node: /h100-whole/,
      },
      {
        pod: pod('privileged', {
          labels: inference,
          env: { NVIDIA_VISIBLE_DEVICES: 'all' },
          container: { securityContext: { privileged: true } },
          spec: { hostPID: true },
        }),
        becomes: whole(SEES_ALL, { warning: SEES_ALL }),
        node: /h100-whole/,
      },
    ],
  },
  {
    id: '13',
    says: 'pods of controllers that we do not know; `decide` says what it passes over',
    nodes: TWO_NODES,
    others: [INFERENCE_SERVICE],
    pods: [
      {
        pod: pod('huggingface-llama3-predictor', {
          image: 'kserve/huggingfaceserver:v0.15.0-gpu',
          labels: { 'serving.kserve.io/inferenceservice': 'huggingface-llama3' },
          owner: 'ReplicaSet',
          container: { args: ['--model_name=llama3', '--model_id=meta-llama/meta-llama-3-8b-instruct'] },
        }),
        becomes: MEMORY_UNKNOWN,
        node: /h100-whole/,
      },
      { pod: pod('web', { image: TRITON, owner: 'ReplicaSet' }), becomes: MEMORY_UNKNOWN, node: /h100-whole/ },
    ],
  },
  {
    id: '18',
    says: 'graphics are not sent to MIG, which has none',
    nodes: [A100_MIG, H100_WHOLE],
    pods: [
      {
        pod: pod('selkies', {
          image: 'ghcr.io/selkies-project/nvidia-egl-desktop:latest',
          annotations: { [`${KEY}gpu-memory`]: '8Gi' },
          env: { NVIDIA_DRIVER_CAPABILITIES: 'all' },
        }),
        becomes: whole(/skipped MIG: NVIDIA_DRIVER_CAPABILITIES=all: MIG has no graphics/),
        node: /h100-whole/,
      },
    ],
  },
  {
    id: '22',
    says: 'the reason says that the pod itself leaves slots out',
    nodes: TWO_NODES,
    pods: [
      {
        pod: pod('hostnode', { ...OLLAMA, spec: { nodeSelector: { 'kubernetes.io/hostname': 'h100-whole' } } }),
        becomes: MEMORY_UNKNOWN,
        node: /h100-whole/,
      },
      {
        pod: pod('hostnode-labelled', {
          ...OLLAMA,
          labels: inference,
          spec: { nodeSelector: { 'kubernetes.io/hostname': 'h100-whole' } },
        }),
        becomes: whole(RULED_OUT),
        node: /h100-whole/,
      },
      {
        pod: pod('karp', { ...OLLAMA, spec: { nodeSelector: { 'karpenter.sh/nodepool': 'gpu' } } }),
        becomes: MEMORY_UNKNOWN,
        waits: /didn't match Pod's node affinity\/selector/,
      },
    ],
  },
];
