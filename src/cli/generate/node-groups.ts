/** Groups of like nodes, and what a new node of each would offer once it is partitioned as the others are. Pure. */

import type { Configuration } from '../../api/configuration.ts';
import { INSTANCE_TYPE, NODE_POOL_LABELS } from '../../api/keys.ts';
import type { NodeConfig } from '../../api/node-config.ts';
import { desiredOf } from '../../core/partitioning/desired-partition.ts';
import {
  allocatableOf,
  describePartition,
  inventoryWith,
  type Partition,
  samePartition,
} from '../../core/partitioning/partition.ts';
import { WHOLE_GPU } from '../../core/resources.ts';
import type { SharedMode } from '../../core/sharing-mode.ts';
import type { NodeRecord } from '../../state/node-record.ts';
import { sameData } from '../../state/same-data.ts';
import { countOf } from '../doctor/phrases.ts';

export interface NodePool {
  /** Label that names it. */
  readonly label: string;
  readonly name: string;
}

export interface NodeGroup {
  /** Undefined where nodes do not say. */
  readonly pool: NodePool | undefined;
  readonly instanceType: string | undefined;
  readonly product: string;
  /** All of them, those without a GPUNodeConfig too. */
  readonly nodes: readonly string[];
  /** GPUNodeConfigs that ask for the partition. */
  readonly configs: readonly string[];
  readonly partition: Partition;
  /** What a node offers then, by resource; whole GPUs are always there, as 0 where none is left. */
  readonly offers: ReadonlyMap<string, number>;
  /** Share of a GPU that one of a resource stands for, in milli-GPU. */
  readonly milli: ReadonlyMap<string, number>;
}

export interface Grouping {
  readonly groups: readonly NodeGroup[];
  /** Sentences for people: what does not count, and why; what a new node lacks. */
  readonly notes: readonly string[];
}

interface Wish {
  readonly node: NodeRecord;
  readonly config: NodeConfig;
  readonly partition: Partition;
}

/** @param configOf the GPUNodeConfig that counts for a node */
export function groupNodes(
  nodes: readonly NodeRecord[],
  configs: readonly NodeConfig[],
  configOf: (node: string) => NodeConfig | undefined,
  configuration: Configuration,
): Grouping {
  const notes = absent(nodes, configs, configOf);
  const groups: NodeGroup[] = [];
  for (const members of Map.groupBy(nodes, keyOf).values()) {
    const wishes: Wish[] = [];
    for (const node of members) {
      const config = configOf(node.name);
      if (!config) continue;
      const wanted = wantedOf(node, config, configuration.sharing.mig.defaultProfile);
      if (typeof wanted === 'string') notes.push(`GPUNodeConfig ${config.name} is passed over: ${wanted}`);
      else wishes.push({ node, config, partition: wanted });
    }
    const chosen = mostWanted(wishes);
    const [first] = chosen;
    if (!first) continue;
    const group = groupOf(members, chosen, first);
    if ([...group.offers.keys()].every((resource) => resource === WHOLE_GPU)) {
      notes.push(`${titleOf(group)} is passed over: all its GPUs are to be whole, which every autoscaler expects`);
      continue;
    }
    groups.push(group);
    const others = wishes.filter((wish) => !chosen.includes(wish));
    if (others.length > 0) notes.push(disagreement(group, others));
    notes.push(...missing(group, configuration));
  }
  return { groups: groups.sort((a, b) => (titleOf(a) < titleOf(b) ? -1 : 1)), notes };
}

/** `NodePool gpu, g5.xlarge`: for people. */
export function titleOf({ pool, instanceType, product }: Pick<NodeGroup, 'pool' | 'instanceType' | 'product'>): string {
  return [pool && `pool ${pool.name}`, instanceType ?? product].filter((part) => part !== undefined).join(', ');
}

/** Why the group is as it is, as comments of what is generated. */
export function reasonsOf(group: NodeGroup): string[] {
  return [
    `${titleOf(group)}: ${describePartition(group.partition)}`,
    `as ${countOf('GPUNodeConfig', group.configs)} ${group.configs.length === 1 ? 'has' : 'have'} it, of ${countOf('node', group.nodes)}`,
  ];
}

function poolOf({ labels }: NodeRecord): NodePool | undefined {
  for (const label of NODE_POOL_LABELS) {
    const name = labels[label];
    if (name) return { label, name };
  }
  return undefined;
}

function keyOf(node: NodeRecord): string {
  const pool = poolOf(node);
  // Where a GPU of one node is broken, it is still of the same group.
  const kind = node.labels[INSTANCE_TYPE] ?? `${node.facts.product} ${node.facts.gpus}`;
  return JSON.stringify([pool?.label, pool?.name, kind]);
}

