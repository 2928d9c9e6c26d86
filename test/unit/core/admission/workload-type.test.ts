/** What workloads look like, where nobody says what they are: pods as people run them. */

import tap from 'tap';
import {
  EVIDENCE,
  inferWorkloadType,
  type WorkloadSignals,
  type WorkloadType,
} from '#src/core/admission/workload-type.ts';
import { cpuMs } from '../../../objects/cpu-time.ts';

const looks = (pod: Partial<WorkloadSignals>): WorkloadSignals => {
  return { ownerKind: undefined, images: [], commands: [], ports: [], ...pod };
};
const deployment = (image: string, more: Partial<WorkloadSignals> = {}) =>
  looks({ ownerKind: 'ReplicaSet', images: [image], ...more });
const job = (image: string, command: string, more: Partial<WorkloadSignals> = {}) =>
  looks({ ownerKind: 'Job', images: [image], commands: [command], ...more });
const DIGEST = `sha256:${'0123456789abcdef'.repeat(4)}`;

const pods: readonly [pod: string, looks: WorkloadSignals, type: WorkloadType | undefined, percent?: number][] = [
  ['vLLM, a Deployment', deployment('vllm/vllm-openai:v0.6.3', { ports: [8000] }), 'inference', 95],
  [
    'vLLM by its module',
    deployment('team/llm:3', { commands: ['python3 -m vllm.entrypoints.openai.api_server --model m'] }),
    'inference',
    93,
  ],
  [
    'vLLM by its command',
    deployment('team/llm:3', { commands: ['vllm serve meta-llama/Llama-3.1-8B'] }),
    'inference',
    93,
  ],
  [
    'Triton',
    deployment('nvcr.io/nvidia/tritonserver:24.05-py3', {
      commands: ['tritonserver --model-repository=/models'],
      ports: [8000, 8001, 8002],
    }),
    'inference',
    100,
  ],
  [
    'text-generation-inference',
    deployment('ghcr.io/huggingface/text-generation-inference:2.3.0', {
      commands: ['--model-id bigscience/bloom-560m'],
    }),
    'inference',
    93,
  ],
  [
    'text-embeddings-inference, by digest',
    deployment(`ghcr.io/huggingface/text-embeddings-inference@${DIGEST}`),
    'inference',
    93,
  ],
  ['TorchServe', deployment('pytorch/torchserve:latest-gpu', { ports: [8080, 8081] }), 'inference', 95],
  ['TensorFlow Serving', deployment('tensorflow/serving:2.15.0-gpu', { ports: [8500, 8501] }), 'inference', 95],
  ['KServe with Hugging Face', deployment('kserve/huggingfaceserver:v0.13.0-gpu'), 'inference', 93],
  [
    'Ollama, a StatefulSet',
    looks({ ownerKind: 'StatefulSet', images: ['ollama/ollama:0.4.1'], ports: [11434] }),
    'inference',
    90,
  ],
  ['SGLang, a pod without owner', looks({ images: ['lmsysorg/sglang:v0.3.5-cu124'] }), 'inference', 90],
  [
    'a server with a sidecar of Istio',
    deployment('vllm/vllm-openai:v0.6.3', {
      images: ['vllm/vllm-openai:v0.6.3', 'docker.io/istio/proxyv2:1.23.0'],
      commands: ['', 'proxy sidecar'],
      ports: [8000, 15090],
    }),
    'inference',
    95,
  ],
  ['a server in a private registry with a port', deployment('registry.example.com:5000/ml/vllm:prod'), 'inference', 93],
  [
    'uvicorn in a Deployment may serve anything',
    deployment('team/api:7', { commands: ['uvicorn app:app --host 0.0.0.0'], ports: [8000] }),
    undefined,
  ],
  ['a Deployment of nginx', deployment('nginx:1.27', { ports: [80] }), undefined],
  ['a Deployment on port 8080', deployment('team/app:1', { ports: [8080] }), undefined],
  ['a Deployment that tells nothing', deployment('team/app:1'), undefined],
  [
    'an istio-proxy alone',
    deployment('istio/proxyv2:1.23.0', { commands: ['proxy sidecar'], ports: [15090] }),
    undefined,
  ],
  [
    'Jupyter, a StatefulSet',
    looks({ ownerKind: 'StatefulSet', images: ['quay.io/jupyter/pytorch-notebook:cuda12'], ports: [8888] }),
    'development',
    96,
  ],
  [
    'Kubeflow’s notebook',
    looks({ ownerKind: 'StatefulSet', images: ['kubeflownotebookswg/jupyter-pytorch-cuda:v1.9'], ports: [8888] }),
    'development',
    96,
  ],
  [
    'TensorFlow with Jupyter, by its tag',
    looks({ images: ['tensorflow/tensorflow:2.15.0-gpu-jupyter'] }),
    'development',
    90,
  ],
  [
    'JupyterHub’s single user',
    looks({ images: ['team/lab:1'], commands: ['jupyterhub-singleuser start-notebook.sh'] }),
    'development',
    90,
  ],
  [
    'jupyter lab in an image of one’s own',
    deployment('team/research:4', { commands: ['jupyter lab --ip=0.0.0.0'], ports: [8888] }),
    'development',
    96,
  ],
  ['code-server', deployment('codercom/code-server:4.93.1', { ports: [8080] }), 'development', 90],
  [
    'a notebook that serves with gunicorn',
    deployment('team/jupyter:1', { commands: ['gunicorn app'] }),
    'development',
    90,
  ],
  [
    'PyTorchJob',
    looks({ ownerKind: 'PyTorchJob', images: ['team/resnet:1'], commands: ['python main.py'] }),
    'training',
    90,
  ],
  [
    'MPIJob',
    looks({ ownerKind: 'MPIJob', images: ['horovod/horovod:0.28'], commands: ['mpirun python run.py'] }),
    'training',
    99,
  ],
  ['torchrun, a Job', job('pytorch/pytorch:2.4.0', 'torchrun --nproc_per_node=1 main.py'), 'training', 90],
  ['torchrun of a training script', job('pytorch/pytorch:2.4.0', 'torchrun --standalone train.py'), 'training', 98],
  ['torch.distributed.launch', job('team/t:1', 'python -m torch.distributed.launch main.py'), 'training', 90],
  ['accelerate', looks({ images: ['team/t:1'], commands: ['accelerate launch run_clm.py'] }), 'training', 90],
  ['DeepSpeed', looks({ images: ['team/t:1'], commands: ['deepspeed --num_gpus=1 main.py'] }), 'training', 90],
  ['a training script, a Job', job('team/t:1', 'python /src/train_resnet50.py --epochs 3'), 'training', 80],
  ['a training script in a shell', job('team/t:1', 'sh -c cd /src && python train.py'), 'training', 80],
  ['fine-tuning', job('team/t:1', 'python finetune_lora.py'), 'training', 80],
  ['fine-tuning, written otherwise', looks({ commands: ['python fine_tuning.py'] }), 'training', 80],
  [
    'a training script in a Deployment with a port',
    deployment('team/t:1', { commands: ['python train.py'], ports: [8080] }),
    'training',
    80,
  ],
  [
    'a training script in the image of a server',
    deployment('vllm/vllm-openai:v0.6.3', { commands: ['python train.py'] }),
    undefined,
  ],
  ['a training script in the image of a notebook', job('jupyter/scipy-notebook:1', 'python train.py'), undefined],
  ['ffmpeg, a CronJob', job('jrottenberg/ffmpeg:7-nvidia', 'ffmpeg -hwaccel cuda -i in.mp4 out.mp4'), 'batch', 90],
  ['a batch script, a Job', job('team/b:1', 'python batch_embed.py'), 'batch', 90],
  ['a batch script alone', looks({ images: ['team/b:1'], commands: ['python /opt/batch.py'] }), 'batch', 80],
  ['a Job that tells nothing', job('team/app:1', 'python main.py'), undefined],
  ['a batch size is no batch', looks({ commands: ['python main.py --batch_size 8 --out x.py'] }), undefined],
  ['constrained.py', job('team/c:1', 'python constrained.py'), undefined],
  ['strain.py', looks({ commands: ['python strain.py'] }), undefined],
  ['trainset.txt', looks({ commands: ['python main.py --data trainset.txt --restrain'] }), undefined],
  ['minibatch.py', looks({ commands: ['python minibatch.py'] }), undefined],
  ['notebookshelf', deployment('team/notebookshelf:1'), undefined],
  ['myvllmproxy', deployment('team/myvllmproxy:1', { ports: [8080] }), undefined],
  ['a registry called notebook', deployment('notebook.example.com/team/app:1'), undefined],
  ['a registry called jupyter, with a port', deployment('jupyter:5000/team/app:1'), undefined],
  ['a registry called vllm, by digest', deployment(`vllm.example.com/team/app@${DIGEST}`), undefined],
  ['a team called jupyter', deployment('jupyter/app:1'), 'development', 90],
  ['port 8888 alone', looks({ images: ['team/app:1'], ports: [8888] }), undefined],
  ['nothing to look at', looks({}), undefined],
];

