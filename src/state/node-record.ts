/** A GPU node, read once from its API object: what it offers, how it is partitioned, and what keeps pods off. */

import { GFD, NODE, PAUSED, TRIGGERS } from '../api/keys.ts';
import { formatIssues } from '../api/kubernetes.ts';
import { namedSchema, type StoredNode, storedNodeSchema } from '../api/stored-objects.ts';
import { gpuModelOf } from '../core/gpu-catalog.ts';
import { inventoryOf, type NodeFacts, type NodeInventory } from '../core/inventory.ts';
import type { Labels } from '../core/label-selector.ts';
import { inventoryWith } from '../core/partitioning/partition.ts';
import { isGpuResource, isUnknownGpuResource, SHARED_GPU, WHOLE_GPU } from '../core/resources.ts';
import { hardTaintsOf, type Taint } from '../core/taints.ts';
import { parseCount } from '../core/units.ts';
import type { GpuReading } from './dialects/dialect.ts';
import { readGpus } from './dialects/registry.ts';
import { type ObservedNode, parseLastApplied, parseTransition } from './observed-node.ts';
import { allocatableResources, type Resources } from './resources.ts';
import { sameData } from './same-data.ts';
import type { OnInvalidObject, Reading } from './store.ts';

/** Settings that change how a node is read; the same for everyone who reads. */
export interface NodeReadingOptions {
  /** Whether a time-slice may use the memory of the whole GPU, which is not divided. */
  readonly oversubscribe: boolean;
}

export interface NodeRecord {
  readonly name: string;
  readonly labels: Labels;
  readonly taints: readonly Taint[];
  /** cpu, memory and number of pods that it has room for in all. */
  readonly allocatable: Resources;
  /** False while its kubelet does not say that it is ready. */
  readonly ready: boolean;
  /** What the node says of its GPUs, in any dialect. */
  readonly facts: NodeFacts;
  /** What it offers; undefined if that is nothing of a GPU. */
  readonly inventory: NodeInventory | undefined;
  readonly observed: ObservedNode;
  /** What the record was made from: while that is the same, so is the record. */
  readonly sources: Sources;
}

interface Sources {
  readonly labels: Labels;
  readonly taints: readonly Taint[];
  readonly allocatable: Readonly<Record<string, string>>;
  readonly transition: string | undefined;
  readonly partition: string | undefined;
  readonly createdAt: string;
  readonly cordoned: boolean;
  readonly ready: boolean;
  readonly migChange: MigChange | undefined;
}

/** mig-manager says that it changes the node. */
interface MigChange {
  readonly state: string;
  /** When `asOf` first saw it, ms of the clock. */
  readonly since?: number;
  /** Set once it has taken longer than a change takes. */
  readonly overdue?: boolean;
}

/**
 * Reads a Node; a node without GPUs has no record.
 * @param before what is known of it: the parts that are the same are the same objects
 */
export function readNode(
  object: unknown,
  options: NodeReadingOptions,
  before: (name: string) => NodeRecord | undefined,
  warn: OnInvalidObject,
): Reading<NodeRecord> | undefined {
  const parsed = storedNodeSchema.safeParse(object);
  if (!parsed.success) {
    warn('a node cannot be read and is left out', { faults: formatIssues(parsed.error) });
    const named = namedSchema.safeParse(object);
    return named.success ? { key: named.data.metadata.name, resourceVersion: undefined, record: undefined } : undefined;
  }
  const node = parsed.data;
  const { name, resourceVersion } = node.metadata;
  return { key: name, resourceVersion, record: recordOf(node, options, before(name)) };
}

