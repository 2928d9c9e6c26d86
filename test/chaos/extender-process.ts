/** The extender as a process of its own, to be killed and started again, and asked past any scheduler. */

import { writeFileSync } from 'node:fs';
import { Agent, type IncomingMessage, request } from 'node:http';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import type { KubeConfig } from '@kubernetes/client-node';
import { z } from 'zod';
import { freePorts, Processes, type Running } from '../cluster/processes.ts';
import { waitFor } from '../cluster/wait.ts';

const MAIN = resolve(import.meta.dirname, '../../src/main.ts');
/** Its lists meet faults as well, and may freeze more than once. */
const READY_MS = 60_000;
const filterSchema = z.object({ NodeNames: z.array(z.string()) });
const bindSchema = z.object({ Error: z.string() });

export interface PodToBind {
  readonly name: string;
  readonly uid: string;
  readonly manifest: object;
}

export class ExtenderProcess {
  readonly url: string;
  readonly #port: number;
  readonly #processes = new Processes('chaos-extender');
  readonly #kubeconfigFile = join(this.#processes.dir, 'kubeconfig');
  readonly #agent = new Agent({ keepAlive: true, maxFreeSockets: 256 });
  #running: Running | undefined;
  #starts = 0;

  private constructor(port: number, kubeConfig: KubeConfig) {
    this.#port = port;
    this.url = `http://127.0.0.1:${port}`;
    writeFileSync(this.#kubeconfigFile, kubeConfig.exportConfig(), { mode: 0o600 });
  }

  static async start(kubeConfig: KubeConfig): Promise<ExtenderProcess> {
    const [port = 0] = await freePorts(1);
    const extender = new ExtenderProcess(port, kubeConfig);
    await extender.start();
    return extender;
  }

  /** Resolves once it can answer. */
  async start(): Promise<void> {
    // Both ways of answering filter, in turns: callers that choose among all nodes, and callers that follow our choice.
    const narrowing = this.#starts % 2 === 0 ? 'off' : 'on';
    this.#starts += 1;
    const address = ['--kubeconfig', this.#kubeconfigFile, '--extender-port', String(this.#port)];
    const flags = [...address, '--log-level', 'warn', '--narrowing', narrowing];
    const running = this.#processes.start(process.execPath, [MAIN, 'extender', ...flags]);
    this.#running = running;
    await waitFor(
      'the extender is ready',
      async () => {
        if (running.ended() !== undefined) throw new Error(this.#processes.casualties().join('\n'));
        return (await this.#ask('GET', '/readyz')) !== undefined;
      },
      { everyMs: 20, timeoutMs: READY_MS },
    );
  }

  async kill(): Promise<void> {
    await this.#running?.stop('SIGKILL');
  }

  async stop(options: { readonly keepLogs: boolean }): Promise<void> {
    this.#agent.destroy();
    await this.#processes.stop(options);
  }

  get logs(): string {
    return join(this.#processes.dir, 'logs');
  }

  /** The nodes that pass; undefined if it cannot say. */
  async filter(pod: PodToBind, nodes: readonly string[]): Promise<readonly string[] | undefined> {
    const reply = await this.#ask('POST', '/filter', { Pod: withUid(pod), NodeNames: nodes });
    return reply === undefined ? undefined : filterSchema.parse(JSON.parse(reply)).NodeNames;
  }

  /** What it answers, '' for success; undefined if it does not. */
  async bind({ name, uid }: PodToBind, node: string): Promise<string | undefined> {
    const reply = await this.#ask('POST', '/bind', {
      PodName: name,
      PodNamespace: 'default',
      PodUID: uid,
      Node: node,
    });
    return reply === undefined ? undefined : bindSchema.parse(JSON.parse(reply)).Error;
  }

  /** `gpu_autoscaler_reservations`, as it tells Prometheus. */
  async reservations(): Promise<number | undefined> {
    const metrics = await this.#ask('GET', '/metrics');
    const [, figure] = /^gpu_autoscaler_reservations (\d+)$/m.exec(metrics ?? '') ?? [];
    return figure === undefined ? undefined : Number(figure);
  }

  /** The body of a reply of success; undefined for any other end. */
  async #ask(method: string, path: string, body?: object): Promise<string | undefined> {
    const payload = Buffer.from(body ? JSON.stringify(body) : '');
    const headers = { 'content-length': payload.length, ...(body && { 'content-type': 'application/json' }) };
    const reply = await new Promise<IncomingMessage | undefined>((resolve) => {
      const call = request(`${this.url}${path}`, { method, agent: this.#agent, headers });
      call.on('response', resolve);
      call.on('error', () => resolve(undefined));
      call.end(payload);
    });
    const answer = reply && (await text(reply).catch(() => undefined));
    return reply?.statusCode === 200 ? answer : undefined;
  }
}

/** As the API server stores it. */
function withUid({ name, uid, manifest }: PodToBind): object {
  return { ...manifest, metadata: { name, namespace: 'default', uid } };
}