for (const [pod, given, type, percent] of pods) {
  tap.test(`${pod}: ${type ?? 'nobody knows'}`, async (t) => {
    const inferred = inferWorkloadType(given);
    t.equal(inferred?.type, type);
    t.equal(inferred && Math.round(inferred.confidence * 100), percent);
  });
}

tap.test('the evidence is told, strongest first', async (t) => {
  const evidence = (pod: WorkloadSignals) => inferWorkloadType(pod)?.evidence;
  t.strictSame(evidence(job('jrottenberg/ffmpeg:7', 'ffmpeg -i in.mp4')), ['command ffmpeg', 'owner Job']);
  t.strictSame(evidence(deployment('vllm/vllm-openai:v0.6.3', { ports: [80, 8000] })), [
    'image vllm',
    'port 8000',
    'owner ReplicaSet',
  ]);
  for (const type of new Set(EVIDENCE.map((each) => each.type))) {
    const confidences = EVIDENCE.filter((each) => each.type === type).map(({ confidence }) => confidence);
    t.strictSame(
      confidences,
      confidences.toSorted((a, b) => b - a),
      type,
    );
  }
});

tap.test('confidences: strong evidence decides alone, weak never does, not even all of it', async (t) => {
  for (const { confidence, pattern } of EVIDENCE) t.ok(confidence > 0 && confidence < 1, String(pattern));
  const weak = EVIDENCE.filter(({ confidence }) => confidence < 0.8);
  for (const type of new Set(weak.map((each) => each.type))) {
    const doubt = weak.filter((each) => each.type === type).reduce((left, each) => left * (1 - each.confidence), 1);
    t.ok(1 - doubt < 0.8, `${type}: ${1 - doubt}`);
  }
});

tap.test('the same evidence twice is no more of it', async (t) => {
  const one = inferWorkloadType(looks({ images: ['vllm/vllm-openai:1'] }));
  const two = inferWorkloadType(looks({ images: ['vllm/vllm-openai:1', 'vllm/vllm-openai:1'] }));
  t.strictSame(two, one);
});

tap.test('a hostile command is looked at soon, and fills no annotation', async (t) => {
  const hostile = ['_train', '_batch', '_finetune', 'vllm-', 'torch.distributed.', '-'].map((part) =>
    part.repeat(200_000),
  );
  const before = cpuMs();
  inferWorkloadType(looks({ images: hostile, commands: hostile }));
  t.ok(cpuMs() - before < 2_000, `${cpuMs() - before} ms`);
  const long = inferWorkloadType(
    looks({ commands: [`python train_${'x'.repeat(50)}.py batch_${'y'.repeat(1_000)}.py`] }),
  );
  t.ok((long?.evidence.join() ?? '').length < 200);
});
