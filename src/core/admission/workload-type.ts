/**
 * The probable type of a workload that declares none: evidence from the pod's owner, images, commands and ports.
 * Listed for users in docs/reference/workload-types.md.
 */

export type WorkloadType = 'training' | 'inference' | 'development' | 'batch';

/** What of a pod is looked at. */
export interface WorkloadSignals {
  /** Kind of its controller: `Job`, `ReplicaSet`, `PyTorchJob`, … */
  readonly ownerKind: string | undefined;
  /** Of all containers. */
  readonly images: readonly string[];
  /** Command and arguments of each container, as one line. */
  readonly commands: readonly string[];
  readonly ports: readonly number[];
}

export interface InferredWorkloadType {
  readonly type: WorkloadType;
  /** 0 to 1. */
  readonly confidence: number;
  /** What it was guessed from, strongest first. */
  readonly evidence: readonly string[];
}

export interface Evidence {
  readonly type: WorkloadType;
  /** How often we would be right by this alone, 0 to 1. */
  readonly confidence: number;
  readonly from: 'owner' | 'image' | 'command' | 'port';
  readonly pattern: RegExp;
}

/**
 * Patterns take time in proportion to the text, and match no more than a few words of it, whatever a pod's author writes:
 * no repetition is without bound.
 */
const word = (...names: readonly string[]) => new RegExp(`(^|[^a-z0-9])(${names.join('|')})([^a-z0-9]|$)`, 'i');
const exactly = (...names: readonly (string | number)[]) => new RegExp(`^(${names.join('|')})$`);

export const EVIDENCE: readonly Evidence[] = [
  {
    type: 'training',
    confidence: 0.9,
    from: 'owner',
    pattern: exactly('PyTorchJob', 'TFJob', 'MPIJob', 'JAXJob', 'XGBoostJob', 'PaddleJob', 'TrainJob'),
  },
  {
    type: 'training',
    confidence: 0.9,
    from: 'command',
    pattern: word('torchrun', 'deepspeed', 'horovodrun', 'mpirun'),
  },
  { type: 'training', confidence: 0.9, from: 'command', pattern: /torch\.distributed\.(run|launch)|accelerate launch/ },
  {
    type: 'training',
    confidence: 0.8,
    from: 'command',
    pattern: /(^|[^a-z0-9])(pre)?train(er|ing)?(_[a-z0-9_]{1,60})?\.py\b/i,
  },
  {
    type: 'training',
    confidence: 0.8,
    from: 'command',
    pattern: /(^|[^a-z0-9])fine-?_?tun(e|ing)(_[a-z0-9_]{1,60})?\.py\b/i,
  },
  {
    type: 'inference',
    confidence: 0.9,
    from: 'image',
    pattern: word('torchserve', 'tritonserver', 'vllm-openai', 'vllm', 'text-generation-inference', 'sglang', 'ollama'),
  },
  {
    type: 'inference',
    confidence: 0.9,
    from: 'image',
    pattern: /text-embeddings-inference|tensorflow\/serving|tensorflow-serving|huggingface-?server|bentoml/i,
  },
  {
    type: 'inference',
    confidence: 0.9,
    from: 'command',
    pattern: word(
      'torchserve',
      'tritonserver',
      'tensorflow_model_server',
      'vllm serve',
      'vllm\\.entrypoints',
      'ollama serve',
    ),
  },
  { type: 'inference', confidence: 0.5, from: 'command', pattern: word('uvicorn', 'gunicorn') },
  { type: 'inference', confidence: 0.3, from: 'port', pattern: exactly(8000, 8001, 8080, 8500, 8501, 9000) },
  { type: 'inference', confidence: 0.3, from: 'owner', pattern: exactly('ReplicaSet') },
  {
    type: 'development',
    confidence: 0.9,
    from: 'image',
    pattern: word('jupyter', 'jupyterlab', 'jupyterhub', 'notebook', 'code-server', 'rstudio'),
  },
  {
    type: 'development',
    confidence: 0.9,
    from: 'command',
    pattern: word(
      'jupyter',
      'jupyter-lab',
      'jupyter-notebook',
      'start-notebook\\.sh',
      'start-notebook\\.py',
      'code-server',
    ),
  },
  { type: 'development', confidence: 0.6, from: 'port', pattern: exactly(8888) },
  { type: 'batch', confidence: 0.8, from: 'command', pattern: word('ffmpeg') },
  { type: 'batch', confidence: 0.8, from: 'command', pattern: /(^|[^a-z0-9])batch[a-z0-9_]{0,60}\.py\b/i },
  { type: 'batch', confidence: 0.5, from: 'owner', pattern: exactly('Job') },
];

/** Below this, or where another type is nearly as likely, we do not know. */
const SURE = 0.8;
const MARGIN = 0.2;

/** What the pod looks like; undefined where we are not sure. */
export function inferWorkloadType(signals: WorkloadSignals): InferredWorkloadType | undefined {
  const seen: Readonly<Record<Evidence['from'], readonly string[]>> = {
    owner: signals.ownerKind === undefined ? [] : [signals.ownerKind],
    image: signals.images.map(withoutPlace),
    command: signals.commands,
    port: signals.ports.map(String),
  };
  const guesses = new Map<WorkloadType, { doubt: number; words: string[] }>();
  for (const evidence of EVIDENCE) {
    const match = seen[evidence.from].map((text) => evidence.pattern.exec(text)).find(Boolean);
    if (!match) continue;
    const guess = guesses.get(evidence.type) ?? { doubt: 1, words: [] };
    // Independent pieces of evidence: each takes its part of the doubt that is left.
    guess.doubt *= 1 - evidence.confidence;
    guess.words.push(`${evidence.from} ${match[0].replace(/^[^a-z0-9]+|[^a-z0-9]+$/gi, '')}`);
    guesses.set(evidence.type, guess);
  }
  const [best, second] = [...guesses].sort(([, a], [, b]) => a.doubt - b.doubt);
  if (!best) return undefined;
  const [type, { doubt, words }] = best;
  const confidence = 1 - doubt;
  if (confidence < SURE || (second && confidence - (1 - second[1].doubt) < MARGIN)) return undefined;
  return { type, confidence, evidence: words };
}

/** `registry.example.com:5000/team/app:1@sha256:…` → `team/app:1`: where an image is kept says nothing of what is in it. */
function withoutPlace(image: string): string {
  const [name = ''] = image.split('@', 1);
  const slash = name.indexOf('/');
  // A first part with a dot or a port is a host, as for every container runtime.
  return slash >= 0 && /[.:]|^localhost$/.test(name.slice(0, slash)) ? name.slice(slash + 1) : name;
}
