/** Nodes and GPUNodeConfigs as they stand, and who is told when they change. */

import tap from 'tap';
import { NodeConfigStore, NodeStore } from '#src/state/node-config-store.ts';
import { takeList } from '../../fakes/listing.ts';
import { type NodeParts, nodeObject, TRANSITION } from '../reconciler/make.ts';

function node(name: string, resourceVersion: string, parts: NodeParts = {}): object {
  const object = nodeObject(parts) as { metadata: object };
  return { ...object, metadata: { ...object.metadata, name, resourceVersion } };
}

const cpu = { metadata: { name: 'a', resourceVersion: '9' }, status: { allocatable: { cpu: '1' } } };

function nodes() {
  const changed: string[] = [];
  const book = new NodeStore((name) => changed.push(name));
  return { book, told: () => changed.splice(0) };
}

tap.test('a node is told of when something changes that matters, and its version always follows', async (t) => {
  const { book, told } = nodes();
  book.feed.changed(node('a', '1'));
  t.strictSame(told(), ['a']);
  book.feed.changed(node('a', '2', { labels: { 'kubernetes.io/hostname': 'a' } }));
  t.strictSame(told(), [], 'a heartbeat');
  t.equal(book.versionOf('a'), '2', 'the next patch is one of the newest object');
  book.feed.changed(node('a', '3', { cordoned: true }));
  t.strictSame(told(), ['a']);
  t.ok(book.get('a')?.cordoned);
});

tap.test('nodes in transition', async (t) => {
  const { book } = nodes();
  const mark = { annotations: { [TRANSITION]: '?' } };
  takeList(book.feed, [node('a', '1', mark), node('b', '1'), node('c', '1', mark)]);
  t.strictSame([...book.inTransition], ['a', 'c']);
  t.equal(book.size, 3);
  book.feed.changed(node('a', '2'));
  t.strictSame([...book.inTransition], ['c'], 'finished');
  book.feed.deleted(node('c', '2', mark));
  t.strictSame([...book.inTransition], [], 'gone');
});

tap.test('a node that has no GPU any more is gone', async (t) => {
  const { book, told } = nodes();
  takeList(book.feed, [node('a', '1'), cpu, { metadata: {} }, undefined]);
  t.equal(book.size, 0, 'of two of one name the last counts');
  book.feed.changed(node('a', '2'));
  told();
  book.feed.changed(cpu);
  t.strictSame(told(), ['a']);
  t.equal(book.get('a'), undefined);
  t.equal(book.versionOf('a'), undefined);
  t.strictSame([...book.all()], []);
});

interface ConfigParts {
  readonly created?: string;
  readonly spec?: unknown;
  readonly generation?: number;
}

function config(
  name: string,
  nodeName: string,
  { created = '2026-01-01T00:00:00Z', spec = { nodeName }, generation = 1 }: ConfigParts = {},
) {
  return { metadata: { name, uid: name, generation, creationTimestamp: created }, spec };
}

function configs() {
  const changed: string[] = [];
  const book = new NodeConfigStore((name) => changed.push(name));
  return { book, told: () => changed.splice(0) };
}

tap.test('of several for one node the oldest counts, then the first by name', async (t) => {
  const { book } = configs();
  takeList(book.feed, [
    config('b', 'n'),
    config('a', 'n'),
    config('z', 'n', { created: '2025-12-31T23:59:59Z' }),
    config('other', 'm'),
  ]);
  t.strictSame(
    book.of('n').map(({ name }) => name),
    ['z', 'a', 'b'],
  );
  book.feed.deleted(config('z', 'n'));
  t.equal(book.of('n')[0]?.name, 'a');
  t.strictSame(book.of('nowhere'), []);
});

tap.test('what people have made counts before what the planner has, however old', async (t) => {
  const { book } = configs();
  const planned = config('planned', 'n', { created: '2025-01-01T00:00:00Z' });
  const labels = { 'gpu-autoscaler.io/managed-by': 'planner' };
  takeList(book.feed, [{ ...planned, metadata: { ...planned.metadata, labels } }, config('by-hand', 'n')]);
  t.strictSame(
    book.of('n').map(({ name }) => name),
    ['by-hand', 'planned'],
  );
});

tap.test('both nodes are told of where a config goes from one to the other', async (t) => {
  const { book, told } = configs();
  book.feed.changed(config('c', 'n'));
  t.strictSame(told(), ['n']);
  book.feed.changed(config('c', 'm', { generation: 2 }));
  t.strictSame(told(), ['n', 'm']);
  t.strictSame(book.of('n'), []);
  book.feed.deleted(config('c', 'm'));
  t.strictSame(told(), ['m']);
  t.equal(book.get('c'), undefined);
});

tap.test('a spec that cannot be read is known all the same', async (t) => {
  const { book, told } = configs();
  book.feed.changed(config('c', 'n', { spec: { nodeName: 'n', mpsEnabled: 'yes' } }));
  t.match(book.of('n')[0], { name: 'c', spec: { ok: false, reason: /mpsEnabled/ } });
  told();
  for (const spec of [{}, null, 'x', { nodeName: 7 }]) book.feed.changed(config('d', 'n', { spec }));
  t.strictSame(told(), [], 'not even for which node');
  t.equal(book.get('d')?.nodeName, undefined);
  book.feed.changed(config('c', 'n', { spec: {} }));
  t.strictSame(told(), ['n'], 'and the node that it was for is told of');
  t.strictSame(book.of('n'), []);
  t.strictSame(
    [...book.all()].map(({ name }) => name),
    ['d', 'c'],
  );
});
