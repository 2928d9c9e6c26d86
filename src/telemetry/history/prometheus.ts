/** Instant queries to a Prometheus, bounded in time and size. Knows nothing of GPUs. */

import { z } from 'zod';

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const replySchema = z.discriminatedUnion('status', [
  z.object({
    status: z.literal('success'),
    data: z.object({
      resultType: z.literal('vector'),
      result: z.array(z.object({ metric: z.record(z.string(), z.string()), value: z.tuple([z.number(), z.string()]) })),
    }),
  }),
  z.object({ status: z.literal('error'), errorType: z.string().optional(), error: z.string() }),
]);

/** No usable answer; the message says why. */
export class PrometheusError extends Error {
  override readonly name = 'PrometheusError';
}

export interface PrometheusOptions {
  /** `http://prometheus.monitoring:9090`, with a path prefix if it has one. */
  readonly url: string;
  readonly fetch: typeof fetch;
  /** For one query, ms; default 30,000. */
  readonly timeoutMs?: number;
  /** Largest reply read, in bytes; default 32 MiB, about 100,000 series. */
  readonly maxBytes?: number;
}

export class Prometheus {
  readonly #options: PrometheusOptions;

  constructor(options: PrometheusOptions) {
    this.#options = options;
  }

  /**
   * The samples of an instant vector; those that are no number (NaN, ±Inf) are left out.
   * @throws PrometheusError
   */
  async query(promql: string, signal: AbortSignal): Promise<Sample[]> {
    const { url, fetch, timeoutMs = 30_000, maxBytes = 32 * 2 ** 20 } = this.#options;
    const body = new URLSearchParams({ query: promql, timeout: `${timeoutMs}ms` });
    try {
      const response = await fetch(`${url.replace(/\/$/, '')}/api/v1/query`, {
        method: 'POST',
        body,
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
      });
      const parsed = replySchema.safeParse(await readJson(response, maxBytes));
      if (!parsed.success) throw new PrometheusError(`HTTP ${response.status}, and no answer of a Prometheus`);
      if (parsed.data.status === 'error') throw new PrometheusError(parsed.data.error);
      return parsed.data.data.result
        .map(({ metric, value: [, text] }) => ({ labels: metric, value: Number(text) }))
        .filter(({ value }) => Number.isFinite(value));
    } catch (error) {
      if (error instanceof PrometheusError) throw error;
      const { message, cause } = error as Error;
      throw new PrometheusError(cause instanceof Error ? cause.message : message, { cause: error });
    }
  }
}

async function readJson(response: Response, maxBytes: number): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of response.body ?? []) {
    size += chunk.length;
    if (size > maxBytes) throw new PrometheusError(`the answer is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString());
  } catch {
    return undefined;
  }
}
