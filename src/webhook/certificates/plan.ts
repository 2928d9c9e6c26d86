/**
 * What is to be done next with the certificates, from what the Secret and the configuration hold. One step at a
 * time, so that the next look goes on from whatever a crash left behind.
 *
 * A new authority comes in three steps: it is trusted beside the old one (introduce); once every API server has
 * taken that up, it signs what is served (issue); once every replica serves that, the old one goes (trim).
 */

import type { X509Certificate } from 'node:crypto';
import type { Contents } from './contents.ts';

/** All in ms. */
export interface Policy {
  /** How long a serving certificate is valid; it is renewed when a third of that is left. */
  readonly leafMs: number;
  /** The same of the authority, which must also outlive what it signs. */
  readonly authorityMs: number;
  /** How long an authority has to be in the configuration until every API server trusts it. */
  readonly settleMs: number;
  /** How long what a new authority signed has to be in the Secret until every replica serves it. */
  readonly retainMs: number;
  /** Between two looks at the Secret. */
  readonly pollMs: number;
}

const DAY_MS = 24 * 3_600_000;

export const DEFAULT_POLICY: Policy = {
  leafMs: 90 * DAY_MS,
  authorityMs: 3_650 * DAY_MS,
  // API servers follow a watch and are behind by ms (ADR 7); a minute is for those that were cut off for a while.
  settleMs: 60_000,
  retainMs: 3_600_000,
  pollMs: 10_000,
};

export interface Situation {
  /** Undefined if there is no Secret. */
  readonly contents: Contents | undefined;
  /** Whether the last contents that were sound are at hand, and still are. */
  readonly restorable: boolean;
  /** Whether an authority has been in the configuration for `settleMs`. */
  readonly isSettled: (authority: X509Certificate) => boolean;
  /** Whether what an authority signed has been in the Secret for `retainMs`. */
  readonly isInService: (authority: X509Certificate) => boolean;
  readonly now: Date;
  readonly policy: Pick<Policy, 'leafMs' | 'authorityMs'>;
}

export type Step = { readonly do: 'nothing' } | Work;

export interface Work {
  /**
   * - `restore`: store what was there before
   * - `begin`: a new authority and what it signs, served as soon as it is trusted
   * - `introduce`: a new authority, trusted beside the others; what is served stays
   * - `issue`: what is served, again
   * - `trim`: authorities that sign nothing any more are no longer trusted
   */
  readonly do: 'restore' | 'begin' | 'introduce' | 'issue' | 'trim';
  /** For people. */
  readonly why: string;
}

export function nextStep({ contents, restorable, isSettled, isInService, now, policy }: Situation): Step {
  if (!contents) {
    const why = 'there is no Secret';
    return restorable ? { do: 'restore', why } : { do: 'begin', why };
  }
  const { authority, leaf, bundle, tidy } = contents;
  if (!authority.sound || !leaf.sound) {
    const why = [leaf, authority].flatMap((part) => (part.sound ? [] : [part.why])).join('; ');
    if (restorable) return { do: 'restore', why };
    if (authority.sound) return { do: 'issue', why };
    return { do: leaf.sound ? 'introduce' : 'begin', why };
  }
  const signer = authority.value.certificate;
  // An authority that could not sign for a whole term is of no use.
  if (isDue(signer, Math.max(policy.authorityMs / 3, policy.leafMs), now)) {
    return { do: 'introduce', why: `the authority expires at ${signer.validToDate.toISOString()}` };
  }
  const { certificate, issuer } = leaf.value;
  if (issuer.fingerprint256 !== signer.fingerprint256) {
    if (!isSettled(signer)) return { do: 'nothing' };
    return { do: 'issue', why: 'the new authority is trusted by now' };
  }
  if (isDue(certificate, policy.leafMs / 3, now)) {
    return { do: 'issue', why: `tls.crt expires at ${certificate.validToDate.toISOString()}` };
  }
  if (!tidy) return { do: 'trim', why: 'ca.crt holds what is no valid authority' };
  if (bundle.length > 1 && isInService(signer))
    return { do: 'trim', why: 'what the old authority signed is out of use' };
  return { do: 'nothing' };
}

function isDue({ validToDate }: X509Certificate, leftMs: number, now: Date): boolean {
  return validToDate.getTime() - now.getTime() < leftMs;
}
