/** The one copy of a kind of object: which object wins, who hears of it, and what a list takes away. */

import fc from 'fast-check';
import tap from 'tap';
import { type Change, Store } from '#src/state/store.ts';
import { takeList } from '../../fakes/listing.ts';

interface Thing {
  readonly name?: string;
  readonly version?: number;
  readonly size?: number | undefined;
  readonly heartbeat?: number;
}
interface Kept {
  readonly size: number;
}

const object = ({ name, version, size, heartbeat }: Thing): object => ({
  metadata: { ...(name !== undefined && { name }), ...(version !== undefined && { resourceVersion: String(version) }) },
  size,
  heartbeat,
});

type Written = { metadata: { name?: string; resourceVersion?: string }; size?: number };

function setUp() {
  const told: string[] = [];
  const store = new Store<Kept>({
    read: (given) => {
      const { metadata, size } = given as Written;
      if (metadata.name === undefined) return undefined;
      return {
        key: metadata.name,
        resourceVersion: metadata.resourceVersion,
        record: size === undefined ? undefined : { size },
      };
    },
    keyOf: (given) => (given as Written).metadata.name,
  });
  const line = ({ key, before, after }: Change<Kept>) =>
    `${key} ${before?.size ?? '-'}→${after?.size ?? '-'}${before && before === after ? ' confirmed' : ''}`;
  store.subscribe((change) => told.push(line(change)), { unchanged: true });
  store.onReplaced(() => told.push('replaced'));
  const update = (thing: Thing) => store.update(object(thing));
  const accept = (thing: Thing) => store.accept(object(thing));
  const remove = (thing: Thing) => store.delete(object(thing));
  const list = (version: number | undefined, ...things: Thing[]) =>
    takeList(store, things.map(object), version === undefined ? '' : String(version));
  return {
    store,
    told: () => told.splice(0),
    update,
    accept,
    remove,
    list,
    sizeOf: (name: string) => store.get(name)?.size,
  };
}

tap.test('a change is told with what was before and what is after', async (t) => {
  const { told, update, remove } = setUp();
  update({ name: 'a', version: 1, size: 1 });
  update({ name: 'a', version: 2, size: 2 });
  remove({ name: 'a', version: 3 });
  t.strictSame(told(), ['a -→1', 'a 1→2', 'a 2→-']);
});

tap.test('what changes nothing that is kept is not told, and its version is known all the same', async (t) => {
  const { store, told, update } = setUp();
  update({ name: 'a', version: 1, size: 1, heartbeat: 1 });
  update({ name: 'a', version: 2, size: 1, heartbeat: 2 });
  t.strictSame(told(), ['a -→1']);
  t.equal(store.versionOf('a'), '2');
});

tap.test('the reply to our own write never brings an older object back', async (t) => {
  const { told, update, accept, sizeOf } = setUp();
  update({ name: 'a', version: 10, size: 10 });
  update({ name: 'a', version: 12, size: 12 });
  accept({ name: 'a', version: 11, size: 11 });
  t.equal(sizeOf('a'), 12, 'somebody has edited it after us, and the watch was quicker than the reply');
  t.strictSame(told(), ['a -→10', 'a 10→12']);
});

tap.test('a reply that is newer counts at once, and the event that follows it is nothing new', async (t) => {
  const { told, update, accept } = setUp();
  update({ name: 'a', version: 10, size: 10 });
  accept({ name: 'a', version: 11, size: 11 });
  update({ name: 'a', version: 11, size: 11 });
  t.strictSame(told(), ['a -→10', 'a 10→11']);
});

tap.test('an event that is older than a reply does not undo it', async (t) => {
  const { update, accept, sizeOf } = setUp();
  update({ name: 'a', version: 10, size: 10 });
  accept({ name: 'a', version: 12, size: 12 });
  update({ name: 'a', version: 11, size: 11 });
  t.equal(sizeOf('a'), 12);
});

