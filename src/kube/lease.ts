/**
 * Leader election by a Lease: only its holder may act. It is taken on request, renewed only while there are
 * requests, and given back at the end: an idle cluster sees no write.
 *
 * Others judge whether it has lapsed by how long they have seen it unchanged, look by look, on a clock of
 * their own that never goes back: wrong or jumping wall clocks do no harm, nor does an API server that
 * was frozen for a while.
 */

import { z } from 'zod';
import { type Clock, systemClock } from './clock.ts';
import { type KubeClient, KubeError } from './kube-client.ts';

export interface LeaseOptions {
  readonly client: Pick<KubeClient, 'json'>;
  readonly namespace: string;
  readonly name: string;
  /** Of this process alone. */
  readonly identity: string;
  /** What holds it, for people; default `extender`. */
  readonly holder?: string;
  /** Called if another client held it since we last knew: learns all that it did. */
  readonly takeOver: () => Promise<void>;
  readonly log: (message: string, details: Record<string, unknown>) => void;
  readonly clock?: Pick<Clock, 'now' | 'monotonic'>;
}

/** It cannot be had now; the message says why, and what will end that. */
export class LeaseError extends Error {
  override readonly name = 'LeaseError';
}

/** We act on it for so long after we asked for it, ms. */
const VALID_MS = 8_000;
/** What is sent at the last moment is given up after so long without an answer, ms. */
export const LAST_WORD_MS = 5_000;
/** Others take it after so long without a change, ms: longer than both together. */
const DURATION_MS = 15_000;
const RENEW_MS = 3_000;
/** A client without it looks so often, ms; looks farther apart than that and a little more start over. */
const LOOK_MS = 3_000;
const MAX_GAP_MS = 6_000;
/** leaseDurationSeconds of a Lease that was given back in order: nothing of its holder is under way. */
const GIVEN_BACK_S = 1;
/** What fits into the field. */
const MAX_TRANSITIONS = 2 ** 31;
/** Another client may be quicker, but not time and again. */
const ATTEMPTS = 3;

const leaseSchema = z.object({
  metadata: z.object({ resourceVersion: z.string() }),
  spec: z
    .object({
      holderIdentity: z.string().nullish(),
      leaseDurationSeconds: z.int().nullish(),
      leaseTransitions: z.int().nullish(),
    })
    .nullish()
    .transform((spec) => spec ?? {}),
});
type StoredLease = z.infer<typeof leaseSchema>;
type Found = StoredLease | 'absent';

/** The version of a Lease that is not there. */
const ABSENT = '';

export class Lease {
  readonly #options: LeaseOptions;
  readonly #path: string;
  readonly #clock: Pick<Clock, 'now' | 'monotonic'>;
  /** The version that we wrote, or saw without a holder. */
  #known: string | undefined;
  /** Whether others may have done something that we do not know of. */
  #behind = true;
  #term = 0;
  #until = Number.NEGATIVE_INFINITY;
  #renewedAt = Number.NEGATIVE_INFINITY;
  #transitions = 0;
  #busy: Promise<void> | undefined;
  /** The version last seen in others' hands, since when, and when it was last looked at. */
  #seen: { readonly version: string; readonly since: number; readonly at: number } | undefined;

