import fastJsonStringify from 'fast-json-stringify';
import { extenderArgsSchema, filterReply } from '#src/api/extender.ts';
import { gpuPod, livePod } from '../../test/objects/pods.ts';
import { nodeNames } from '../fleet.ts';
import { quantile, type Scenario } from '../scenario.ts';

const NODES = 5_000;
const CALLS = 2_000;
const WARM_UP = 500;

const fast = fastJsonStringify({
  type: 'object',
  properties: {
    NodeNames: { type: 'array', items: { type: 'string' } },
    FailedNodes: { type: 'object', additionalProperties: { type: 'string' } },
    FailedAndUnresolvableNodes: { type: 'object', additionalProperties: { type: 'string' } },
    Error: { type: 'string' },
  },
});

export const jsonCost: Scenario = {
  name: 'json-cost',
  question: `What do the parts of a request and a reply with ${NODES} names cost?`,
  method: `in one process, without network; ${CALLS} calls of each after ${WARM_UP} to warm up, on names parsed anew each time, one part after the other in turns.`,
  async run() {
    const names = nodeNames(NODES);
    const Pod = livePod(gpuPod({ name: 'pod', resources: { 'nvidia.com/gpu.shared': 1 } }), 'uid');
    const body = Buffer.from(JSON.stringify({ Pod, Nodes: null, NodeNames: names }));
    const reply = (NodeNames: readonly string[]) => ({
      NodeNames,
      FailedNodes: {},
      FailedAndUnresolvableNodes: {},
      Error: '',
    });
    const parts: readonly [what: string, work: (args: { NodeNames: string[] }) => unknown][] = [
      ['request: JSON.parse', () => JSON.parse(body.toString())],
      ['request: one loop over the names', ({ NodeNames }) => NodeNames.every((name) => typeof name === 'string')],
      ['request: the schema (what we do)', (args) => extenderArgsSchema.parse(args)],
      ['reply: JSON.stringify of an object', ({ NodeNames }) => JSON.stringify(reply(NodeNames))],
      ['reply: fast-json-stringify', ({ NodeNames }) => fast(reply(NodeNames))],
      [
        'reply: piece by piece (what we do), all names',
        ({ NodeNames }) => filterReply({ passed: NodeNames, refused: [] }),
      ],
      [
        'reply: piece by piece (what we do), the best name',
        ({ NodeNames }) => filterReply({ passed: NodeNames.slice(0, 1), refused: [] }),
      ],
    ];
    const times = parts.map(() => [] as number[]);
    for (let call = 0; call < WARM_UP + CALLS; call += 1) {
      for (const [i, [, work]] of parts.entries()) {
        const args = JSON.parse(body.toString()) as { Pod: unknown; NodeNames: string[] };
        const started = performance.now();
        work(args);
        if (call >= WARM_UP) times[i]?.push(1000 * (performance.now() - started));
      }
    }
    const µs = (values: readonly number[], q: number) => `${quantile(values, q).toFixed(0)} µs`;
    const rows = parts.map(([what], i) => [what, µs(times[i] ?? [], 0.5), µs(times[i] ?? [], 0.99)]);
    return { head: ['part', 'p50', 'p99'], rows };
  },
};
