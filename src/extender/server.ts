/** The extender's HTTP face: validates what comes, asks the verbs, counts and logs. */

import type { FastifyInstance } from 'fastify';
import type { LRUCache } from 'lru-cache';
import type { ZodType } from 'zod';
import { ApiError } from '../api/errors.ts';
import {
  type BindingResult,
  bindingArgsSchema,
  extenderArgsSchema,
  type PreemptionResult,
  preemptionArgsSchema,
} from '../api/extender.ts';
import { faults, podSchema } from '../api/kubernetes.ts';
import type { ClusterState } from '../cluster/cluster-state.ts';
import { projectPod } from '../cluster/projection.ts';
import { explainGpus } from '../core/explain.ts';
import type { GpuRequest } from '../core/request.ts';
import { LiveStrategy } from '../core/strategies/live.ts';
import type { Strategy } from '../core/strategies/strategy.ts';
import type { ExtenderMetrics } from '../telemetry/metrics.ts';
import { createServer, type HttpOptions } from '../telemetry/server.ts';
import type { Binder } from './bind.ts';
import { filter } from './filter.ts';
import { preempt } from './preempt.ts';
import { prioritize } from './prioritize.ts';
import type { SecondLook } from './second-look.ts';

/** 5,000 names of the longest kind and a pod of the largest size that the API server takes stay under 5 MiB. */
export const BODY_LIMIT = 5 * 1024 * 1024;

/** In the debug log of filter, GPU by GPU. */
const NODES_EXPLAINED = 10;

export interface ExtenderServerOptions extends Pick<HttpOptions, 'log' | 'registry' | 'waitsFor'> {
  readonly state: ClusterState;
  readonly strategy: Strategy;
  readonly binder: Binder;
  readonly metrics: ExtenderMetrics;
  readonly secondLook: SecondLook;
  /** Where filter notes what a pod asks for, so that bind need not ask the API server. */
  readonly seen: LRUCache<string, GpuRequest>;
}

export function createExtenderServer(options: ExtenderServerOptions): FastifyInstance {
  const { log, state, strategy, binder, metrics, secondLook, seen, waitsFor } = options;
  const server = createServer({ ...options, bodyLimit: BODY_LIMIT });
  const live = new LiveStrategy(strategy, state.ledger);

  const verb = <T>(name: string, schema: ZodType<T>, answer: (args: T) => unknown) => {
    server.post(`/${name}`, {
      onResponse: (_request, reply, done) => {
        metrics.requests.observe({ verb: name, status: reply.statusCode }, reply.elapsedTime / 1000);
        done();
      },
      handler: (request) => {
        const missing = waitsFor();
        if (missing !== undefined) throw new ApiError('NotReady', missing);
        const parsed = schema.safeParse(request.body);
        if (!parsed.success) throw new ApiError('InvalidEnvelope', faults(parsed.error));
        return answer(parsed.data);
      },
    });
  };

  verb('filter', extenderArgsSchema, ({ Pod, NodeNames, Nodes }) => {
    const { uid, key, request } = readPod(Pod);
    if (uid && !seen.has(uid)) live.observe(request);
    if (uid) seen.set(uid, request);
    const names = given('NodeNames', NodeNames, Nodes);
    const { result, refused } = filter(state.ledger, request, names);
    if (uid) secondLook.filtered({ uid, key, request }, result.NodeNames.length === 0, names);
    for (const [reason, count] of refused) metrics.refusals.inc({ reason }, count);
    if (log.isLevelEnabled('debug')) {
      const refusedNodes = Object.keys({ ...result.FailedNodes, ...result.FailedAndUnresolvableNodes });
      const why = refusedNodes
        .slice(0, NODES_EXPLAINED)
        .map((node) => [node, explainGpus(state.ledger, node, request)]);
      const counts = { passed: result.NodeNames.length, refused: Object.fromEntries(refused) };
      log.debug({ pod: key, ...counts, why: Object.fromEntries(why) }, 'filter');
    }
    return result;
  });

  verb('prioritize', extenderArgsSchema, ({ Pod, NodeNames, Nodes }) => {
    const { request } = readPod(Pod);
    return prioritize(live, request, given('NodeNames', NodeNames, Nodes));
  });

  verb('preempt', preemptionArgsSchema, ({ Pod, NodeNameToMetaVictims, NodeNameToVictims }): PreemptionResult => {
    const { request } = readPod(Pod);
    const candidates = given('NodeNameToMetaVictims', NodeNameToMetaVictims, NodeNameToVictims);
    return { NodeNameToMetaVictims: preempt(state.ledger, request, candidates) };
  });

  verb('bind', bindingArgsSchema, async (args): Promise<BindingResult> => {
    const outcome = await binder.bind(args);
    metrics.binds.inc({ result: outcome.result });
    const pod = `${args.PodNamespace}/${args.PodName}`;
    if (outcome.result === 'bound') {
      const request = seen.get(args.PodUID);
      if (request) live.placed(request);
      log.info({ pod, node: args.Node, strategy: strategy.name }, 'pod bound');
      return { Error: '' };
    }
    log.warn({ pod, node: args.Node, why: outcome.why }, 'pod not bound, kube-scheduler will try again');
    return { Error: outcome.why };
  });

  return server;
}

function readPod(body: unknown) {
  const pod = podSchema.safeParse(body);
  if (!pod.success) throw new ApiError('InvalidPod', faults(pod.error));
  return projectPod(pod.data);
}

/** What came by names, and not as full objects. */
function given<T>(key: string, byName: T | null | undefined, objects: unknown): T {
  if (byName) return byName;
  if (objects !== undefined && objects !== null) throw new ApiError('NodeListNotSupported');
  throw new ApiError('InvalidEnvelope', `${key}: names are required`);
}
