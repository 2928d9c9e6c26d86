/** Watches that end before their time: in the middle of a line, or with 410 in place of an event. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

export interface WatchEnd {
  readonly afterMs: number;
  readonly kind: 'watch dropped' | 'watch expired';
}

const EXPIRED = {
  type: 'ERROR',
  object: {
    kind: 'Status',
    apiVersion: 'v1',
    status: 'Failure',
    message: 'chaos: too old resource version',
    reason: 'Expired',
    code: 410,
  },
};
const NEWLINE = 10;
/** A watch to be dropped waits so long for a line to break off in. */
const PATIENCE_MS = 200;

/**
 * Streams a watch through, until it ends by itself or by this.
 * @param count asked at the moment of the end; false lets the watch live
 */
export function endWatch(
  reply: IncomingMessage,
  response: ServerResponse,
  end: WatchEnd | undefined,
  count: () => boolean,
): void {
  let due = false;
  let betweenLines = true;
  const expire = () => {
    if (!count()) return;
    reply.destroy();
    response.end(`${JSON.stringify(EXPIRED)}\n`);
  };
  reply.on('data', (chunk: Buffer) => {
    if (due && end?.kind === 'watch dropped' && count()) {
      reply.destroy();
      response.write(chunk.subarray(0, chunk.length / 2), () => response.destroy());
      return;
    }
    response.write(chunk);
    betweenLines = chunk.at(-1) === NEWLINE;
    if (due && end?.kind === 'watch expired' && betweenLines) expire();
    due &&= end?.kind === 'watch expired' && !betweenLines;
  });
  reply.on('end', () => response.end());
  // Destroyed by us, or by the API server: both have been dealt with, or end the client's connection.
  reply.on('error', () => response.destroy());
  if (!end) return;
  const timer = setTimeout(async () => {
    if (end.kind === 'watch expired' && betweenLines) return expire();
    due = true;
    await sleep(PATIENCE_MS);
    if (due && !response.destroyed && end.kind === 'watch dropped' && count()) response.destroy();
  }, end.afterMs);
  response.on('close', () => clearTimeout(timer));
}
