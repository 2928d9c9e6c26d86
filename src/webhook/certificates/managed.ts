/**
 * Certificates of our own, in a Secret that all replicas share: looked at again and again, made, renewed and repaired
 * by the replica that comes first (ADR 7), and published to the API server in the order in which no admission fails.
 */

import type { X509Certificate } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Gauge } from 'prom-client';
import type { Clock } from '../../kube/clock.ts';
import type { KubeClient } from '../../kube/kube-client.ts';
import type { Logger } from '../../telemetry/logger.ts';
import { type Owned, type Registered, Registration } from '../registration.ts';
import type { CertificateManager } from './certificate-manager.ts';
import {
  type CertificateData,
  type Contents,
  type Leaf,
  readBundle,
  readContents,
  untimely,
  writeBundle,
} from './contents.ts';
import { FirstSeenTracker } from './first-seen-tracker.ts';
import { createAuthority, issueLeaf, type Pair } from './issue.ts';
import type { CertificateMetrics } from './metrics.ts';
import { DEFAULT_POLICY, nextStep, type Policy, type Work } from './plan.ts';
import { renew } from './renew.ts';
import { CertificateSecret, type StoredSecret } from './secret.ts';

export interface ManagedCertificates {
  /** Where the Secret is. */
  readonly namespace: string;
  /** The Service that the certificate is for. */
  readonly serviceName: string;
  /** How the API server calls us where there is no Service; then the configuration is ours. */
  readonly owned?: Owned;
  /** Further names that the certificate is for. */
  readonly extraNames?: readonly string[];
  readonly policy?: Partial<Policy>;
}

export interface ManagedCertificateManagerOptions extends ManagedCertificates {
  readonly client: Pick<KubeClient, 'json'>;
  /** The clock of those who check certificates: the API server's. */
  readonly time: (signal: AbortSignal) => Promise<Date>;
  readonly clock: Pick<Clock, 'now' | 'monotonic'>;
  /** In [0, 1): keeps replicas from looking at the same moment. */
  readonly random: () => number;
  readonly log: Logger;
  readonly metrics: CertificateMetrics;
  /** 1 while the API server trusts what is served. */
  readonly registered: Gauge;
}

/** Looks in a row without a pause: after one's own write, or another's. */
const IN_A_ROW = 5;
const FIRST_DELAY_MS = 250;
const DAY_MS = 24 * 3_600_000;

const DONE: Readonly<Record<Work['do'], string>> = {
  restore: 'the Secret was restored as it was before',
  begin: 'a new authority and certificate were made',
  introduce: 'a new authority was made, to be trusted beside the old one',
  issue: 'a new certificate was made',
  trim: 'authorities that sign nothing any more were taken out',
};

export class ManagedCertificateManager implements CertificateManager {
  readonly #options: ManagedCertificateManagerOptions;
  readonly #policy: Policy;
  readonly #names: readonly string[];
  readonly #secret: CertificateSecret;
  readonly #registration: Registration;
  readonly #stopping = new AbortController();
  readonly #ready = Promise.withResolvers<void>();
  /** Authorities in the configuration, and the one that signed what is in the Secret. */
  readonly #trusted = new FirstSeenTracker();
  readonly #inService = new FirstSeenTracker();
  #current: Pair;
  #serving: Leaf | undefined;
  /** Contents of the Secret, the last that were sound. */
  #held: CertificateData | undefined;
  /** Whom the API server trusted when we came. */
  #trustedAtFirst: ReadonlySet<string> | undefined;
  #changed: (pair: Pair) => void = () => {};
  #running: Promise<void> | undefined;
  #missing = false;

  private constructor(options: ManagedCertificateManagerOptions, provisional: Pair) {
    this.#options = options;
    this.#policy = { ...DEFAULT_POLICY, ...options.policy };
    this.#names = namesOf(options);
    this.#current = provisional;
    const { signal } = this.#stopping;
    const client: Pick<KubeClient, 'json'> = {
      json: (method, path, more) => options.client.json(method, path, { ...more, signal }),
    };
    this.#secret = new CertificateSecret({ ...options, client, serviceRequired: !options.owned });
    this.#registration = new Registration(client, options.owned);
  }

  /** Until the Secret has been read, an untrusted certificate serves the kubelet's probes. */
  static async create(options: ManagedCertificateManagerOptions): Promise<ManagedCertificateManager> {
    const validity = { now: options.clock.now(), validMs: DAY_MS };
    return new ManagedCertificateManager(
      options,
      await issueLeaf(await createAuthority(validity), namesOf(options), validity),
    );
  }

  get current(): Pair {
    return this.#current;
  }

  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  notReadyReason(): string | undefined {
    return this.#serving ? undefined : 'waiting for a certificate that the API server trusts';
  }

  start(changed: (pair: Pair) => void): void {
    this.#changed = changed;
    this.#running ??= this.#run();
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    const { log, metrics, random } = this.#options;
    const { pollMs } = this.#policy;
    let inARow = 0;
    let failures = 0;
    while (!signal.aborted) {
      let again = false;
      try {
        again = await this.look();
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        metrics.rotations.inc({ result: 'failed' });
        log.warn({ error: (error as Error).message }, 'certificates cannot be looked after, trying again');
      }
      inARow = again ? inARow + 1 : 0;
      const pauseMs = failures > 0 ? Math.min(pollMs, FIRST_DELAY_MS * 2 ** failures) : pollMs;
      const delayMs = again && inARow < IN_A_ROW ? 0 : pauseMs * (0.5 + random());
      await sleep(delayMs, undefined, { signal }).catch(() => {});
    }
  }

