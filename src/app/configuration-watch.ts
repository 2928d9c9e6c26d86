/**
 * The configuration file, read again and again: a change is taken without a restart, and one that cannot be read is
 * refused and said so, while the configuration from before stays.
 */

import { readFileSync, statSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Configuration, configurationSchema } from '../api/configuration.ts';
import { parseConfiguration } from '../api/configuration-file.ts';

/** The file cannot be used; the message names every fault with its place. */
export class ConfigurationError extends Error {
  override readonly name = 'ConfigurationError';
}

export interface ConfigurationWatchOptions {
  /** Without one, the defaults hold, and never change. */
  readonly file: string | undefined;
  /** ms between two looks; default 5,000. A mounted ConfigMap swaps links, which no file watcher reports reliably. */
  readonly everyMs?: number;
  readonly changed: (configuration: Configuration) => void;
  /** Called when a change has been taken, or with the reason why it cannot be used. */
  readonly report: (faults?: string) => void;
}

export class ConfigurationWatch {
  readonly #options: ConfigurationWatchOptions;
  readonly #stopping = new AbortController();
  #text: string;
  #current: Configuration;
  #running: Promise<void> | undefined;

  /** @throws ConfigurationError */
  constructor(options: ConfigurationWatchOptions) {
    this.#options = options;
    this.#text = options.file === undefined ? '' : readText(options.file);
    this.#current = options.file === undefined ? configurationSchema.parse({}) : parse(this.#text, options.file);
  }

  get current(): Configuration {
    return this.#current;
  }

  start(): void {
    if (this.#options.file !== undefined) this.#running ??= this.#run(this.#options.file);
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }

  async #run(file: string): Promise<void> {
    const { everyMs = 5_000, changed, report } = this.#options;
    const { signal } = this.#stopping;
    let lastReported: string | undefined;
    for (;;) {
      await sleep(everyMs, undefined, { signal, ref: false }).catch(() => {});
      if (signal.aborted) return;
      try {
        const text = readText(file);
        if (text !== this.#text) {
          if (isEmpty(text) && !isEmpty(this.#text))
            throw new ConfigurationError(`${file}: the file is empty ({} for the defaults)`);
          this.#current = parse(text, file);
          this.#text = text;
          changed(this.#current);
          report();
        }
        lastReported = undefined;
      } catch (error) {
        // Said once, not at every look.
        const { message } = error as Error;
        if (message !== lastReported) report(message);
        lastReported = message;
      }
    }
  }
}

function parse(text: string, file: string): Configuration {
  const parsed = parseConfiguration(text, file);
  if (!parsed.ok) throw new ConfigurationError(parsed.faults.join('\n'));
  return parsed.configuration;
}

/** Half written, or cut off, rather than meant. */
function isEmpty(text: string): boolean {
  return text.split('\n').every((line) => /^\s*(#|$)/.test(line));
}

function readText(file: string): string {
  try {
    // A pipe may never answer.
    if (!statSync(file).isFile()) throw new Error('not a regular file');
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new ConfigurationError(`cannot read ${file}: ${(error as Error).message}`, { cause: error });
  }
}
