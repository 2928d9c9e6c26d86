/** The extender's HTTP face: validates what comes, asks the verbs, counts and logs. */

import type { FastifyInstance, FastifyReply } from 'fastify';
import type { LRUCache } from 'lru-cache';
import type { ZodType } from 'zod';
import { ApiError } from '../api/errors.ts';
import {
  type BindingResult,
  bindingArgsSchema,
  type ExtenderArgs,
  extenderArgsSchema,
  filterReply,
  type PreemptionResult,
  preemptionArgsSchema,
} from '../api/extender.ts';
import { formatIssues, type Pod, podSchema } from '../api/kubernetes.ts';
import { explainGpus } from '../core/explain.ts';
import type { GpuRequest } from '../core/request.ts';
import type { LiveStrategy } from '../core/scoring/live-strategy.ts';
import { holding, type Lease } from '../kube/lease.ts';
import type { ClusterState } from '../state/cluster-state.ts';
import { gpuRequestOf } from '../state/gpu-request.ts';
import { createServer, type HttpOptions } from '../telemetry/server.ts';
import type { Binder } from './bind.ts';
import type { ComparisonReporter } from './comparison-reporter.ts';
import type { EquivalenceCache } from './equivalence-cache.ts';
import { type Filtered, filter } from './filter.ts';
import type { ExtenderMetrics } from './metrics.ts';
import { mayNarrow } from './narrowing.ts';
import { preempt } from './preempt.ts';
import { prioritize } from './prioritize.ts';
import type { Requeuer } from './requeuer.ts';

/** 5,000 names of the longest kind and a pod of the largest size that the API server takes stay under 5 MiB. */
export const BODY_LIMIT = 5 * 1024 * 1024;

/** In the debug log of filter, GPU by GPU. */
const NODES_EXPLAINED = 10;
/** In the answer of compare. */
const DIFFERENCES_SHOWN = 100;

export interface ExtenderServerOptions extends Pick<HttpOptions, 'log' | 'registry' | 'notReadyReason'> {
  readonly state: ClusterState;
  readonly live: LiveStrategy;
  readonly equivalenceCache: EquivalenceCache;
  /** Whether filter answers with the best node alone where no other plugin has a say. */
  readonly narrowing: () => boolean;
  readonly binder: Binder;
  readonly lease: Pick<Lease, 'hold' | 'isHeld'>;
  readonly comparisons: Pick<ComparisonReporter, 'now'>;
  readonly metrics: ExtenderMetrics;
  readonly requeuer: Requeuer;
  /** Where filter notes what a pod asks for, so that bind need not ask the API server. */
  readonly requestCache: LRUCache<string, GpuRequest>;
}

