/** The controller role: keeps the status of policies true, and finds pods that slipped past the webhook. */

import type { KubeConfig } from '@kubernetes/client-node';
import { admissionConfigurationOf } from '../api/admission-settings.ts';
import type { Configuration } from '../api/configuration.ts';
import { CUSTOM_RESOURCES } from '../api/keys.ts';
import { AdmissionState } from '../cluster/admission-state.ts';
import type { Feed } from '../cluster/cluster-state.ts';
import { ConfigurationWatch } from '../cluster/configuration-watch.ts';
import { KubeClient, KubeError } from '../cluster/kube-client.ts';
import { Reflector } from '../cluster/reflector.ts';
import { configurationNews } from '../telemetry/configuration-news.ts';
import type { Logger } from '../telemetry/logger.ts';
import { controllerMetrics, createRegistry } from '../telemetry/metrics.ts';
import { createServer } from '../telemetry/server.ts';
import { Loop } from './loop.ts';
import { findMissed, findUnclear } from './missed-pods.ts';
import { MissedReports } from './missed-reports.ts';
import { PodNotes } from './pod-notes.ts';
import { dueStatus } from './policy-status.ts';
import { StoredPolicies } from './stored-policies.ts';

export interface ControllerOptions {
  readonly kubeConfig: KubeConfig;
  readonly host: string;
  /** 0 for any free port. */
  readonly port: number;
  /** Where we run ourselves: always exempt. */
  readonly namespace: string;
  readonly schedulerName: string;
  readonly configurationFile?: string;
  /** ms between two looks at it; default 5,000. */
  readonly configurationMs?: number;
  readonly log: Logger;
  readonly random: () => number;
  readonly now: () => Date;
  /** ms from a change to what follows from it; default 1,000. */
  readonly settleMs?: number;
}

export interface RunningController {
  /** `http://127.0.0.1:8080` */
  readonly url: string;
  /** Resolves once everything has been listed. */
  readonly ready: Promise<void>;
  close(): Promise<void>;
}

const SETTLE_MS = 1_000;
const RETRY_MS = 5_000;

/** @throws ConfigurationError */
export async function startController(options: ControllerOptions): Promise<RunningController> {
  const { kubeConfig, host, port, namespace, schedulerName, configurationFile: file, log, random, now } = options;
  const client = new KubeClient(kubeConfig);
  const registry = createRegistry();
  const metrics = controllerMetrics(registry);
  const warn = (message: string, details: Record<string, unknown>) => log.warn(details, message);
  const settingsOf = (configuration: Configuration) =>
    admissionConfigurationOf(configuration, namespace, schedulerName);
  const configuration = new ConfigurationWatch({
    file,
    ...(options.configurationMs !== undefined && { everyMs: options.configurationMs }),
    changed: (changed) => {
      if (state.configure(settingsOf(changed))) void reflectors.nodes.listAgain();
      loop.trigger();
    },
    tell: configurationNews(registry, log, file),
  });
  const trigger = () => loop.trigger();
  const state = new AdmissionState(settingsOf(configuration.current), warn, trigger);
  const policies = new StoredPolicies(trigger);
  const pods = new PodNotes(trigger);
  const reports = new MissedReports({ client, log, metrics, now });

  const writeStatuses = async () => {
    const view = state.view();
    for (const policy of policies.all()) {
      const status = dueStatus(policy, pods.governedBy(policy.name), view, now());
      if (!status) continue;
      const path = `${CUSTOM_RESOURCES.policies}/${encodeURIComponent(policy.name)}/status`;
      const call = { body: { status }, contentType: 'application/merge-patch+json' };
      // Gone in the meantime: nothing is left to be told.
      await client.json('PATCH', path, call).catch((error: unknown) => {
        if (!(error instanceof KubeError) || error.status !== 404) throw error;
      });
      metrics.statusWrites.inc();
    }
  };
  const loop = new Loop({
    work: async () => {
      // Half of the picture would say that pods and nodes are gone.
      if (missing.size > 0) return;
      await writeStatuses();
      const view = state.view();
      await reports.report(findMissed(pods, view), findUnclear(pods, view));
    },
    failed: (error) => log.warn({ error: error.message }, 'could not write to the API server, trying again'),
    settleMs: options.settleMs ?? SETTLE_MS,
    retryMs: RETRY_MS,
  });

  const reflect = (path: string, feed: Feed, optional = false) =>
    new Reflector({ client, path, ...feed, optional, random, log: warn });
  const reflectors = {
    nodes: reflect('/api/v1/nodes', state.nodes),
    namespaces: reflect('/api/v1/namespaces', state.namespaces),
    policies: reflect(CUSTOM_RESOURCES.policies, both(state.policies, policies.feed), true),
    pods: reflect('/api/v1/pods', pods.feed),
  };
  const missing = new Set(Object.keys(reflectors));
  for (const [kind, { synced }] of Object.entries(reflectors)) void synced.then(() => missing.delete(kind));
  const ready = Promise.all(Object.values(reflectors).map(({ synced }) => synced)).then(() => {
    log.info('controller ready');
    loop.trigger();
  });

  const waitsFor = () => (missing.size > 0 ? `waiting for the list of ${[...missing].join(' and ')}` : undefined);
  const server = createServer({ log, registry, waitsFor, bodyLimit: 1_024 });
  const url = await server.listen({ host, port });
  for (const reflector of Object.values(reflectors)) reflector.start();
  configuration.start();
  loop.start();

  return {
    url,
    ready,
    async close() {
      await server.close();
      await Promise.all([configuration.stop(), ...Object.values(reflectors).map((reflector) => reflector.stop())]);
      client.close();
      await loop.stop();
    },
  };
}

/** One reflector, two listeners. */
function both(a: Feed, b: Feed): Feed {
  return {
    listing: () => {
      const listings = [a.listing(), b.listing()];
      return {
        page: (objects) => {
          for (const listing of listings) listing.page(objects);
        },
        done: () => {
          for (const listing of listings) listing.done();
        },
      };
    },
    changed: (object) => {
      a.changed(object);
      b.changed(object);
    },
    deleted: (object) => {
      a.deleted(object);
      b.deleted(object);
    },
  };
}
