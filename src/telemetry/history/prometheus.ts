/** Instant queries to a Prometheus, bounded in time and size, read piece by piece. Knows nothing of GPUs. */

import { setImmediate as turn } from 'node:timers/promises';
import { JSONParser } from '@streamparser/json';
import { z } from 'zod';

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const sampleSchema = z.object({
  metric: z.record(z.string(), z.string()),
  value: z.tuple([z.number(), z.string()]),
});

/** No usable answer; the message says why. */
export class PrometheusError extends Error {
  override readonly name = 'PrometheusError';
}

export interface PrometheusOptions {
  /** `http://prometheus.monitoring:9090`, with a path prefix if it has one, and `user:password@` if it wants that. */
  readonly url: string;
  readonly fetch: typeof fetch;
  /** For one query, ms; default 30,000. */
  readonly timeoutMs?: number;
  /** Largest reply read, in bytes; default 32 MiB, about 100,000 series. */
  readonly maxBytes?: number;
}

/** Parsed in one turn of the event loop, bytes: a few ms, even while the code is cold. */
const SLICE = 32 * 1024;

export class Prometheus {
  readonly #options: PrometheusOptions;
  readonly #url: URL;
  readonly #headers: Readonly<Record<string, string>>;

  constructor(options: PrometheusOptions) {
    this.#options = options;
    const url = new URL(options.url);
    const { username, password } = url;
    const credentials = Buffer.from(decodeURIComponent(`${username}:${password}`)).toString('base64');
    this.#headers = username ? { authorization: `Basic ${credentials}` } : {};
    // In the URL they would be refused, and logged.
    url.username = '';
    url.password = '';
    url.pathname = `${url.pathname.replace(/\/+$/, '')}/api/v1/query`;
    this.#url = url;
  }

  /**
   * The samples of an instant vector, some at a time, and others have their turn in between; those that are no number
   * (NaN, ±Inf) are left out. What came before an error is of no use.
   * @throws PrometheusError
   */
  async *query(promql: string, signal: AbortSignal): AsyncGenerator<readonly Sample[]> {
    const { fetch, timeoutMs = 30_000 } = this.#options;
    const ending = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
    try {
      const response = await fetch(this.#url, {
        method: 'POST',
        headers: this.#headers,
        body: new URLSearchParams({ query: promql, timeout: `${timeoutMs}ms` }),
        signal: ending,
      });
      const answer = new Answer(response.status);
      for await (const piece of this.#pieces(response)) {
        await turn(undefined, { signal: ending });
        yield answer.take(piece);
      }
      answer.end();
    } catch (error) {
      if (error instanceof PrometheusError) throw error;
      throw new PrometheusError(reasonOf(error), { cause: error });
    }
  }

  async *#pieces({ body }: Response): AsyncGenerator<Uint8Array> {
    const { maxBytes = 32 * 2 ** 20 } = this.#options;
    let size = 0;
    for await (const chunk of body ?? []) {
      size += chunk.length;
      if (size > maxBytes) throw new PrometheusError(`the answer is larger than ${maxBytes} bytes`);
      for (let from = 0; from < chunk.length; from += SLICE) yield chunk.subarray(from, from + SLICE);
    }
  }
}

/** One reply, as far as it has come. */
class Answer {
  readonly #parser = new JSONParser({
    paths: ['$.status', '$.error', '$.data.resultType', '$.data.result.*'],
    keepStack: false,
  });
  readonly #httpStatus: number;
  #samples: Sample[] = [];
  #status: unknown;
  #error: unknown;
  #resultType: unknown;

  constructor(httpStatus: number) {
    this.#httpStatus = httpStatus;
    this.#parser.onValue = ({ value, key }) => {
      if (key === 'status') this.#status = value;
      else if (key === 'error') this.#error = value;
      else if (key === 'resultType') this.#resultType = value;
      else this.#sample(value);
    };
  }

  /** The samples that end with this piece. */
  take(piece: Uint8Array): readonly Sample[] {
    try {
      this.#parser.write(piece);
    } catch (error) {
      throw error instanceof PrometheusError ? error : this.#useless();
    }
    const samples = this.#samples;
    this.#samples = [];
    return samples;
  }

  /** @throws PrometheusError if that was not all, or not what was asked for */
  end(): void {
    if (!this.#parser.isEnded) throw this.#useless();
    if (this.#status === 'error' && typeof this.#error === 'string') throw new PrometheusError(this.#error);
    if (this.#status !== 'success' || this.#resultType !== 'vector') throw this.#useless();
  }

  #sample(value: unknown): void {
    const parsed = sampleSchema.safeParse(value);
    if (!parsed.success) throw this.#useless();
    const { metric, value: pair } = parsed.data;
    const number = Number(pair[1]);
    if (Number.isFinite(number)) this.#samples.push({ labels: metric, value: number });
  }

  #useless(): PrometheusError {
    return new PrometheusError(`HTTP ${this.#httpStatus}, and no answer of a Prometheus`);
  }
}

/** `fetch failed` says nothing, its cause does; of several addresses that refuse, the code alone. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  if (!(cause instanceof Error)) return message;
  return cause.message || String((cause as NodeJS.ErrnoException).code ?? message);
}
