/** A live cluster as `kubectl get nodes,pods -A -o json` shows it, as a workload to pack again. */

import { type ParseError, parse, printParseErrorCode } from 'jsonc-parser';
import { z } from 'zod';
import { ApiError } from '../../api/errors.ts';
import { formatIssues, hasFinished, type Pod, podSchema } from '../../api/kubernetes.ts';
import type { NodeInventory } from '../../core/inventory.ts';
import { classOf, type GpuRequest } from '../../core/request.ts';
import type { SlotNode, SlotPod, SlotWorkload } from '../../core/simulation/slot-replay.ts';
import { byAge } from '../../core/strategies/strategy.ts';
import { gpuRequestOf } from '../../state/gpu-request.ts';
import { type NodeRecord, readNode } from '../../state/node-record.ts';
import { requestedResources } from '../../state/resources.ts';
import type { Reading } from '../../state/store.ts';
import { InputError } from '../input-error.ts';

/** As the extender reads nodes by default. */
const READING = { oversubscribe: false };

const listSchema = z.object({ kind: z.string(), items: z.array(z.looseObject({ kind: z.string() })) });

export interface SnapshotFile {
  /** For messages. */
  readonly name: string;
  readonly text: string;
}

/**
 * GPU nodes as they are partitioned, the oldest first, and the pods that ask for GPUs; what other pods take of these nodes'
 * CPU and memory is taken off.
 * @throws InputError
 */
export function readSnapshot(file: SnapshotFile): SlotWorkload {
  const items = readItems(file);
  const nodes = new Map<string, NodeRecord | undefined>();
  const pods: Pod[] = [];
  for (const [i, item] of items.entries()) {
    if (item.kind === 'Node') {
      const { key, record } = readNodeItem(item, file, i);
      if (nodes.has(key)) throw new InputError(`${file.name}: items.${i}: node ${JSON.stringify(key)} is listed twice`);
      nodes.set(key, record);
    } else if (item.kind === 'Pod') {
      const pod = read(podSchema, item, file, i);
      if (!hasFinished(pod)) pods.push(pod);
    }
  }
  const requests = pods.map((pod) => ({ pod, request: gpusOf(pod, file) }));
  const others = Map.groupBy(
    requests.filter(({ request }) => request.resources.length === 0).map(({ pod }) => pod),
    ({ spec }) => spec.nodeName,
  );
  const slotNodes = [...nodes.values()].flatMap((record) =>
    record?.inventory ? [slotNodeOf(record, record.inventory, others.get(record.name) ?? [])] : [],
  );
  if (slotNodes.length === 0)
    throw new InputError(`${file.name}: there is no node with GPUs (kubectl get nodes,pods -A -o json)`);
  return {
    nodes: slotNodes.sort((a, b) => byAge(a.inventory, b.inventory)),
    pods: intern(
      requests.filter(({ request }) => request.resources.length > 0).map(({ pod, request }) => slotPodOf(pod, request)),
    ),
  };
}

function readNodeItem(item: unknown, { name }: SnapshotFile, index: number): Reading<NodeRecord> {
  const faults: string[] = [];
  const reading = readNode(
    item,
    READING,
    () => undefined,
    (_message, details) => void faults.push(String(details.faults)),
  );
  if (reading && faults.length === 0) return reading;
  throw new InputError(`${name}: items.${index}: ${faults.join('; ')}`);
}

function readItems({ name, text }: SnapshotFile): z.infer<typeof listSchema>['items'] {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    throw new InputError(`${name}${placeOfFault(text)}`, { cause: error });
  }
  const list = listSchema.safeParse(json);
  if (!list.success)
    throw new InputError(`${name}: not a list of kubectl get nodes,pods -A -o json: ${formatIssues(list.error)}`);
  return list.data.items;
}

/** `:3:14: not JSON: ValueExpected`; JSON.parse itself does not always report the place. */
function placeOfFault(text: string): string {
  const errors: ParseError[] = [];
  parse(text, errors, { disallowComments: true });
  const [first] = errors;
  if (!first) return ': not JSON';
  const before = text.slice(0, first.offset).split('\n');
  return `:${before.length}:${(before.at(-1)?.length ?? 0) + 1}: not JSON: ${printParseErrorCode(first.error)}`;
}

function read<T>(schema: z.ZodType<T>, item: unknown, { name }: SnapshotFile, index: number): T {
  const parsed = schema.safeParse(item);
  if (!parsed.success) throw new InputError(`${name}: items.${index}: ${formatIssues(parsed.error)}`);
  return parsed.data;
}

function gpusOf(pod: Pod, { name }: SnapshotFile): GpuRequest {
  try {
    return gpuRequestOf(pod);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    throw new InputError(`${name}: pod ${pod.metadata.namespace}/${pod.metadata.name}: ${error.message}`, {
      cause: error,
    });
  }
}

/** @param others pods without GPUs on the node */
function slotNodeOf({ allocatable }: NodeRecord, inventory: NodeInventory, others: readonly Pod[]): SlotNode {
  const taken = others.map(requestedResources);
  const free = (what: 'cpu' | 'memory') =>
    Math.max(0, allocatable[what] - taken.reduce((sum, resources) => sum + resources[what], 0));
  return { inventory, cpuMilli: free('cpu'), memoryMiB: free('memory') };
}

function slotPodOf(pod: Pod, request: GpuRequest): SlotPod {
  const { cpu, memory } = requestedResources(pod);
  return { request, cpuMilli: cpu, memoryMiB: memory };
}

/** Pods that ask for the same are one object. */
function intern(pods: readonly SlotPod[]): SlotPod[] {
  const kinds = new Map<string, SlotPod>();
  return pods.map((pod) => {
    const key = `${classOf(pod.request)} ${pod.cpuMilli} ${pod.memoryMiB}`;
    const known = kinds.get(key) ?? pod;
    kinds.set(key, known);
    return known;
  });
}
