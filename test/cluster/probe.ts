/** A run of its own that starts a cluster, says where it is, and waits to be ended: for lifecycle.test.ts. */

import { startCluster } from './start.ts';

const cluster = await startCluster({ label: 'probe', scheduler: {} });
console.log(JSON.stringify({ dir: cluster.dir }));
setInterval(() => {}, 1 << 30);