tap.test('a reply does not bring back what has gone in the meantime', async (t) => {
  const { update, remove, accept, sizeOf } = setUp();
  update({ name: 'a', version: 10, size: 10 });
  remove({ name: 'a', version: 12 });
  accept({ name: 'a', version: 11, size: 11 });
  t.equal(sizeOf('a'), undefined);
  accept({ name: 'b', version: 13, size: 13 });
  t.equal(sizeOf('b'), 13, 'what the watch has not told of yet may have been made by us');
});

tap.test('a list takes away what it does not hold, at its end and not before', async (t) => {
  const { store, told, update, list } = setUp();
  list(5, { name: 'a', version: 1, size: 1 }, { name: 'b', version: 2, size: 2 });
  t.strictSame(told(), ['a -→1', 'b -→2', 'replaced']);
  update({ name: 'late', version: 9, size: 9 });
  told();
  const listing = store.replace();
  listing.add([object({ name: 'b', version: 2, size: 2 })]);
  t.strictSame(told(), ['b 2→2 confirmed']);
  listing.finish('7');
  t.strictSame(told(), ['a 1→-', 'replaced'], 'what came after the moment of the list is not in it, and stays');
});

tap.test('a list that breaks off takes nothing away', async (t) => {
  const { store, list, sizeOf } = setUp();
  list(5, { name: 'a', version: 1, size: 1 });
  store.replace().add([object({ name: 'b', version: 6, size: 6 })]);
  t.same([sizeOf('a'), sizeOf('b')], [1, 6]);
});

tap.test('after a backup was restored, older versions are the truth', async (t) => {
  const { store, update, list, sizeOf } = setUp();
  update({ name: 'a', version: 100, size: 100 });
  update({ name: 'gone', version: 101, size: 1 });
  store.forgetVersions();
  list(50, { name: 'a', version: 40, size: 40 });
  t.same([sizeOf('a'), sizeOf('gone')], [40, undefined]);
  update({ name: 'a', version: 51, size: 51 });
  t.equal(sizeOf('a'), 51);
});

tap.test('objects without a version, or with one that is no number, are always newer', async (t) => {
  const { update, list, sizeOf } = setUp();
  update({ name: 'a', size: 1 });
  update({ name: 'a', size: 2 });
  t.equal(sizeOf('a'), 2);
  list(undefined);
  t.equal(sizeOf('a'), undefined);
});

tap.test('what cannot be read is passed over, and what was known of it stays', async (t) => {
  const { told, update, remove } = setUp();
  update({ version: 1, size: 1 });
  remove({ version: 2 });
  t.strictSame(told(), []);
});

tap.test('an object of which nothing is kept any more has gone', async (t) => {
  const { told, update } = setUp();
  update({ name: 'a', version: 1, size: 1 });
  update({ name: 'a', version: 2, size: undefined });
  update({ name: 'a', version: 3, size: undefined });
  t.strictSame(told(), ['a -→1', 'a 1→-']);
});

tap.test('one that was never seen and has gone is told: somebody may hold something for it', async (t) => {
  const { told, remove } = setUp();
  remove({ name: 'a', version: 1 });
  t.strictSame(told(), ['a -→-']);
});

tap.test('who follows hears of what is there first', async (t) => {
  const { store, update } = setUp();
  update({ name: 'a', version: 1, size: 1 });
  const seen: string[] = [];
  store.follow(({ key, after }) => seen.push(`${key}=${after?.size}`));
  update({ name: 'b', version: 2, size: 2 });
  t.strictSame(seen, ['a=1', 'b=2']);
});

tap.test('whatever the order of events and replies, the newest version wins', async () => {
  const write = fc.record({ by: fc.constantFrom('watch', 'reply'), version: fc.integer({ min: 1, max: 30 }) });
  fc.assert(
    fc.property(fc.uniqueArray(write, { selector: ({ version }) => version, minLength: 1 }), (writes) => {
      const { update, accept, sizeOf } = setUp();
      for (const { by, version } of writes) (by === 'watch' ? update : accept)({ name: 'a', version, size: version });
      // A reply counts only if it is newer than all that the watch has told.
      return sizeOf('a') === Math.max(...writes.map(({ version }) => version));
    }),
    { numRuns: 500 },
  );
});
