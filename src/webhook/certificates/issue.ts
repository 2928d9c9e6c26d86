/** Makes certificates: an authority of our own, and what it signs. Knows nothing of Secrets. */

import { X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';

/** PEM. */
export interface Pair {
  readonly cert: string;
  readonly key: string;
}

export interface Validity {
  readonly now: Date;
  /** From now on. */
  readonly validMs: number;
}

/** Clocks of API servers differ a little: what is new must be valid for all of them. */
const BACKDATED_MS = 5 * 60_000;

/** A certificate authority: EC P-256, its own signature, fit for nothing but signing. */
export async function createAuthority(validity: Validity): Promise<Pair> {
  // The time in the name distinguishes two authorities.
  return generate(`gpu-autoscaler-webhook CA ${validity.now.toISOString()}`, validity, {
    extensions: [
      { name: 'basicConstraints', cA: true, pathLenConstraint: 0, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, critical: true },
    ],
  });
}

/** @param names DNS names and IP addresses by which the server is called */
export async function issueLeaf(authority: Pair, names: readonly string[], validity: Validity): Promise<Pair> {
  return generate('gpu-autoscaler-webhook', validity, {
    ca: authority,
    extensions: [
      { name: 'basicConstraints', cA: false, critical: true },
      { name: 'keyUsage', digitalSignature: true, critical: true },
      { name: 'extKeyUsage', serverAuth: true },
      {
        name: 'subjectAltName',
        altNames: names.map((name) => (isIP(name) ? { type: 7, ip: name } : { type: 2, value: name })),
      },
    ],
  });
}

type Options = NonNullable<Parameters<typeof import('selfsigned').generate>[1]>;

async function generate(commonName: string, { now, validMs }: Validity, options: Options): Promise<Pair> {
  // Its import takes 0.1 s: not for those whose certificates come from elsewhere.
  const selfsigned = await import('selfsigned');
  const { cert, private: key } = await selfsigned.generate([{ name: 'commonName', value: commonName }], {
    keyType: 'ec',
    algorithm: 'sha256',
    notBeforeDate: new Date(now.getTime() - BACKDATED_MS),
    notAfterDate: new Date(now.getTime() + validMs),
    ...options,
  });
  // As Node.js writes it, so that texts can be compared.
  return { cert: new X509Certificate(cert).toString(), key };
}
