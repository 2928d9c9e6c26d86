/** The source of the certificate that the webhook serves, which reports when it changes. */

import type { Pair } from './issue.ts';

/** Files that cannot be served, or flags that do not go together; the message names them. */
export class CertificateSettingsError extends Error {
  override readonly name = 'CertificateSettingsError';
}

export interface CertificateManager {
  /** To be served now. */
  readonly current: Pair;
  /** Undefined once `current` is what the API server shall see. */
  readonly notReadyReason: () => string | undefined;
  /** Resolves with that. */
  readonly ready: Promise<void>;
  /** Begins to look for others; reports each that is to be served from now on. */
  start(changed: (pair: Pair) => void): void;
  stop(): Promise<void>;
}
