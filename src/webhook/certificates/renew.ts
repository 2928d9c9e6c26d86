/** Carries out a step of the plan: what the Secret shall hold. */

import type { X509Certificate } from 'node:crypto';
import { type CertificateData, type Contents, unique, writeBundle } from './contents.ts';
import { createAuthority, issueLeaf } from './issue.ts';
import type { Policy, Work } from './plan.ts';

export interface Renewal {
  readonly step: Exclude<Work['do'], 'restore'>;
  readonly data: CertificateData;
  readonly contents: Contents | undefined;
  /** Authorities that API servers trust now. */
  readonly trusted: readonly X509Certificate[];
  readonly names: readonly string[];
  readonly now: Date;
  readonly policy: Pick<Policy, 'leafMs' | 'authorityMs'>;
}

/** @throws Error if the step needs a sound authority and there is none */
export async function renew({ step, data, contents, trusted, names, now, policy }: Renewal): Promise<CertificateData> {
  const bundle = contents?.bundle ?? [];
  if (step === 'issue' || step === 'trim') {
    if (!contents?.authority.sound) throw new Error(`${step} needs an authority`);
    const { certificate, key } = contents.authority.value;
    if (step === 'trim') {
      const left = contents.tidy ? [certificate] : bundle;
      return { ...data, 'ca.crt': writeBundle(left) };
    }
    const validMs = Math.min(policy.leafMs, certificate.validToDate.getTime() - now.getTime());
    const leaf = await issueLeaf({ cert: certificate.toString(), key }, names, { now, validMs });
    return { ...data, 'ca.crt': writeBundle(bundle), 'tls.crt': leaf.cert, 'tls.key': leaf.key };
  }
  const authority = await createAuthority({ now, validMs: policy.authorityMs });
  // Replicas that still serve what another authority signed must stay trusted.
  const others = writeBundle(unique([...bundle, ...trusted]));
  const grown = { ...data, 'ca.crt': authority.cert + others, 'ca.key': authority.key };
  if (step === 'introduce') return grown;
  const leaf = await issueLeaf(authority, names, { now, validMs: policy.leafMs });
  return { ...grown, 'tls.crt': leaf.cert, 'tls.key': leaf.key };
}