export function createExtenderServer(options: ExtenderServerOptions): FastifyInstance {
  const {
    log,
    state,
    live,
    equivalenceCache,
    narrowing,
    binder,
    lease,
    comparisons,
    metrics,
    requeuer,
    requestCache,
    notReadyReason,
  } = options;
  const { ledger } = state;
  const server = createServer({ ...options, bodyLimit: BODY_LIMIT });

  const mustBeReady = () => {
    const missing = notReadyReason();
    if (missing !== undefined) throw new ApiError('NotReady', missing);
  };

  const verb = <T>(name: string, schema: ZodType<T>, answer: (args: T, reply: FastifyReply) => unknown) => {
    server.post(`/${name}`, {
      onResponse: (_request, reply, done) => {
        metrics.requests.observe({ verb: name, status: reply.statusCode }, reply.elapsedTime / 1000);
        done();
      },
      handler: (request, reply) => {
        mustBeReady();
        const parsed = schema.safeParse(request.body);
        if (!parsed.success) throw new ApiError('InvalidEnvelope', formatIssues(parsed.error));
        return answer(parsed.data, reply);
      },
    });
  };

  verb('filter', extenderArgsSchema, (args, reply) => {
    if (lease.isHeld && !lease.hold()) return reply.type('application/json').send(answerFilter(args));
    // Said in the reply: kube-scheduler shows that in the pod's event, and of other statuses only the number.
    return holding(lease).then(
      () => reply.type('application/json').send(answerFilter(args)),
      (error: Error) =>
        reply.type('application/json').send(filterReply({ passed: [], refused: [], error: error.message })),
    );
  });

  const answerFilter = ({ Pod, NodeNames, Nodes }: ExtenderArgs): string => {
    const started = performance.now();
    const { pod, uid, key, request } = readPod(Pod, state);
    const table = equivalenceCache.of(request);
    if (uid && !requestCache.has(uid)) live.observe(request);
    // The request of the class, not of the pod: thousands of these live on for a while.
    if (uid) requestCache.set(uid, table.request);
    const names = given('NodeNames', NodeNames, Nodes);
    const narrow = narrowing() && mayNarrow(pod, state);
    const filtered = filter({ ledger, table, names, narrow });
    if (uid) requeuer.filtered({ uid, key, request }, filtered.passed.length === 0, names);
    for (const [reason, count] of filtered.reasons) metrics.refusals.inc({ reason }, count);
    metrics.decisions.inc({ strategy: live.strategy.name, result: resultOf(filtered) });
    note(key, request, filtered, performance.now() - started);
    return filterReply(filtered);
  };

  const note = (pod: string, request: GpuRequest, filtered: Filtered, took: number) => {
    const { passed, refused, reasons, narrowed } = filtered;
    if (passed.length > 0 && !log.isLevelEnabled('debug')) return;
    const ms = Math.round(took * 100) / 100;
    const counts = { passed: passed.length, refused: Object.fromEntries(reasons), ms };
    if (passed.length === 0) log.info({ pod, ...counts }, 'no node fits');
    if (!log.isLevelEnabled('debug')) return;
    const why = refused.slice(0, NODES_EXPLAINED).map(([node]) => [node, explainGpus(ledger, node, request)]);
    log.debug({ pod, ...counts, ...(narrowed && { node: passed[0] }), why: Object.fromEntries(why) }, 'filter');
  };

  verb('prioritize', extenderArgsSchema, ({ Pod, NodeNames, Nodes }) => {
    const { request } = readPod(Pod, state);
    return prioritize(ledger, equivalenceCache.of(request), given('NodeNames', NodeNames, Nodes));
  });

  verb('preempt', preemptionArgsSchema, ({ Pod, NodeNameToMetaVictims, NodeNameToVictims }): PreemptionResult => {
    const { uid, key, request } = readPod(Pod, state);
    const candidates = given('NodeNameToMetaVictims', NodeNameToMetaVictims, NodeNameToVictims);
    const left = preempt(ledger, equivalenceCache.of(request), candidates);
    if (uid) requeuer.preempting({ uid, key, request }, Object.keys(left));
    return { NodeNameToMetaVictims: left };
  });

  verb('bind', bindingArgsSchema, async (args): Promise<BindingResult> => {
    const started = performance.now();
    const outcome = await binder.bind(args);
    const ms = Math.round(performance.now() - started);
    metrics.binds.inc({ result: outcome.result });
    const pod = `${args.PodNamespace}/${args.PodName}`;
    if (outcome.result === 'bound') {
      const request = requestCache.get(args.PodUID);
      if (request) live.placed(request);
      log.info({ pod, node: args.Node, strategy: live.strategy.name, ms }, 'pod bound');
      return { Error: '' };
    }
    log.warn({ pod, node: args.Node, why: outcome.why, ms }, 'pod not bound, kube-scheduler will try again');
    return { Error: outcome.why };
  });

  server.post('/compare', async () => {
    mustBeReady();
    const differences = await comparisons.now().catch((error: Error) => {
      throw new ApiError('ApiServerAway', error.message, { cause: error });
    });
    return { total: differences.length, differences: differences.slice(0, DIFFERENCES_SHOWN) };
  });

  return server;
}

/** @throws ApiError InvalidPod, InvalidQuantity */
function readPod(body: unknown, { guards }: Pick<ClusterState, 'guards'>) {
  const parsed = podSchema.safeParse(body);
  if (!parsed.success) throw new ApiError('InvalidPod', formatIssues(parsed.error));
  const pod: Pod = parsed.data;
  const { uid = '', namespace = '', name = '' } = pod.metadata;
  return { pod, uid, key: `${namespace}/${name}`, request: guards.applyTo(namespace, gpuRequestOf(pod)) };
}

/** What became of a look for a node. */
function resultOf({ passed, narrowed }: Filtered): 'narrowed' | 'listed' | 'none' {
  if (passed.length === 0) return 'none';
  return narrowed ? 'narrowed' : 'listed';
}

/** What came by names, and not as full objects. */
function given<T>(key: string, byName: T | null | undefined, objects: unknown): T {
  if (byName) return byName;
  if (objects !== undefined && objects !== null) throw new ApiError('NodeListNotSupported');
  throw new ApiError('InvalidEnvelope', `${key}: names are required`);
}