  constructor(options: LeaseOptions) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#path = `/apis/coordination.k8s.io/v1/namespaces/${options.namespace}/leases`;
  }

  get isHeld(): boolean {
    return !this.#behind && this.#clock.monotonic() < this.#until;
  }

  /** Moves whenever another client held it in between. */
  get term(): number {
    return this.#term;
  }

  /**
   * To be called before anything is listed: if no client holds it now, and none takes it before we do, what
   * is listed from here on is all that others did.
   */
  async look(): Promise<void> {
    const lease = await this.#get().catch(() => undefined);
    if (!lease || !this.#observe(lease)) return;
    this.#known = versionOf(lease);
    this.#behind = false;
  }

  /** Keeps an eye on it while others hold it, so that it can be taken as soon as they have been silent for long enough. */
  async watchOver(sleep: (ms: number) => Promise<void>, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(LOOK_MS).catch(() => {});
      if (signal.aborted || this.isHeld || this.#busy) continue;
      await this.#get().then(
        (lease) => void this.#observe(lease),
        () => {},
      );
    }
  }

  /**
   * Undefined if it is held, as it is nearly always: no caller waits for a renewal.
   * @throws LeaseError (later) if another client holds it, or it cannot be written
   */
  hold(): Promise<void> | undefined {
    if (!this.isHeld) return this.#once(() => this.#acquire());
    if (this.#clock.monotonic() - this.#renewedAt > RENEW_MS) {
      this.#once(() => this.#renew()).catch((error: Error) => {
        this.#options.log('the Lease cannot be renewed', { error: error.message });
      });
    }
    return undefined;
  }

  /** Gives it back, so that others need not wait. */
  async release(): Promise<void> {
    // A takeover that is still under way may last for ever.
    if (!this.isHeld) return;
    await this.#busy?.catch(() => {});
    this.#until = Number.NEGATIVE_INFINITY;
    await this.#write('').catch((error: Error) => {
      this.#options.log('the Lease cannot be given back', { error: error.message });
    });
  }

  #once(work: () => Promise<void>): Promise<void> {
    this.#busy ??= work().finally(() => {
      this.#busy = undefined;
    });
    return this.#busy;
  }

  async #acquire(): Promise<void> {
    try {
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await this.#tryToAcquire();
        } catch (error) {
          if (!(error instanceof KubeError) || error.status !== 409 || attempt === ATTEMPTS) throw error;
        }
      }
    } catch (error) {
      if (error instanceof LeaseError) throw error;
      const { namespace, name } = this.#options;
      throw new LeaseError(`the Lease ${namespace}/${name} cannot be taken: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  async #tryToAcquire(): Promise<void> {
    const { identity, takeOver, log } = this.#options;
    const lease = await this.#get();
    const version = versionOf(lease);
    const holder = lease === 'absent' ? undefined : lease.spec.holderIdentity;
    // A write of ours that got no answer may have succeeded: then no other client came in between.
    if (version !== this.#known && holder !== identity) {
      if (!this.#observe(lease)) throw this.#heldByAnother(holder);
      this.#transitions = ((lease === 'absent' ? 0 : (lease.spec.leaseTransitions ?? 0)) + 1) % MAX_TRANSITIONS;
      this.#behind = true;
    }
    await this.#write(identity, version);
    if (!this.#behind) return;
    log('the Lease was in other hands: learning what they did', {});
    await takeOver();
    // That may have taken long: a second write shows that no client came in between.
    if (this.#clock.monotonic() - this.#renewedAt > RENEW_MS) await this.#write(identity);
    this.#behind = false;
    this.#term += 1;
  }

  async #renew(): Promise<void> {
    try {
      await this.#write(this.#options.identity);
    } catch (error) {
      // Another client wrote or deleted it, though it was ours: we stop in any case.
      if (error instanceof KubeError && (error.status === 409 || error.status === 404))
        this.#until = Number.NEGATIVE_INFINITY;
      throw error;
    }
  }

  /** @param version that it must still have */
  async #write(holder: string, version = this.#known): Promise<void> {
    const { client, name, namespace } = this.#options;
    const at = this.#clock.monotonic();
    const time = this.#clock.now().toISOString().replace('Z', '000Z');
    const body = {
      apiVersion: 'coordination.k8s.io/v1',
      kind: 'Lease',
      metadata: { name, namespace, ...(version && { resourceVersion: version }) },
      spec: {
        holderIdentity: holder,
        leaseDurationSeconds: holder ? DURATION_MS / 1000 : GIVEN_BACK_S,
        renewTime: time,
        leaseTransitions: this.#transitions,
      },
    };
    const path = version ? `${this.#path}/${name}` : this.#path;
    const options = { body, idleMs: LAST_WORD_MS };
    const stored = leaseSchema.parse(await client.json(version ? 'PUT' : 'POST', path, options));
    this.#known = stored.metadata.resourceVersion;
    this.#renewedAt = at;
    if (holder) this.#until = at + VALID_MS;
  }

  async #get(): Promise<Found> {
    const { client, name } = this.#options;
    try {
      return leaseSchema.parse(await client.json('GET', `${this.#path}/${name}`, { idleMs: LAST_WORD_MS }));
    } catch (error) {
      if (error instanceof KubeError && error.status === 404) return 'absent';
      throw error;
    }
  }

  /**
   * Takes note of how it looks now; true if it is free: given back in order, never made, or seen unchanged
   * look by look for long enough. One that was taken away or emptied by hand is no different from one
   * that was renewed: its holder may not know yet.
   */
  #observe(lease: Found): boolean {
    if (lease === 'absent' ? !this.#seen : isGivenBack(lease)) {
      this.#seen = undefined;
      return true;
    }
    const at = this.#clock.monotonic();
    const version = versionOf(lease);
    const before = this.#seen;
    const since = before?.version === version && at - before.at <= MAX_GAP_MS ? before.since : at;
    this.#seen = { version, since, at };
    return at - since >= DURATION_MS;
  }

  #heldByAnother(holder: string | null | undefined): LeaseError {
    const { namespace, name, holder: kind = 'extender' } = this.#options;
    return new LeaseError(
      `another ${kind}, ${holder || 'unknown'}, is at work on this cluster (Lease ${namespace}/${name}); ` +
        `this one takes over once that one has been silent for ${DURATION_MS / 1000} s`,
    );
  }
}

/** Resolves while it is held: a promise to hold it may be kept too late. @throws LeaseError */
export async function holding(lease: Pick<Lease, 'hold'>): Promise<void> {
  for (let wait = lease.hold(); wait; wait = lease.hold()) await wait;
}

function versionOf(lease: Found): string {
  return lease === 'absent' ? ABSENT : lease.metadata.resourceVersion;
}

function isGivenBack({ spec }: StoredLease): boolean {
  return !spec.holderIdentity && spec.leaseDurationSeconds === GIVEN_BACK_S;
}
