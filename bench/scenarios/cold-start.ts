import { z } from 'zod';
import {
  coldStarts,
  headOf,
  longestStall,
  mib,
  ms,
  NODES,
  PAGE,
  PODS_PER_NODE,
  ROUNDS_METHOD,
  RSS_METHOD,
  row,
  rss,
  STALL_METHOD,
  seconds,
  startRows,
} from '../cold-starts.ts';
import type { Scenario } from '../scenario.ts';
import { startRole } from '../servers/live-role.ts';

export const coldStart: Scenario = {
  name: 'cold-start',
  question: 'How long from nothing until the extender answers, and what does it take?',
  method:
    `a real kube-apiserver with ${NODES} nodes and ${NODES * PODS_PER_NODE} bound GPU pods (about 4 KiB each), made through its ` +
    `API; the floor lists both kinds in the same pages of ${PAGE}, and throws the bytes away; the extender is started as a ` +
    `process, and is ready when /readyz says so; ${ROUNDS_METHOD}. ${RSS_METHOD}, ${STALL_METHOD}; ` +
    'the comparison is one of the ledger with the API server, and the stall the longest meanwhile.',
  async run(log) {
    const starts = await coldStarts({
      label: 'cold-start',
      paths: ['/api/v1/nodes', '/api/v1/pods'],
      start: ({ kubeconfigFile }, main) => startRole('extender', kubeconfigFile, ['--compare-interval', '0'], main),
      async more(extender) {
        const started = performance.now();
        const reply = await fetch(`${extender.url}/compare`, { method: 'POST' });
        const compareMs = performance.now() - started;
        z.object({ total: z.literal(0) }).parse(await reply.json());
        const compareStallMs = await longestStall(extender);
        return { compareMs, compareStallMs, rssAfterMiB: rss(extender) };
      },
      log,
    });
    return {
      head: ['figure', ...headOf()],
      rows: [
        ...startRows(starts),
        row('one comparison', starts, ({ compareMs }) => compareMs, seconds),
        row('longest stall in it', starts, ({ compareStallMs }) => compareStallMs, ms),
        row('RSS after it, MiB', starts, ({ rssAfterMiB }) => rssAfterMiB, mib),
      ],
    };
  },
};
