/** What of a pod stands in the way of sharing a GPU, whatever there is to share: docs/reference/admission.md. */

import type { SharingObstacle } from '../core/admission/decision-input.ts';
import { isGpuResource, RDMA, WHOLE_GPU } from '../core/resources.ts';
import { type AdmissionPod, controllerOf } from './admission-pod.ts';
import { commandWords, flagAt, MAX_WORD } from './command-words.ts';
import type { ClusterQueue, QueueSigns } from './queues.ts';

interface Signs {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: AdmissionPod['spec'];
  readonly owner: ReturnType<typeof controllerOf>;
  readonly resources: readonly string[];
  /** Commands and arguments, word by word, also those of a script in one of them. */
  readonly words: readonly string[];
  /** Of all containers; undefined where the value is not in the pod. */
  readonly env: ReadonlyMap<string, string | undefined>;
}

interface Rule {
  readonly bars: SharingObstacle['bars'];
  /** In one sentence; undefined: it is no obstacle. */
  readonly why: (signs: Signs) => string | undefined;
}

/** Labels and annotations by which gang schedulers know the members of a group. */
const GANGS: readonly string[] = [
  'scheduling.x-k8s.io/pod-group',
  'pod-group.scheduling.sigs.k8s.io',
  'pod-group.scheduling.sigs.k8s.io/name',
  'scheduling.k8s.io/group-name',
  'scheduling.volcano.sh/group-name',
  'gang.scheduling.koordinator.sh/name',
  'yunikorn.apache.org/task-group-name',
  'pod-group-name',
];
const MEMBERS: readonly (readonly [label: string, of: string])[] = [
  ['leaderworkerset.sigs.k8s.io/name', 'LeaderWorkerSet'],
  ['ray.io/cluster', 'Ray cluster'],
  ['training.kubeflow.org/job-name', 'training job'],
  ['jobset.sigs.k8s.io/jobset-name', 'JobSet'],
  ['grove.io/podclique', 'PodClique'],
  ['pytorch-job-name', 'PyTorchJob'],
  ['mpi-job-name', 'MPIJob'],
];
/** Kinds of owners whose pods work on one thing together. */
const GROUPS =
  /^(LeaderWorkerSet|RayCluster|RayJob|RayService|JobSet|TrainJob|(TF|MPI|PyTorch|JAX|XGBoost|Paddle)Job)$/;
/** Flags and variables of servers and launchers that count the GPUs or nodes of one model. */
const PARALLEL_FLAG =
  /^--?(tp|pp|np|tp-size|pp-size|tensor-parallel-size|pipeline-parallel-size|data-parallel-size|nnodes|num-nodes|num-machines|ray-cluster-size)$/;
/** Flags that only one of several has, whatever they say. */
const MEMBER_FLAG = /^--(node-rank|dist-init-addr|data-parallel-address)$/;
const PARALLEL_ENV = [
  'WORLD_SIZE',
  'NNODES',
  'PET_NNODES',
  'PIPELINE_PARALLEL_SIZE',
  'TENSOR_PARALLEL_SIZE',
  'LWS_GROUP_SIZE',
];
const OTHER_VGPU =
  /^(nvidia\.com\/(gpumem|gpumem-percentage|gpucores|priority)|volcano\.sh\/vgpu|tencent\.com\/vcuda|aliyun\.com\/gpu-)/;
const VM_RUNTIME = /kata|kubevirt|firecracker|cloud-hypervisor/i;

