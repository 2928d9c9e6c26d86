/** Our extender over N nodes with four GPU pods each; arguments: N, and whether it narrows (`on`, `off`). */

import { makeExtender } from '../../test/fakes/extender.ts';
import { takeList } from '../../test/fakes/listing.ts';
import { gpuPod, livePod } from '../../test/objects/pods.ts';
import { nodeNames, sharedNodes } from '../fleet.ts';

const count = Number(process.argv[2]);
const names = nodeNames(count);
const nodes = sharedNodes(names);
const { server, state } = makeExtender({ nodes, narrowing: process.argv[3] === 'on' });
const resources = { 'nvidia.com/gpu.shared': 1 };
takeList(
  state.pods,
  names.flatMap((nodeName, n) =>
    Array.from({ length: 4 }, (_, i) =>
      livePod(gpuPod({ name: `p-${n}-${i}`, resources }), `uid-${n}-${i}`, { nodeName }),
    ),
  ),
);
const url = await server.listen({ host: '127.0.0.1', port: 0 });
process.send?.({ port: Number(new URL(url).port) });
process.on('disconnect', () => process.exit());
