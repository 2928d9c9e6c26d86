/** GPUNodeConfigs by node, and who is told when they change. */

import tap from 'tap';
import { NodeConfigs } from '#src/state/node-configs.ts';
import { takeList } from '../../fakes/listing.ts';
import { nodeConfigObject } from '../../objects/node-configs.ts';
import { quietState } from '../../objects/records.ts';

interface ConfigParts {
  readonly created?: string;
  readonly spec?: unknown;
  readonly generation?: number;
}

function config(name: string, nodeName: string, { spec = { nodeName }, ...parts }: ConfigParts = {}) {
  const { created: creationTimestamp = '2026-01-01T00:00:00Z', generation = 1 } = parts;
  return { ...nodeConfigObject({}, { name, uid: name, generation, creationTimestamp }), spec };
}

function configs() {
  const changed: string[] = [];
  const { nodeConfigs: store } = quietState();
  const byNode = new NodeConfigs(store, (name) => changed.push(name));
  return { store, byNode, told: () => changed.splice(0) };
}

tap.test('of several for one node the oldest counts, then the first by name', async (t) => {
  const { store, byNode } = configs();
  takeList(store, [
    config('b', 'n'),
    config('a', 'n'),
    config('z', 'n', { created: '2025-12-31T23:59:59Z' }),
    config('other', 'm'),
  ]);
  t.strictSame(
    byNode.of('n').map(({ name }) => name),
    ['z', 'a', 'b'],
  );
  store.delete(config('z', 'n'));
  t.equal(byNode.of('n')[0]?.name, 'a');
  t.strictSame(byNode.of('nowhere'), []);
});

tap.test('what people have made counts before what the planner has, however old', async (t) => {
  const { store, byNode } = configs();
  const planned = config('planned', 'n', { created: '2025-01-01T00:00:00Z' });
  const labels = { 'gpu-autoscaler.io/managed-by': 'planner' };
  takeList(store, [{ ...planned, metadata: { ...planned.metadata, labels } }, config('by-hand', 'n')]);
  t.strictSame(
    byNode.of('n').map(({ name }) => name),
    ['by-hand', 'planned'],
  );
});

tap.test('both nodes are told of where a config goes from one to the other', async (t) => {
  const { store, byNode, told } = configs();
  store.update(config('c', 'n'));
  t.strictSame(told(), ['n']);
  store.update(config('c', 'm', { generation: 2 }));
  t.strictSame(told(), ['n', 'm']);
  t.strictSame(byNode.of('n'), []);
  store.delete(config('c', 'm'));
  t.strictSame(told(), ['m']);
  t.equal(store.get('c'), undefined);
});

tap.test('a spec that cannot be read is known all the same', async (t) => {
  const { store, byNode, told } = configs();
  store.update(config('c', 'n', { spec: { nodeName: 'n', mpsEnabled: 'yes' } }));
  t.match(byNode.of('n')[0], { name: 'c', spec: { ok: false, reason: /mpsEnabled/ } });
  told();
  for (const spec of [{}, null, 'x', { nodeName: 7 }]) store.update(config('d', 'n', { spec }));
  t.strictSame(told(), [], 'not even for which node');
  t.equal(store.get('d')?.nodeName, undefined);
  store.update(config('c', 'n', { spec: {} }));
  t.strictSame(told(), ['n'], 'and the node that it was for is told of');
  t.strictSame(byNode.of('n'), []);
  t.strictSame(
    [...store.values()].map(({ name }) => name),
    ['c', 'd'],
  );
});
