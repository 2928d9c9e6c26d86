/** What everybody in a chaos run shares, and how pods come and go in it. */

import { setTimeout as sleep } from 'node:timers/promises';
import { type KubeClient, KubeError } from '#src/kube/kube-client.ts';
import { createPod } from '../cluster/pods.ts';
import type { ExtenderProcess, PodToBind } from './extender-process.ts';
import { type PodWish, podFor } from './fleet.ts';
import type { Judge } from './judge.ts';

export interface World {
  /** Straight to the API server, where nothing goes wrong. */
  readonly client: KubeClient;
  readonly judge: Judge;
  /** One, or several by mistake. */
  readonly extenders: readonly ExtenderProcess[];
  readonly random: () => number;
  /** Slots of the whole fleet, by resource. */
  readonly slots: ReadonlyMap<string, number>;
  readonly nodes: readonly string[];
  /** Mean time that a pod runs. */
  readonly lifeMs: number;
}

export interface LivePod extends PodToBind {
  readonly wish: PodWish;
}

const POD = (name: string) => `/api/v1/namespaces/default/pods/${name}`;
const FINISHES = 0.15;
const IS_REPLACED = 0.15;

export async function create({ client }: World, name: string, wish: PodWish, schedulerName?: string): Promise<LivePod> {
  const manifest = podFor(name, wish, schedulerName);
  const { metadata } = await createPod(client, manifest);
  return { name, uid: metadata.uid, manifest, wish };
}

/** Gone already is gone. */
export async function remove({ client }: World, { name, uid }: Pick<LivePod, 'name' | 'uid'>): Promise<void> {
  const options = { gracePeriodSeconds: 0, preconditions: { uid } };
  await client.json('DELETE', POD(name), { body: options }).catch((error: unknown) => {
    if (!(error instanceof KubeError) || !error.refused) throw error;
  });
}

/**
 * The end of a pod that has run: deleted, or finished and deleted later, or deleted and replaced at
 * once by another of its name, which is returned.
 */
export async function end(world: World, pod: LivePod, schedulerName?: string): Promise<LivePod | undefined> {
  const { client, random } = world;
  const fate = random();
  if (fate < FINISHES) {
    const body = { metadata: { uid: pod.uid }, status: { phase: 'Succeeded' } };
    await client.json('PATCH', `${POD(pod.name)}/status`, { body, contentType: 'application/merge-patch+json' });
    await sleep(random() * 500);
  }
  await remove(world, pod);
  if (fate < FINISHES || fate >= FINISHES + IS_REPLACED) return undefined;
  return create(world, pod.name, pod.wish, schedulerName);
}

/** A time with this mean, ms: most are short, some are long. */
export function lifetime({ lifeMs, random }: World): number {
  return -Math.log(1 - random()) * lifeMs;
}
