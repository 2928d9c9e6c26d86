/** A live cluster as `kubectl get nodes,pods -A -o json` shows it, as a workload to pack anew. */

import { type ParseError, parse, printParseErrorCode } from 'jsonc-parser';
import { z } from 'zod';
import { ApiError } from '../../api/errors.ts';
import {
  type Container,
  formatIssues,
  hasFinished,
  type Node,
  nodeSchema,
  type Pod,
  podSchema,
} from '../../api/kubernetes.ts';
import type { NodeInventory } from '../../core/inventory.ts';
import { effectiveAmount, type ResourceRequest } from '../../core/request.ts';
import type { NodeSize, PackingDemand } from '../../core/scoring/packing-node.ts';
import type { Workload } from '../../core/simulation/synthetic.ts';
import { parseQuantity } from '../../core/units.ts';
import { requestOf } from '../../state/gpu-request.ts';
import { readNode } from '../../state/node-record.ts';
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
 * GPU nodes, the oldest first, and the pods that ask for GPUs; what other pods take of these nodes'
 * CPU and memory is taken off. A shared slot or a MIG instance counts as its part of a GPU.
 * @throws InputError
 */
export function readSnapshot(file: SnapshotFile): Workload {
  const items = readItems(file);
  const nodes: { node: Node; inventory: NodeInventory }[] = [];
  const pods: Pod[] = [];
  for (const [i, item] of items.entries()) {
    if (item.kind === 'Node') {
      const node = read(nodeSchema, item, file, i);
      const inventory = readNode(
        item,
        READING,
        () => undefined,
        () => {},
      )?.record?.inventory;
      if (nodes.some((other) => other.node.metadata.name === node.metadata.name)) {
        throw new InputError(`${file.name}: items.${i}: node ${JSON.stringify(node.metadata.name)} is listed twice`);
      }
      if (inventory) nodes.push({ node, inventory });
    } else if (item.kind === 'Pod') {
      const pod = read(podSchema, item, file, i);
      if (!hasFinished(pod)) pods.push(pod);
    }
  }
  if (nodes.length === 0)
    throw new InputError(`${file.name}: there is no node with GPUs (kubectl get nodes,pods -A -o json)`);
  const inventories = nodes.map(({ inventory }) => inventory);
  const requests = pods.map((pod) => ({ pod, request: gpusOf(pod, file) }));
  const others = requests.filter(({ request }) => request.length === 0).map(({ pod }) => pod);
  return {
    nodes: nodes.map(({ node, inventory }) => sizeOf(node, inventory, others)).sort(bySizeAge),
    pods: intern(
      requests
        .filter(({ request }) => request.length > 0)
        .map(({ pod, request }) => demandOf(pod, request, inventories)),
    ),
  };
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

/** `:3:14: not JSON: ValueExpected`; JSON.parse itself does not always tell the place. */
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

function gpusOf(pod: Pod, { name }: SnapshotFile): ResourceRequest[] {
  try {
    return requestOf(pod);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    throw new InputError(`${name}: pod ${pod.metadata.namespace}/${pod.metadata.name}: ${error.message}`, {
      cause: error,
    });
  }
}

function sizeOf({ metadata, status }: Node, inventory: NodeInventory, others: readonly Pod[]): NodeSize {
  const here = others.filter(({ spec }) => spec.nodeName === metadata.name);
  const free = (resource: string, unit: bigint) => {
    const allocatable = amount(status?.allocatable?.[resource], unit);
    return Math.max(0, allocatable - here.reduce((sum, pod) => sum + podAmount(pod, resource, unit), 0));
  };
  return {
    name: inventory.name,
    createdAt: inventory.createdAt,
    product: inventory.product,
    cpuMilli: free('cpu', MILLI),
    memoryMiB: free('memory', MIB),
    gpus: inventory.gpus,
  };
}

/** Several shared slots in one pod count as one share of their sum, whole GPUs where that is more than one. */
function demandOf(pod: Pod, request: readonly ResourceRequest[], nodes: readonly NodeInventory[]): PackingDemand {
  const milli = request.reduce((sum, { resource, count }) => sum + count * slotMilli(resource, nodes), 0);
  const base = {
    cpuMilli: podAmount(pod, 'cpu', MILLI),
    memoryMiB: podAmount(pod, 'memory', MIB),
    products: undefined,
  };
  return milli < 1000 ? { ...base, gpus: 1, milli } : { ...base, gpus: Math.ceil(milli / 1000), milli: 1000 };
}

/** The largest slot of the kind on offer: a pod may have been given any of them. */
function slotMilli(resource: string, nodes: readonly NodeInventory[]): number {
  const slots = nodes.flatMap(({ pools }) => pools.filter((pool) => pool.resource === resource));
  return slots.length === 0 ? 1000 : Math.max(...slots.map((slot) => slot.slotMilli));
}

function podAmount({ spec }: Pod, resource: string, unit: bigint): number {
  const asked = ({ resources }: Container) =>
    amount(resources?.requests?.[resource] ?? resources?.limits?.[resource], unit);
  const sized = (container: Container) => ({ sidecar: container.restartPolicy === 'Always', asked: asked(container) });
  return effectiveAmount((spec.initContainers ?? []).map(sized), spec.containers.map(sized), (each) => each.asked);
}

/** One milli-core and one MiB, in billionths. */
const MILLI = 10n ** 6n;
const MIB = 2n ** 20n * 10n ** 9n;

function amount(text: string | undefined, unit: bigint): number {
  const quantity = text === undefined ? undefined : parseQuantity(text);
  return quantity?.ok ? Number((quantity.value + unit - 1n) / unit) : 0;
}

function bySizeAge(a: NodeSize, b: NodeSize): number {
  return a.createdAt - b.createdAt || (a.name < b.name ? -1 : 1);
}

function intern(demands: readonly PackingDemand[]): PackingDemand[] {
  const kinds = new Map<string, PackingDemand>();
  return demands.map((demand) => {
    const key = JSON.stringify(demand);
    const known = kinds.get(key) ?? demand;
    kinds.set(key, known);
    return known;
  });
}