/** The partition, or why there is none. */
function wantedOf(node: NodeRecord, config: NodeConfig, defaultProfile: string | undefined): Partition | string {
  if (!config.spec.ok) return config.spec.reason;
  const { gpus } = node.observed;
  if (!gpus || !node.inventory) return `node ${node.name} has no labels of GPU Feature Discovery, or offers no GPU`;
  const desired = desiredOf(config.spec.value, gpus, defaultProfile);
  return desired.ok ? desired.partition : desired.message;
}

/** Wishes for the partition that most ask for; of as many, for the one that was asked for first. */
function mostWanted(wishes: readonly Wish[]): Wish[] {
  const byPartition: Wish[][] = [];
  for (const wish of wishes) {
    // One that is the same is so on a node with a broken GPU as well, of which it makes less.
    const same = byPartition.find(
      ([first]) =>
        first &&
        (samePartition(first.partition, wish.partition) || sameData(wordingOf(first.config), wordingOf(wish.config))),
    );
    if (same) same.push(wish);
    else byPartition.push([wish]);
  }
  const since = (some: readonly Wish[]) => Math.min(...some.map(({ config }) => config.createdAt));
  const [most = []] = byPartition.sort((a, b) => b.length - a.length || since(a) - since(b));
  return most.toSorted((a, b) => b.partition.layouts.length - a.partition.layouts.length);
}

/** What it asks for, whatever node it is for. */
function wordingOf({ spec }: NodeConfig): unknown {
  return spec.ok ? { ...spec.value, nodeName: undefined } : spec;
}

function groupOf(members: readonly NodeRecord[], chosen: readonly Wish[], { node, partition }: Wish): NodeGroup {
  const after = node.inventory && inventoryWith(node.inventory, partition);
  return {
    pool: poolOf(node),
    instanceType: node.labels[INSTANCE_TYPE],
    product: node.facts.product,
    nodes: members.map(({ name }) => name),
    configs: chosen.map(({ config }) => config.name),
    partition,
    offers: new Map([[WHOLE_GPU, 0], ...allocatableOf(partition)]),
    milli: new Map((after?.pools ?? []).map(({ resource, slotMilli }) => [resource, slotMilli])),
  };
}

/** GPUNodeConfigs that count for no node. */
function absent(
  nodes: readonly NodeRecord[],
  configs: readonly NodeConfig[],
  configOf: (node: string) => NodeConfig | undefined,
): string[] {
  const names = new Set(nodes.map(({ name }) => name));
  return configs.flatMap(({ name, nodeName }) => {
    if (nodeName === undefined) return `GPUNodeConfig ${name} is passed over: it names no node`;
    if (!names.has(nodeName)) return `GPUNodeConfig ${name} is passed over: there is no node ${nodeName} with GPUs`;
    const first = configOf(nodeName);
    if (!first || first.name === name) return [];
    return `GPUNodeConfig ${name} is passed over: ${first.name} counts for node ${nodeName}`;
  });
}

function disagreement(group: NodeGroup, others: readonly Wish[]): string {
  const configs = others.map(({ config }) => config.name);
  const differ = configs.length === 1 ? 'asks' : 'ask';
  return (
    `${titleOf(group)}: ${countOf('GPUNodeConfig', configs)} ${differ} for something else and ${configs.length === 1 ? 'does' : 'do'} not count; ` +
    'an autoscaler expects one thing of a group: split the group, or let it be partitioned in one way'
  );
}

/** A GPUNodeConfig is for one node: a new node is partitioned by the planner, where it may, or by one that is written for it. */
function missing(group: NodeGroup, { sharing, reconciler }: Configuration): string[] {
  if (!reconciler.enabled)
    return [`${titleOf(group)}: reconciler.enabled is false: no new node would be partitioned, and pods would wait`];
  const off = modesOf(group.partition).filter((mode) => !sharing[mode].autoConfig);
  return off.map(
    (mode) =>
      `${titleOf(group)}: sharing.${mode}.autoConfig is false, and a GPUNodeConfig is for one node: write one for each new node, or switch it on`,
  );
}

type ModeKey = Exclude<SharedMode, 'timeslicing'> | 'timeSlicing';

function modesOf({ layouts, sharing }: Partition): ModeKey[] {
  const mig: ModeKey[] = layouts.some((layout) => layout !== undefined) ? ['mig'] : [];
  if (!sharing) return mig;
  return [...mig, sharing.mode === 'mps' ? 'mps' : 'timeSlicing'];
}
