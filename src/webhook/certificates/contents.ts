/** What is in the Secret, and what is wrong with it. Reads texts; knows nothing of Kubernetes. */

import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';

/** Keys of the Secret; PEM, and missing what is not there. */
export interface CertificateData {
  /** The serving certificate. */
  readonly 'tls.crt'?: string;
  readonly 'tls.key'?: string;
  /** All authorities to be trusted, newest first. */
  readonly 'ca.crt'?: string;
  /** Of the one among them that signs. */
  readonly 'ca.key'?: string;
}

export interface Authority {
  readonly certificate: X509Certificate;
  /** PEM. */
  readonly key: string;
}

export interface Leaf {
  readonly certificate: X509Certificate;
  /** PEM. */
  readonly cert: string;
  readonly key: string;
  /** The one of the bundle that signed it. */
  readonly issuer: X509Certificate;
}

export type Checked<T> = { readonly sound: true; readonly value: T } | { readonly sound: false; readonly why: string };

export interface Contents {
  /** The authorities of `ca.crt` that are valid now. */
  readonly bundle: readonly X509Certificate[];
  /** Whether `ca.crt` holds them and nothing else. */
  readonly tidy: boolean;
  readonly authority: Checked<Authority>;
  readonly leaf: Checked<Leaf>;
}

export interface Expected {
  /** By which the server is called: DNS names and IP addresses. */
  readonly names: readonly string[];
  readonly now: Date;
}

export function readContents(data: CertificateData, { names, now }: Expected): Contents {
  const bundle = readBundle(data['ca.crt'], now);
  return {
    bundle,
    tidy: data['ca.crt'] === writeBundle(bundle),
    authority: checked(() => readAuthority(data, bundle)),
    leaf: checked(() => readLeaf(data, bundle, { names, now })),
  };
}

/** The certificate authorities in a PEM text that are valid now; whatever else is in it is passed over. */
export function readBundle(pem: string | undefined, now: Date): X509Certificate[] {
  const blocks = pem?.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  const certificates = blocks.flatMap((block) => {
    const parsed = checked(() => new X509Certificate(block));
    return parsed.sound ? [parsed.value] : [];
  });
  return unique(certificates.filter((certificate) => certificate.ca && !untimely(certificate, now)));
}

export function writeBundle(bundle: readonly X509Certificate[]): string {
  return bundle.map((certificate) => certificate.toString()).join('');
}

export function unique(certificates: readonly X509Certificate[]): X509Certificate[] {
  return [...new Map(certificates.map((certificate) => [certificate.fingerprint256, certificate])).values()];
}

/** Why a certificate is not valid now; undefined if it is. */
export function untimely({ validFromDate, validToDate }: X509Certificate, now: Date): string | undefined {
  if (now >= validToDate) return `expired at ${validToDate.toISOString()}`;
  return now < validFromDate ? `is not valid before ${validFromDate.toISOString()}` : undefined;
}

function readAuthority(data: CertificateData, bundle: readonly X509Certificate[]): Authority {
  const pem = data['ca.key'] ?? '';
  const key = readKey('ca.key', pem);
  if (key.asymmetricKeyType !== 'ec') throw new Error('ca.key is not of an elliptic curve');
  const certificate = bundle.find((each) => each.checkPrivateKey(key));
  if (!certificate) throw new Error('ca.crt has no valid authority that ca.key belongs to');
  return { certificate, key: pem };
}

function readLeaf(data: CertificateData, bundle: readonly X509Certificate[], { names, now }: Expected): Leaf {
  const { 'tls.crt': cert = '', 'tls.key': key = '' } = data;
  const parsed = checked(() => new X509Certificate(cert));
  if (!parsed.sound) throw new Error('tls.crt is no certificate');
  const certificate = parsed.value;
  if (!certificate.checkPrivateKey(readKey('tls.key', key))) throw new Error('tls.key does not belong to tls.crt');
  const fault = untimely(certificate, now);
  if (fault !== undefined) throw new Error(`tls.crt ${fault}`);
  const missing = names.find((name) => !isFor(certificate, name));
  if (missing !== undefined) throw new Error(`tls.crt is not for ${missing}`);
  const issuer = bundle.find((each) => certificate.checkIssued(each) && certificate.verify(each.publicKey));
  if (!issuer) throw new Error('tls.crt is signed by no valid authority of ca.crt');
  return { certificate, cert, key, issuer };
}

function isFor(certificate: X509Certificate, name: string): boolean {
  const found = isIP(name) ? certificate.checkIP(name) : certificate.checkHost(name, { subject: 'never' });
  return found !== undefined;
}

function readKey(name: string, pem: string): KeyObject {
  const parsed = checked(() => createPrivateKey(pem));
  if (!parsed.sound) throw new Error(`${name} is no private key`);
  return parsed.value;
}

function checked<T>(read: () => T): Checked<T> {
  try {
    return { sound: true, value: read() };
  } catch (error) {
    return { sound: false, why: (error as Error).message };
  }
}
