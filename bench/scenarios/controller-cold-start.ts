import { setTimeout as sleep } from 'node:timers/promises';
import { CUSTOM_RESOURCES } from '#src/api/keys.ts';
import { installDefinitions } from '../../test/cluster/custom-resources.ts';
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
  startRows,
} from '../cold-starts.ts';
import { decided, recorded } from '../objects/pods.ts';
import { BY_MPS } from '../objects/shares.ts';
import type { Scenario } from '../scenario.ts';
import { startRole } from '../servers/live-role.ts';

/** All that the controller lists. */
const PATHS = [
  ...['nodes', 'pods', 'namespaces', 'limitranges', 'resourcequotas'].map((kind) => `/api/v1/${kind}`),
  ...Object.values(CUSTOM_RESOURCES),
];
/** It first looks through pods without a decision a second after it knows everything. */
const AFTER_MS = 5_000;

const CASES = [
  {
    name: 'decided',
    annotations: (node: string, n: number) => ({ ...decided(BY_MPS), ...recorded(BY_MPS, node, n) }),
  },
  { name: 'undecided', annotations: () => ({}) },
] as const;

export const controllerColdStart: Scenario = {
  name: 'controller-cold-start',
  question: 'How long from nothing until the controller knows everything, and what does it take?',
  method:
    `a real kube-apiserver with our CRDs, ${NODES} nodes and ${NODES * PODS_PER_NODE} bound GPU pods (about 4 KiB each), made ` +
    'through its API: once with the annotations of webhook and Binding (decided), once without, as on the day of the ' +
    `installation (undecided); the floor lists every kind that the controller lists, in the same pages of ${PAGE}, and throws the ` +
    'bytes away; the controller is started as a process, and is ready when /readyz says so; in each case ' +
    `${ROUNDS_METHOD}. ${RSS_METHOD}, ${STALL_METHOD}, and in the ${AFTER_MS / 1_000} s after that.`,
  async run(log) {
    const tables: string[][][] = [];
    for (const { name, annotations } of CASES) {
      log(`pods are ${name}`);
      const starts = await coldStarts({
        label: 'controller-cold-start',
        annotations,
        prepare: installDefinitions,
        paths: PATHS,
        start: ({ kubeconfigFile }, main) => startRole('controller', kubeconfigFile, [], main),
        async more(controller) {
          await sleep(AFTER_MS);
          return { stallAfterMs: await longestStall(controller), rssAfterMiB: rss(controller) };
        },
        log,
      });
      tables.push([
        ...startRows(starts),
        row(`longest stall in the ${AFTER_MS / 1_000} s after`, starts, ({ stallAfterMs }) => stallAfterMs, ms),
        row('RSS after them, MiB', starts, ({ rssAfterMiB }) => rssAfterMiB, mib),
      ]);
    }
    const [first = [], ...others] = tables;
    return {
      head: ['figure', ...CASES.flatMap(({ name }) => headOf(name))],
      rows: first.map((cells, i) => [...cells, ...others.flatMap((rows) => rows[i]?.slice(1) ?? [])]),
    };
  },
};
