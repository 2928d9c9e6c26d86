/** What mig-manager's label says, where no mig-manager runs. */

import tap from 'tap';
import { migState } from '#src/cli/doctor/checks/mig-state.ts';
import { exclusiveNode } from '../../../../objects/nodes.ts';
import { migManagerSet } from '../../../../objects/nvidia-components.ts';
import { essence, findingsOf, nodesOf, workloadsOf } from '../make.ts';

const STATE = 'nvidia.com/mig.config.state';
const inState = (state: string) => exclusiveNode({ name: state, gpus: 1, labels: { [STATE]: state } });
const nodes = nodesOf(...['pending', 'rebooting', 'success', 'failed'].map(inState));

tap.test('a change that nobody makes', async (t) => {
  const found = findingsOf(migState, { nodes, daemonSets: [] });
  t.strictSame(essence(found), ['error: pending rebooting']);
  t.match(found, [{ fix: /kubectl label node NODE nvidia\.com\/mig\.config\.state-$/ }]);
});

tap.test('mig-manager runs there: it may be at work', async (t) => {
  t.same(findingsOf(migState, { nodes, daemonSets: workloadsOf(migManagerSet()) }), []);
  const mirrored = workloadsOf(migManagerSet({ image: 'registry.local/mirror/nvidia-mig-manager@sha256:abc' }));
  t.same(findingsOf(migState, { nodes, daemonSets: mirrored }), []);
  const elsewhere = workloadsOf(migManagerSet({ nodeSelector: { pool: 'other' } }));
  t.strictSame(essence(findingsOf(migState, { nodes, daemonSets: elsewhere })), ['error: pending rebooting']);
});
