/** A certificate that others keep in files, such as cert-manager in a mounted Secret: read again and again. */

import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { createSecureContext } from 'node:tls';
import type { Logger } from '../../telemetry/logger.ts';
import { type CertificateManager, CertificateSettingsError } from './certificate-manager.ts';
import type { Pair } from './issue.ts';
import type { CertificateMetrics } from './metrics.ts';

export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
  /** ms between two looks; default 5,000. A mount swaps links on a change, which no file watcher reports reliably. */
  readonly everyMs?: number;
}

export interface FileCertificateManagerOptions extends CertificateFiles {
  readonly log: Logger;
  readonly metrics: CertificateMetrics;
}

export class FileCertificateManager implements CertificateManager {
  readonly ready = Promise.resolve();
  readonly #options: FileCertificateManagerOptions;
  readonly #stopping = new AbortController();
  #current: Pair;
  #running: Promise<void> | undefined;

  /** @throws CertificateSettingsError */
  constructor(options: FileCertificateManagerOptions) {
    this.#options = options;
    this.#current = readPair(options);
    this.#report();
  }

  get current(): Pair {
    return this.#current;
  }

  notReadyReason(): undefined {
    return undefined;
  }

  start(changed: (pair: Pair) => void): void {
    this.#running ??= this.#run(changed);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(changed: (pair: Pair) => void): Promise<void> {
    const { signal } = this.#stopping;
    const { everyMs = 5_000, log, metrics, certFile } = this.#options;
    let lastError: string | undefined;
    for (;;) {
      await sleep(everyMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      try {
        const pair = readPair(this.#options);
        lastError = undefined;
        if (pair.cert === this.#current.cert && pair.key === this.#current.key) continue;
        this.#current = pair;
        changed(pair);
        this.#report();
        metrics.rotations.inc({ result: 'taken' });
        log.info({ certFile }, 'the certificate has changed, and is served');
      } catch (error) {
        // Between two writes the files do not match: the next look decides.
        const { message } = error as Error;
        if (message === lastError) continue;
        lastError = message;
        metrics.rotations.inc({ result: 'failed' });
        log.warn({ error: message }, 'the certificate cannot be read; the one from before is served on');
      }
    }
  }

  #report(): void {
    const { validToDate } = new X509Certificate(this.#current.cert);
    this.#options.metrics.notAfter.set(validToDate.getTime() / 1000);
  }
}

function readPair({ certFile, keyFile }: CertificateFiles): Pair {
  const pair = { cert: readText(certFile), key: readText(keyFile) };
  try {
    createSecureContext(pair);
    return pair;
  } catch (error) {
    const why = (error as Error).message;
    throw new CertificateSettingsError(`${certFile} and ${keyFile} are no certificate and key: ${why}`, {
      cause: error,
    });
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CertificateSettingsError(`cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
}
