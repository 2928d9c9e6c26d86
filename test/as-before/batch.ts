/**
 * Cases at work on one control plane, many at a time: each has nodes of its own, by a label that its pods select, and a policy
 * of its own. The pod is made twice, on the same idle nodes: first in a namespace that the webhook leaves out, placed by the
 * stock kube-scheduler that knows no extender; then, once that one is gone, as any user of the cluster would make it.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import { SHARING_POLICIES } from '#src/api/custom-resources.ts';
import { PREFIX, WRITTEN } from '#src/api/keys.ts';
import type { KubeClient } from '#src/kube/kube-client.ts';
import type { NodeRecord } from '#src/state/node-record.ts';
import { manifest, pathOf } from '../cluster/custom-resources.ts';
import { listPods, type Pod, refusal } from '../cluster/pods.ts';
import { createAll } from '../cluster/start.ts';
import { waitFor } from '../cluster/wait.ts';
import { mpsNode, type NodeManifest } from '../objects/nodes.ts';
import { gpuPod } from '../objects/pods.ts';
import { nodeRecord } from '../objects/records.ts';
import {
  type CasePodManifest,
  type ClusterCase,
  nodeObject,
  nodesWithoutUs,
  podObject,
} from '../property/cluster-cases.ts';

/** The namespace that is exempt from the webhook in every install. */
const WITHOUT_US = 'kube-system';
const WITH_US = 'default';
const CASE = 'case';
const BATCH = 'batch';
const POLICIES = pathOf(SHARING_POLICIES);
/** After its last word kube-scheduler may still hear of a node that was made before the pod, and place it. */
const SETTLE_MS = 1_000;
/** A pod that is not bound by then waits for ever: nothing else goes on in its nodes. */
const BOUND_MS = 30_000;

export interface NumberedCase {
  /** From 0 on, in the order in which the seed makes them. */
  readonly index: number;
  readonly given: ClusterCase;
}

/** What the stock kube-scheduler made of a case, and what we did. */
export interface Outcome extends NumberedCase {
  readonly nodes: readonly NodeManifest[];
  readonly before: CasePodManifest;
  /** Node that it was bound to without us; undefined if it was not. */
  readonly without: string | undefined;
  /** Undefined where it was not bound without us, and therefore not tried. */
  readonly withUs: WithUs | undefined;
}

interface WithUs {
  readonly node: string | undefined;
  /** `mps` …, `exclusive`, or `as it came`. */
  readonly became: string;
  readonly reason: string | undefined;
  /** Of kube-scheduler, where it is not bound. */
  readonly refusal: string | undefined;
}

/** Whether the pod declares a need that no node which takes it is known to have: by its own word it waits. */
export function mayWait({ given, before, nodes }: Pick<Outcome, 'given' | 'before' | 'nodes'>): boolean {
  return nodesWithoutUs(given.pod, before, recordsOf(nodes)).length === 0;
}

export function recordsOf(nodes: readonly NodeManifest[]): NodeRecord[] {
  return nodes.flatMap((node) => nodeRecord(node) ?? []);
}

/** Plays the cases, and leaves the cluster as it was. */
export async function playBatch(
  client: KubeClient,
  batch: number,
  cases: readonly NumberedCase[],
): Promise<readonly Outcome[]> {
  const made = cases.map(({ index, given }) => ({
    index,
    given,
    nodes: given.nodes.map((node, i) => placed(nodeObject(node, `case-${index}-${i}`), index, batch)),
    before: selecting(podObject(given.pod, `case-${index}`), index),
  }));
  const mustRun = new Set(made.filter((each) => !mayWait(each)).map(({ before }) => before.metadata.name));
  await createAll(
    client,
    '/api/v1/nodes',
    made.flatMap(({ nodes }) => nodes),
  );
  await createAll(
    client,
    POLICIES,
    made.flatMap(({ index, given: { policy } }) => (policy ? [policyObject(policy, index)] : [])),
  );
  await untilKnown(client, batch);

  const without = await verdicts(
    client,
    WITHOUT_US,
    made.map(({ before }) => before),
  );
  await clear(client, WITHOUT_US);
  const bound = made.filter(({ before }) => without.get(before.metadata.name)?.spec.nodeName !== undefined);
  const withUs = await verdicts(
    client,
    WITH_US,
    bound.map(({ before }) => before),
    mustRun,
  );
  await clear(client, WITH_US);
  await client.json('DELETE', POLICIES);
  await client.json('DELETE', `/api/v1/nodes?labelSelector=${BATCH}%3D${batch}`);
  return made.map((each) => {
    const after = withUs.get(each.before.metadata.name);
    return {
      ...each,
      without: without.get(each.before.metadata.name)?.spec.nodeName,
      withUs: after && {
        node: after.spec.nodeName,
        became: after.metadata.annotations[WRITTEN.strategy] ?? 'as it came',
        reason: after.metadata.annotations[WRITTEN.reason],
        refusal: refusal(after),
      },
    };
  });
}

