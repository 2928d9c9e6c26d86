/** From what a reflector tells to records: only what changed, and nothing that cannot be read. */

import tap from 'tap';
import { recordFeed } from '#src/state/record-feed.ts';
import { takeList } from '../../fakes/listing.ts';

interface Thing {
  readonly name?: string;
  readonly size?: number;
  readonly heartbeat?: number;
}

function setUp() {
  const told: string[] = [];
  const feed = recordFeed<number>({
    read: (object) => {
      const { name, size } = object as Thing;
      return name === undefined ? undefined : { key: name, record: size };
    },
    set: (key, size) => void told.push(`${key}=${size}`),
    delete: (key) => void told.push(`-${key}`),
  });
  const things = (...list: Thing[]) => takeList(feed, list);
  const changed = (thing: Thing) => feed.changed(thing);
  const deleted = (thing: Thing) => feed.deleted(thing);
  return { told, things, changed, deleted, feed };
}

tap.test('a list sets what there is, and deletes what there is no more', async (t) => {
  const { told, things } = setUp();
  things({ name: 'a', size: 1 }, { name: 'b', size: 2 });
  things({ name: 'b', size: 2 }, { name: 'c', size: 3 });
  t.strictSame(told, ['a=1', 'b=2', 'c=3', '-a']);
});

tap.test('what changes nothing that is kept is not told', async (t) => {
  const { told, changed } = setUp();
  changed({ name: 'a', size: 1, heartbeat: 1 });
  changed({ name: 'a', size: 1, heartbeat: 2 });
  changed({ name: 'a', size: 2, heartbeat: 3 });
  t.strictSame(told, ['a=1', 'a=2']);
});

tap.test('an object of which nothing is kept any more is deleted, once', async (t) => {
  const { told, changed, deleted } = setUp();
  changed({ name: 'a', size: 1 });
  changed({ name: 'a' });
  changed({ name: 'a' });
  deleted({ name: 'a' });
  changed({ name: 'a', size: 1 });
  deleted({ name: 'a', size: 9 });
  t.strictSame(told, ['a=1', '-a', 'a=1', '-a']);
});

tap.test('what cannot be read is passed over; a list without it deletes it', async (t) => {
  const { told, things, changed, deleted } = setUp();
  changed({ size: 1 });
  deleted({});
  things({ name: 'a', size: 1 }, { size: 2 });
  things({ size: 1 });
  t.strictSame(told, ['a=1', '-a']);
});

tap.test('a list that breaks off deletes nothing', async (t) => {
  const { told, things, feed } = setUp();
  things({ name: 'a', size: 1 }, { name: 'b', size: 1 });
  feed.listing().page([{ name: 'b', size: 2 }]);
  t.strictSame(told, ['a=1', 'b=1', 'b=2']);
  feed.listing().done();
  t.strictSame(told.slice(3), ['-a', '-b']);
});