function recordOf(
  node: StoredNode,
  options: NodeReadingOptions,
  before: NodeRecord | undefined,
): NodeRecord | undefined {
  const { name } = node.metadata;
  const sources = sourcesOf(node, before?.sources.migChange);
  // A heartbeat: most events of nodes are.
  if (before && sameData(before.sources, sources)) return before;
  const gpus = readGpus(node);
  const counts = gpuCounts(sources.allocatable);
  const facts = factsOf(name, sources, gpus, counts, options);
  const inventory = before && sameData(before.facts, facts) ? before.inventory : inventoryOf(facts);
  const observed = observedOf(name, sources, gpus, counts);
  // A transition that cannot be read still keeps pods away: it must not be overlooked.
  if (!inventory && !observed.gpus && counts.size === 0 && !observed.transition) return undefined;
  const { labels, taints, allocatable, ready } = sources;
  return {
    name,
    labels: before && sameData(before.labels, labels) ? before.labels : labels,
    taints: before && sameData(before.taints, taints) ? before.taints : taints,
    allocatable: allocatableResources(allocatable),
    ready,
    facts,
    inventory,
    observed,
    sources,
  };
}

function sourcesOf({ metadata, spec, status }: StoredNode, migChange: MigChange | undefined): Sources {
  const labels = metadata.labels ?? {};
  return {
    labels,
    taints: spec?.taints ?? [],
    allocatable: status?.allocatable ?? {},
    transition: metadata.annotations?.[NODE.transition],
    partition: metadata.annotations?.[NODE.partition],
    createdAt: metadata.creationTimestamp ?? '',
    cordoned: spec?.unschedulable ?? false,
    ready: (status?.conditions ?? []).some(({ type, status: is }) => type === 'Ready' && is === 'True'),
    migChange: migChangeOf(labels[GFD.migConfigState], migChange),
  };
}

/** Whether a node offers the same slots as before, to the same selectors. */
export function sameOffer(before: NodeRecord | undefined, after: NodeRecord | undefined): boolean {
  if (before?.inventory !== after?.inventory || before?.labels !== after?.labels) return false;
  return !before || !after || (before.taints === after.taints && isCordoned(before) === isCordoned(after));
}

/**
 * What a node that offers nothing now will offer once its device plugin is back, by our own annotation or by its labels, and
 * by the resources that are there with a count of 0; undefined if they do not tell.
 */
export function expectedInventory({ inventory, facts, observed }: NodeRecord): NodeInventory | undefined {
  if (!inventory) return undefined;
  const applied = observed.transition?.partition ?? observed.lastApplied?.partition;
  if (applied && applied.layouts.length === inventory.gpus) return inventoryWith(inventory, applied);
  const { gpus = 0, replicas, sharing, instance } = facts;
  if (instance || gpus === 0) return undefined;
  const expected = new Map(Object.entries(observed.migCounts).filter(([, count]) => count > 0));
  const name = facts.allocatable.has(SHARED_GPU) ? SHARED_GPU : WHOLE_GPU;
  if (expected.size === 0 && facts.allocatable.has(name)) expected.set(name, sharing ? gpus * replicas : gpus);
  return expected.size === 0 ? undefined : inventoryOf({ ...facts, allocatable: expected });
}

/** Taints of which the kubelet and the node controller take care: they come and go with the state of the node. */
const PASSING: ReadonlySet<string> = new Set(
  [
    'not-ready',
    'unreachable',
    'memory-pressure',
    'disk-pressure',
    'pid-pressure',
    'network-unavailable',
    'unschedulable',
  ].map((what) => `node.kubernetes.io/${what}`),
);
const CORDON: Taint = { key: 'node.kubernetes.io/unschedulable', effect: 'NoSchedule' };

/** What keeps pods off the node for longer than a moment; a cordon of our own, for a change of partitions, does not. */
export function lastingTaintsOf(record: NodeRecord): readonly Taint[] {
  const taints = hardTaintsOf(record.taints).filter(({ key }) => !PASSING.has(key));
  return isCordoned(record) ? [...taints, CORDON] : taints;
}

function isCordoned({ observed }: NodeRecord): boolean {
  return observed.cordoned && !observed.transition;
}

/** The record as it is read where time-slices may use the memory of the whole GPU, or may not. */
export function withOversubscription(record: NodeRecord, oversubscribe: boolean): NodeRecord {
  const facts = { ...record.facts, oversubscribe };
  return { ...record, facts, inventory: inventoryOf(facts) };
}

