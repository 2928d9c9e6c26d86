/** A server in a process of its own, that says where it listens. */

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { z } from 'zod';

export interface Server {
  readonly port: number;
  stop(): void;
}

/** @param file in this folder; it sends `{port}` to its parent once it listens */
export async function startServer(file: string, args: readonly string[]): Promise<Server> {
  const child: ChildProcess = fork(join(import.meta.dirname, file), args);
  const [message] = await once(child, 'message');
  const { port } = z.object({ port: z.int() }).parse(message);
  return { port, stop: () => child.kill() };
}
