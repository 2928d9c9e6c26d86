import { generateKeyPairSync } from 'node:crypto';

/** The key with which the API server signs service account tokens: PEM, P-256 (an RSA key takes seconds to find). */
export function createServiceAccountKey(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return privateKey.export({ type: 'sec1', format: 'pem' }).toString();
}