/** Names that it offers now. */
function unknownResources(allocatable: Sources['allocatable']): string[] {
  const names: string[] = [];
  for (const resource in allocatable) {
    if (isUnknownGpuResource(resource) && allocatable[resource] !== '0') names.push(resource);
  }
  return names.sort();
}

/** GPU resources that are there at all, at 0 too; one whose quantity cannot be read counts as 0. */
function gpuCounts(allocatable: Sources['allocatable']): Map<string, number> {
  const counts = new Map<string, number>();
  for (const resource in allocatable) {
    if (!isGpuResource(resource)) continue;
    const count = parseCount(allocatable[resource] ?? '');
    counts.set(resource, count.ok ? count.value : 0);
  }
  return counts;
}

/** States of mig-manager in which instances may vanish; `failed` leaves things as they are. */
const MIG_CHANGES: ReadonlySet<string> = new Set(['pending', 'rebooting']);

function migChangeOf(state: string | undefined, before: MigChange | undefined): MigChange | undefined {
  if (state === undefined || !MIG_CHANGES.has(state)) return undefined;
  return before?.state === state ? before : { state };
}

/** Longer than a change with a reboot takes. Who takes mig-manager away while it works leaves its word behind. */
const MIG_CHANGE_MINUTES = 15;

/**
 * The record as it counts now: mig-manager's word that it is at work keeps pods off a node, but not for ever.
 * @param now ms of a clock that never goes back
 */
export function asOf(record: NodeRecord, now: number, warn: OnInvalidObject): NodeRecord {
  const { name, sources, facts } = record;
  const { migChange } = sources;
  if (!migChange || migChange.overdue) return record;
  const { state, since = now } = migChange;
  const overdue = now - since >= MIG_CHANGE_MINUTES * 60_000;
  if (!overdue)
    return since === migChange.since ? record : { ...record, sources: { ...sources, migChange: { state, since } } };
  warn(`mig-manager has been at work for ${MIG_CHANGE_MINUTES} minutes: the node counts by what it offers`, {
    node: name,
    [GFD.migConfigState]: state,
  });
  const after = { ...sources, migChange: { state, since, overdue } };
  const overdueFacts = { ...facts, inTransition: isInTransition(after) };
  return { ...record, sources: after, facts: overdueFacts, inventory: inventoryOf(overdueFacts) };
}

/** By our annotation, which comes before anything is changed, or by mig-manager's word. */
function isInTransition({ transition, migChange }: Sources): boolean {
  return transition !== undefined || (migChange !== undefined && !migChange.overdue);
}

function factsOf(
  name: string,
  sources: Sources,
  reading: GpuReading,
  allocatable: ReadonlyMap<string, number>,
  { oversubscribe }: NodeReadingOptions,
): NodeFacts {
  const { migCounts: _, changeable: __, ...gpus } = reading;
  return {
    ...gpus,
    name,
    createdAt: Date.parse(sources.createdAt) || 0,
    allocatable,
    oversubscribe,
    inTransition: isInTransition(sources),
  };
}

function observedOf(
  name: string,
  { labels, allocatable, cordoned, transition, partition }: Sources,
  { product, gpus, gpuMiB, replicas, sharing, migCounts, changeable }: GpuReading,
  counts: ReadonlyMap<string, number>,
): ObservedNode {
  const memoryMiB = gpuMiB ?? gpuModelOf(product)?.memoryMiB ?? 0;
  const paused: string[] = [];
  for (const key in labels) if (labels[key] === PAUSED.value && key.startsWith(PAUSED.prefix)) paused.push(key);
  return {
    name,
    gpus: changeable && product && gpus !== undefined ? { product, gpus, memoryMiB } : undefined,
    plugin: labels[TRIGGERS.plugin],
    mig: labels[TRIGGERS.mig],
    migState: labels[GFD.migConfigState],
    paused,
    allocatable: Object.fromEntries(counts),
    unknownResources: unknownResources(allocatable),
    sharing,
    replicas,
    migCounts,
    cordoned,
    transition: parseTransition(transition),
    lastApplied: parseLastApplied(partition),
  };
}
