/** What of a pod stands in the way of sharing, and what it bars. */

import tap from 'tap';
import { admissionPodSchema } from '#src/api/admission-pod.ts';
import { queueSignsOf } from '#src/api/queues.ts';
import { queueObstacle, sharingObstacles } from '#src/api/sharing-obstacles.ts';

interface Parts {
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly limits?: Readonly<Record<string, string>>;
  readonly container?: object;
  readonly spec?: object;
}

function obstaclesOf({ labels = {}, annotations = {}, args = [], env = {}, limits = {}, container, spec }: Parts) {
  const variables = Object.entries(env).map(([name, value]) => ({ name, value }));
  const main = { name: 'main', args, env: variables, resources: { limits: { 'nvidia.com/gpu': '1', ...limits } } };
  const pod = { metadata: { labels, annotations }, spec: { containers: [{ ...main, ...container }], ...spec } };
  const parsed = admissionPodSchema.parse(pod);
  const queue = queueSignsOf(parsed);
  const ofQueue = queue && queueObstacle(queue, undefined);
  return [...(ofQueue ? [ofQueue] : []), ...sharingObstacles(parsed)].map(({ bars, why }) => `${bars}: ${why}`);
}

const BARRED: readonly [what: string, parts: Parts, obstacle: RegExp][] = [
  ['a part of a GPU of another system', { limits: { 'nvidia.com/gpumem': '3000' } }, /^all: nvidia\.com\/gpumem: /],
  ["Volcano's vGPU", { limits: { 'volcano.sh/vgpu-number': '1' } }, /^all: volcano\.sh\/vgpu-number: /],
  ['a pod group', { labels: { 'scheduling.x-k8s.io/pod-group': 'g' } }, /^all: .*placed together/],
  ['a pod group of Volcano', { annotations: { 'scheduling.k8s.io/group-name': 'g' } }, /^all: .*placed together/],
  ['a queue of Kueue', { labels: { 'kueue.x-k8s.io/queue-name': 'q' } }, /^sharing: .*Kueue counts/],
  ['an MPS of its own', { env: { CUDA_MPS_PIPE_DIRECTORY: '/tmp/mps' } }, /^sharing: .*MPS of its own/],
  ['DRA claims', { spec: { resourceClaims: [{ name: 'nic' }] } }, /^sharing: it claims devices by DRA/],
  [
    'a LeaderWorkerSet',
    { labels: { 'leaderworkerset.sigs.k8s.io/name': 'x' } },
    /^flow: .*member of LeaderWorkerSet x/,
  ],
  ['a Ray cluster', { labels: { 'ray.io/cluster': 'x' } }, /^flow: it is a member of Ray cluster x/],
  ['a command that joins one', { args: ['export A=b; ray start --block'] }, /^flow: it joins a Ray cluster/],
  ['Ray, word by word', { args: ['/opt/bin/ray', 'start', '--head'] }, /^flow: it joins a Ray cluster/],
  [
    'flags in a script',
    { args: ['vllm serve m \\\n  --tensor-parallel-size "2"'] },
    /^flow: --tensor-parallel-size 2: /,
  ],
  ['flags with underscores', { args: ['--tensor_parallel_size=2'] }, /^flow: --tensor-parallel-size 2: /],
  ['a variable of the shell', { args: ['serve --tp $TP'] }, /^flow: --tp \$TP: /],
  ['a range of nodes', { args: ['torchrun', '--nnodes=1:4'] }, /^flow: --nnodes 1:4: /],
  ['a rank', { args: ['--node-rank', '0'] }, /^flow: --node-rank: it is one of several/],
  ['processes of MPI', { args: ['mpirun -np 4 train'] }, /^flow: -np 4: /],
  ["Kueue's gate", { spec: { schedulingGates: [{ name: 'kueue.x-k8s.io/admission' }] } }, /^sharing: .*Kueue counts/],
  ['RDMA by any name', { limits: { 'openshift.io/mlxrdma': '1' } }, /^flow: .*over RDMA/],
  ['tensor parallel', { args: ['--tp', '2'] }, /^flow: --tp 2: one model over several GPUs/],
  ['tensor parallel, in one word', { args: ['--tensor-parallel-size=4'] }, /^flow: --tensor-parallel-size 4: /],
  [
    'several nodes by a variable',
    { args: ['--nnodes', '$(LWS_GROUP_SIZE)'] },
    /^flow: --nnodes \$\(LWS_GROUP_SIZE\): /,
  ],
  ['several ranks by a variable', { env: { WORLD_SIZE: '8' } }, /^flow: WORLD_SIZE=8: /],
  ['a rank of several', { env: { MASTER_ADDR: 'x-0' } }, /^flow: MASTER_ADDR: it is one rank of several/],
  ['RDMA', { limits: { 'rdma/hca_shared_devices_a': '1' } }, /^flow: .*over RDMA/],
  ['RDMA on AWS', { limits: { 'vpc.amazonaws.com/efa': '4' } }, /^flow: .*over RDMA/],
  ['a virtual machine', { spec: { runtimeClassName: 'kata-qemu-nvidia-gpu' } }, /^flow: .*virtual machine/],
  [
    'every GPU by a variable',
    { env: { NVIDIA_VISIBLE_DEVICES: 'all' } },
    /^seesAll: NVIDIA_VISIBLE_DEVICES=all: it sees/,
  ],
  ['GPUs that it names', { env: { NVIDIA_VISIBLE_DEVICES: '0,1' } }, /^seesAll: NVIDIA_VISIBLE_DEVICES=0,1: it sees/],
  ['privileges', { container: { securityContext: { privileged: true } } }, /^seesAll: it is privileged/],
  ['graphics', { env: { NVIDIA_DRIVER_CAPABILITIES: 'compute,graphics' } }, /^mig: .*MIG has no graphics/],
];
for (const [what, parts, obstacle] of BARRED) {
  tap.test(`barred: ${what}`, async (t) => {
    const found = obstaclesOf(parts);
    t.equal(found.length, 1);
    t.match(found[0], obstacle);
  });
}

const FREE: readonly [what: string, parts: Parts][] = [
  ['nothing of all that', {}],
  ['one GPU of one', { args: ['--tensor-parallel-size=1', '--nnodes', '1'], env: { WORLD_SIZE: '1' } }],
  ['a flag without a value', { args: ['--tp'] }],
  ['one process of one', { env: { WORLD_SIZE: '1', MASTER_ADDR: 'localhost' } }],
  ['one process of its own', { env: { MASTER_ADDR: '127.0.0.1' } }],
  ['gVisor, which is no virtual machine', { spec: { runtimeClassName: 'gvisor' } }],
  [
    'what an init container without a GPU sees',
    { spec: { initContainers: [{ name: 'i', env: [{ name: 'NVIDIA_VISIBLE_DEVICES', value: 'all' }] }] } },
  ],
  ['the runtime class of the GPU Operator', { spec: { runtimeClassName: 'nvidia' } }],
  [
    'devices that the plugin chooses',
    { env: { NVIDIA_VISIBLE_DEVICES: 'void', NVIDIA_DRIVER_CAPABILITIES: 'compute,utility' } },
  ],
  ['a word that only holds a flag', { args: ['x--tp=8', `--tp=${'9'.repeat(100)}`] }],
  ['another network', { limits: { 'example.com/nic': '1' } }],
];
for (const [what, parts] of FREE) {
  tap.test(`not barred: ${what}`, async (t) => t.strictSame(obstaclesOf(parts), []));
}