function placed(node: NodeManifest, index: number, batch: number): NodeManifest {
  const { metadata } = node;
  const labels = { ...(metadata.labels as object), [CASE]: String(index), [BATCH]: String(batch) };
  return { ...node, metadata: { ...metadata, labels: { 'kubernetes.io/hostname': metadata.name, ...labels } } };
}

function selecting(pod: CasePodManifest, index: number): CasePodManifest {
  const { metadata, spec } = pod;
  const own = { [CASE]: String(index) };
  return {
    ...pod,
    metadata: { ...metadata, labels: { ...metadata.labels, ...own } },
    spec: { ...spec, nodeSelector: { ...spec.nodeSelector, ...own } },
  };
}

function policyObject(policy: object, index: number): object {
  const podSelector = { matchLabels: { [CASE]: String(index) } };
  return manifest(SHARING_POLICIES, `case-${index}`, { ...policy, podSelector });
}

/** Waits until the webhook knows the batch: a policy and a node that were made last have their say. */
async function untilKnown(client: KubeClient, batch: number): Promise<void> {
  const labels = { [BATCH]: String(batch), last: 'true' };
  const podSelector = { matchLabels: labels };
  await client.json('POST', '/api/v1/nodes', {
    body: mpsNode({ name: `last-${batch}`, gpus: 1, replicas: 2, labels }),
  });
  const policy = manifest(SHARING_POLICIES, 'last', { strategy: 'mps', podSelector });
  await client.json('POST', POLICIES, { body: policy });
  const spec = { nodeSelector: labels };
  const body = gpuPod({ name: 'last', gpus: 1, labels, spec, schedulerName: 'default-scheduler' });
  await waitFor('the webhook knows the cases', async () => {
    const reply = await client.json('POST', `/api/v1/namespaces/${WITH_US}/pods?dryRun=All`, { body });
    const { metadata } = z
      .object({ metadata: z.object({ annotations: z.record(z.string(), z.string()) }) })
      .parse(reply);
    return metadata.annotations[`${PREFIX}optimization-strategy`] === 'mps';
  });
}

/**
 * Makes the pods, and waits for kube-scheduler's word on each: the first, or, of those that must run, that it is bound,
 * for a while.
 */
async function verdicts(
  client: KubeClient,
  namespace: string,
  pods: readonly object[],
  mustRun: ReadonlySet<string> = new Set(),
): Promise<Map<string, Pod>> {
  await createAll(client, `/api/v1/namespaces/${namespace}/pods`, pods);
  const started = performance.now();
  const list = async () => new Map((await listPods(client, namespace)).map((pod) => [pod.metadata.name, pod]));
  const said = await waitFor(
    'kube-scheduler has a word on each pod',
    async () => {
      const found = await list();
      const patient = performance.now() - started < BOUND_MS;
      const hasWord = (pod: Pod) =>
        pod.spec.nodeName !== undefined || (refusal(pod) !== undefined && !(patient && mustRun.has(pod.metadata.name)));
      return [...found.values()].every(hasWord) && found;
    },
    { timeoutMs: 2 * BOUND_MS, everyMs: 100 },
  );
  if ([...said.values()].every(({ spec }) => spec.nodeName !== undefined)) return said;
  await sleep(SETTLE_MS);
  return list();
}

async function clear(client: KubeClient, namespace: string): Promise<void> {
  await client.json('DELETE', `/api/v1/namespaces/${namespace}/pods?gracePeriodSeconds=0`);
  await waitFor('all pods are gone', async () => (await listPods(client, namespace)).length === 0);
}