  /**
   * One look, and what follows from it.
   * @returns whether to look again at once
   * @throws KubeError
   */
  async look(): Promise<boolean> {
    const now = await this.#options.time(this.#stopping.signal);
    // The configuration first: what it trusts is then never newer than the Secret, and a bundle that is written
    // on top of this version never older than the one it replaces.
    const registered = await this.#registration.read();
    const stored = await this.#secret.read();
    const at = this.#options.clock.monotonic();
    const trusted = readBundle(registered?.caBundle, now);
    const contents = stored && readContents(stored.data, { names: this.#names, now });
    this.#trusted.look(fingerprints(trusted), at);
    this.#trustedAtFirst ??= new Set(fingerprints(trusted));
    this.#inService.look(contents?.leaf.sound ? fingerprints([contents.leaf.value.issuer]) : [], at);

    if (contents?.leaf.sound) this.#serve(contents.leaf.value, trusted, now, at);
    const published = contents && stored && (await this.#publish(contents, stored, registered));
    this.#report(trusted, registered);

    const step = nextStep({
      contents,
      restorable: this.#isRestorable(now),
      isSettled: ({ fingerprint256 }) => (this.#trusted.age(fingerprint256, at) ?? -1) >= this.#policy.settleMs,
      isInService: ({ fingerprint256 }) => (this.#inService.age(fingerprint256, at) ?? -1) >= this.#policy.retainMs,
      now,
      policy: this.#policy,
    });
    if (step.do === 'nothing') return published === 'written' || published === 'lost';
    await this.#work(step, { stored, contents, trusted, now });
    return true;
  }

  async #work(
    { do: step, why }: Work,
    {
      stored,
      ...found
    }: { stored: StoredSecret | undefined; contents: Contents | undefined; trusted: X509Certificate[]; now: Date },
  ): Promise<void> {
    const { log, metrics } = this.#options;
    const before = stored?.data ?? {};
    const data =
      step === 'restore'
        ? { ...before, ...this.#held }
        : await renew({ step, data: before, names: this.#names, policy: this.#policy, ...found });
    const won = await this.#secret.write(data, stored);
    metrics.rotations.inc({ result: won ? 'stored' : 'lost' });
    if (won) log[step === 'restore' ? 'warn' : 'info']({ why }, DONE[step]);
    else log.debug({ why, step }, 'another replica was quicker');
  }

  /** Only a Secret that nothing is wrong with: a damaged one must not remove trusted authorities. */
  async #publish(
    { authority, leaf, bundle, tidy }: Contents,
    { data }: StoredSecret,
    registered: Registered | undefined,
  ) {
    if (!authority.sound || !leaf.sound || !tidy) return undefined;
    this.#held = data;
    const published = await this.#registration.publish(registered, writeBundle(bundle));
    if (published === 'written') {
      this.#options.log.info({ authorities: bundle.length }, 'caBundle written to the webhook configuration');
    }
    return published;
  }

  #serve(leaf: Leaf, trusted: readonly X509Certificate[], now: Date, at: number): void {
    if (leaf.cert === this.#serving?.cert && leaf.key === this.#serving.key) return;
    if (!this.#mayServe(leaf, trusted, now, at)) return;
    this.#serving = leaf;
    this.#current = { cert: leaf.cert, key: leaf.key };
    this.#changed(this.#current);
    this.#ready.resolve();
    const { metrics, log } = this.#options;
    const { validToDate, serialNumber } = leaf.certificate;
    metrics.notAfter.set(validToDate.getTime() / 1000);
    metrics.rotations.inc({ result: 'taken' });
    log.info({ until: validToDate.toISOString(), serialNumber }, 'this certificate is served from now on');
  }

  /** What the API server does not trust yet is served only if there is nothing better. */
  #mayServe({ issuer }: Leaf, trusted: readonly X509Certificate[], now: Date, at: number): boolean {
    const age = this.#trusted.age(issuer.fingerprint256, at);
    if (age !== undefined && age >= this.#policy.settleMs) return true;
    if (!this.#serving) {
      // With a second authority present, a new replica cannot know since when the first one is trusted.
      const first = this.#trustedAtFirst ?? new Set();
      return first.size === 0 || (first.size === 1 && first.has(issuer.fingerprint256));
    }
    const { certificate, issuer: known } = this.#serving;
    if (known.fingerprint256 === issuer.fingerprint256) return true;
    return untimely(certificate, now) !== undefined || !fingerprints(trusted).includes(known.fingerprint256);
  }

  #isRestorable(now: Date): boolean {
    if (!this.#held) return false;
    const { authority, leaf } = readContents(this.#held, { names: this.#names, now });
    return authority.sound && leaf.sound;
  }

  #report(trusted: readonly X509Certificate[], registered: Registered | undefined): void {
    const { registered: gauge, log, owned } = this.#options;
    const issuer = this.#serving?.issuer.fingerprint256;
    gauge.set(issuer !== undefined && fingerprints(trusted).includes(issuer) ? 1 : 0);
    const missing = registered === undefined && !owned;
    if (missing && !this.#missing) {
      log.warn('there is no MutatingWebhookConfiguration gpu-autoscaler-webhook: no pod comes here (helm makes it)');
    }
    this.#missing = missing;
  }
}

function namesOf({ serviceName, namespace, extraNames = [] }: ManagedCertificates): string[] {
  const service = `${serviceName}.${namespace}.svc`;
  return [service, `${service}.cluster.local`, ...extraNames];
}

function fingerprints(certificates: readonly X509Certificate[]): string[] {
  return certificates.map(({ fingerprint256 }) => fingerprint256);
}
