/** A binder of one node with whole GPUs, an API server without network, and nothing that moves by itself. */

import { setImmediate as turn } from 'node:timers/promises';
import type { Test } from 'tap';
import type { GpuRequest } from '#src/core/request.ts';
import { WHOLE_GPU } from '#src/core/resources.ts';
import { Binder } from '#src/extender/bind.ts';
import { ClusterState } from '#src/state/cluster-state.ts';
import { takeList } from '../../fakes/listing.ts';
import { FakePodApi } from '../../fakes/pod-api.ts';
import { exclusiveNode } from '../../objects/nodes.ts';
import { type StoredPodOptions, storedPod } from '../../objects/pods.ts';
import { request } from '../make.ts';

export const NODE = 'gpu-node-01';
export const OTHER = 'gpu-node-02';

/** A pod of that name that asks for a GPU. */
export function podManifest(name: string, uid = name, more: Pick<StoredPodOptions, 'metadata' | 'spec'> = {}) {
  return storedPod({ name, uid, gpus: 1, ...more });
}

export interface SetUpOptions {
  /** GPUs of each of the two nodes; default 1. */
  readonly gpus?: number;
  /** Pods that the API server has; each asks for one GPU. Default `a`. */
  readonly pods?: readonly string[];
  /** Whether filter has seen the pods; default true. */
  readonly remembered?: boolean;
  /** Whether delays last until `wake`; default false. */
  readonly asleep?: boolean;
}

export function setUp(t: Test, { gpus = 1, pods = ['a'], remembered = true, asleep = false }: SetUpOptions = {}) {
  const state = new ClusterState((message) => t.fail(message));
  takeList(
    state.nodes,
    [NODE, OTHER].map((name) => exclusiveNode({ name, gpus })),
  );
  const api = new FakePodApi();
  for (const name of pods) api.store.put('pods', podManifest(name));
  const memory = new Map<string, GpuRequest>(remembered ? pods.map((name) => [name, request(WHOLE_GPU, 1)]) : []);
  const stopping = new AbortController();
  t.teardown(() => stopping.abort());
  /** Delays so far, ms. */
  const naps: number[] = [];
  const sleepers: (() => void)[] = [];
  const sleep = (ms: number) => {
    naps.push(ms);
    return new Promise<void>((resolve) => sleepers.push(resolve));
  };
  const lease: { hold: () => Promise<void> | undefined; isHeld: boolean; term: number } = {
    hold: () => undefined,
    isHeld: true,
    term: 0,
  };
  const binder = new Binder({
    state,
    client: api,
    strategy: () => 'bestfit',
    recall: (uid) => memory.get(uid),
    lease,
    signal: stopping.signal,
    ...(asleep && { sleep }),
  });
  const bind = (name: string, node = NODE, uid = name) =>
    binder.bind({ PodName: name, PodNamespace: 'team', PodUID: uid, Node: node });
  const nodeOf = (name: string) => api.store.get('pods', `team/${name}`)?.spec?.nodeName;
  const free = (node = NODE) => state.ledger.freeSlots(node, WHOLE_GPU);
  /** What the watch would tell of the pod now. */
  const watch = (name: string) => state.pods.update(api.store.get('pods', `team/${name}`));
  /** All delays are over, and what follows them has happened. */
  const wake = async () => {
    for (const resolve of sleepers.splice(0)) resolve();
    await turn();
  };
  return { state, ledger: state.ledger, api, bind, nodeOf, free, watch, stopping, naps, wake, lease, binder };
}