const RULES: readonly Rule[] = [
  {
    bars: 'all',
    why: ({ resources }) =>
      because(
        resources.find((name) => OTHER_VGPU.test(name)),
        'it asks another system for a part of a GPU',
      ),
  },
  {
    bars: 'all',
    why: ({ labels, annotations }) =>
      because(
        GANGS.find((key) => key in labels || key in annotations),
        'its group is placed together by a scheduler of its own',
      ),
  },
  {
    bars: 'sharing',
    why: ({ env }) =>
      because(env.has('CUDA_MPS_PIPE_DIRECTORY') && 'CUDA_MPS_PIPE_DIRECTORY', 'it brings an MPS of its own'),
  },
  {
    bars: 'sharing',
    why: ({ spec }) => ((spec.resourceClaims ?? []).length > 0 ? 'it claims devices by DRA beside the GPU' : undefined),
  },
  {
    bars: 'flow',
    why: ({ owner }) =>
      owner && GROUPS.test(owner.kind) ? `it is a member of ${owner.kind} ${owner.name}` : undefined,
  },
  {
    bars: 'flow',
    why: ({ labels }) => {
      const [label, of] = MEMBERS.find(([key]) => key in labels) ?? [];
      return label && `it is a member of ${of} ${labels[label]}`;
    },
  },
  { bars: 'flow', why: ({ words }) => (joinsRay(words) ? 'it joins a Ray cluster' : undefined) },
  { bars: 'flow', why: parallel },
  { bars: 'flow', why: rank },
  {
    bars: 'flow',
    why: ({ resources }) =>
      because(
        resources.find((name) => RDMA.test(name)),
        'it talks to other GPUs over RDMA',
      ),
  },
  {
    bars: 'flow',
    why: ({ spec: { runtimeClassName } }) =>
      runtimeClassName && VM_RUNTIME.test(runtimeClassName)
        ? `runtimeClassName ${runtimeClassName}: a virtual machine takes a GPU as a whole`
        : undefined,
  },
  {
    bars: 'seesAll',
    why: ({ env }) => {
      const devices = env.get('NVIDIA_VISIBLE_DEVICES') ?? '';
      return because(
        !['', 'void', 'none'].includes(devices) && `NVIDIA_VISIBLE_DEVICES=${devices.slice(0, MAX_WORD)}`,
        'it sees the GPUs that it names, not those that it is given',
      );
    },
  },
  {
    bars: 'seesAll',
    why: ({ spec }) =>
      spec.containers.some(({ securityContext }) => securityContext?.privileged)
        ? 'it is privileged: it sees every GPU of the node'
        : undefined,
  },
  {
    bars: 'mig',
    why: ({ env }) => {
      const capabilities = env.get('NVIDIA_DRIVER_CAPABILITIES');
      const graphics = capabilities?.split(',').some((each) => ['all', 'graphics', 'display'].includes(each.trim()));
      return graphics ? `NVIDIA_DRIVER_CAPABILITIES=${capabilities}: MIG has no graphics` : undefined;
    },
  },
];

/** The obstacles that stand in the pod itself, in order of what they bar; none for most pods. */
export function sharingObstacles({ metadata, spec }: AdmissionPod): SharingObstacle[] {
  const containers = [...spec.containers, ...(spec.initContainers ?? [])];
  const signs: Signs = {
    labels: metadata.labels ?? {},
    annotations: metadata.annotations ?? {},
    spec,
    owner: controllerOf(metadata),
    resources: containers.flatMap(({ resources }) => Object.keys({ ...resources?.limits, ...resources?.requests })),
    words: commandWords(spec.containers),
    env: new Map(
      spec.containers.flatMap(({ env }) => (env ?? []).map(({ name, value }) => [name, value ?? undefined] as const)),
    ),
  };
  return RULES.flatMap(({ bars, why }) => {
    const reason = why(signs);
    return reason === undefined ? [] : [{ bars, why: reason }];
  });
}

/**
 * Why Kueue, which counts the pod, would not count a slot of a shared GPU.
 * @param queue the ClusterQueue that counts what the pod itself asks for, if that is known
 */
export function queueObstacle({ sign }: QueueSigns, queue: ClusterQueue | undefined): SharingObstacle | undefined {
  if (!queue) return { bars: 'sharing', why: `${sign}: Kueue counts what it asked for` };
  if (queue.grants.some((resource) => resource !== WHOLE_GPU && isGpuResource(resource))) return undefined;
  return { bars: 'sharing', why: `${sign}: ClusterQueue ${queue.name} has no quota for slots of shared GPUs` };
}

/** One process of one is no group, whatever address it gives itself. */
function rank({ env }: Signs): string | undefined {
  const isAlone = env.get('WORLD_SIZE') === '1' || /^(localhost$|127\.)/.test(env.get('MASTER_ADDR') ?? '');
  return because(env.has('MASTER_ADDR') && !isAlone && 'MASTER_ADDR', 'it is one rank of several');
}

function joinsRay(words: readonly string[]): boolean {
  return words.some((word, i) => /(^|\/)ray$/.test(word) && /^(start|symmetric-run)$/.test(words[i + 1] ?? ''));
}

/** A model over several GPUs, each of which is another pod's. */
function parallel({ words, env }: Signs): string | undefined {
  for (const i of words.keys()) {
    const { name: flag = '', value = '' } = flagAt(words, i) ?? {};
    if (MEMBER_FLAG.test(flag)) return `${flag}: it is one of several`;
    if (!PARALLEL_FLAG.test(flag)) continue;
    // A variable, `$(LWS_GROUP_SIZE)`, is worth asking for only with more than one; `1:4` is a range.
    const most = Math.max(...value.split(':').map(Number));
    if (most > 1 || value.startsWith('$')) return `${flag} ${value.slice(0, MAX_WORD)}: one model over several GPUs`;
  }
  const name = PARALLEL_ENV.find((each) => Number(env.get(each) ?? 0) > 1);
  return name && `${name}=${env.get(name)}: one model over several GPUs`;
}

function because(sign: string | false | undefined, why: string): string | undefined {
  return sign ? `${sign}: ${why}` : undefined;
}
