/** filter among nodes of which DRA serves some: those are kube-scheduler's to judge. */

import tap from 'tap';
import { Ledger } from '#src/core/ledger.ts';
import { SHARED_GPU, WHOLE_GPU } from '#src/core/resources.ts';
import { LiveStrategy } from '#src/core/scoring/live-strategy.ts';
import { bestFit } from '#src/core/strategies/best-fit.ts';
import { EquivalenceCache } from '#src/extender/equivalence-cache.ts';
import { filter } from '#src/extender/filter.ts';
import { prioritize } from '#src/extender/prioritize.ts';
import { node, request, sharedNode } from '../make.ts';

/** A node with whole GPUs, one that shares, one that GPU Feature Discovery has labelled alone, and one of which nothing is known. */
function setUp(...served: readonly string[]) {
  const ledger = new Ledger();
  for (const each of [
    node({ name: 'whole' }),
    sharedNode('mps', 4, { name: 'shared' }),
    node({ name: 'labelled', allocatable: new Map() }),
    node({ name: 'changing', allocatable: new Map(), inTransition: true }),
  ]) {
    ledger.setNode(each);
  }
  const resources = new Set(served);
  const delegated = { has: (resource: string) => resources.has(resource), changes: 0 };
  const cache = new EquivalenceCache(ledger, new LiveStrategy(bestFit, ledger), { delegated });
  const names = ['unknown', 'labelled', 'changing', 'shared', 'whole'];
  const ask = (narrow: boolean, asked = request(WHOLE_GPU, 1), among = names) => {
    const { passed, refused } = filter({ ledger, table: cache.of(asked), names: among, narrow });
    return { passed, refused: refused.map(([name, { code }]) => `${name} ${code}`) };
  };
  const serve = (resource: string) => {
    resources.add(resource);
    delegated.changes += 1;
  };
  return { ledger, cache, names, ask, serve };
}

tap.test('where DRA serves nothing, a node that lists nothing is refused', async (t) => {
  const { ask } = setUp();
  t.same(ask(false), {
    passed: ['whole'],
    refused: ['unknown UnknownNode', 'labelled WrongMode', 'changing NodeInTransition', 'shared WrongMode'],
  });
});

tap.test('what DRA serves passes unjudged, after the nodes that we know', async (t) => {
  const { ask, ledger, cache, names } = setUp(WHOLE_GPU);
  t.same(
    ask(false).passed,
    ['whole', 'unknown', 'labelled', 'changing', 'shared'],
    'whatever mig-manager is said to be at',
  );
  t.same(ask(false).refused, []);
  t.same(ask(true).passed, ['whole'], 'one that we know is enough');
  t.same(
    ask(true, undefined, ['unknown', 'labelled']).passed,
    ['unknown', 'labelled'],
    'of the others kube-scheduler chooses',
  );
  t.same(prioritize(ledger, cache.of(request(WHOLE_GPU, 1)), names), [{ Host: 'whole', Score: 10 }]);
});

tap.test('only the resource that is served', async (t) => {
  const { ask } = setUp(WHOLE_GPU);
  t.same(ask(false, request(SHARED_GPU, 1)).passed, ['shared']);
  const both = {
    ...request(WHOLE_GPU, 1),
    resources: [WHOLE_GPU, SHARED_GPU].map((resource) => ({ resource, count: 1, largestContainer: 1 })),
  };
  t.same(ask(false, both).passed, ['shared'], 'its slots are judged, its GPUs are not');
});

tap.test('a node that lists the resource is judged: the device plugin serves it', async (t) => {
  const { ask, ledger } = setUp(WHOLE_GPU);
  ledger.allocate({
    uid: 'u',
    pod: 'p',
    node: 'whole',
    state: 'confirmed',
    resources: [{ resource: WHOLE_GPU, count: 8 }],
  });
  t.same(ask(false, undefined, ['whole']).refused, ['whole InsufficientSlots']);
});

tap.test('a class that comes later counts from then on', async (t) => {
  const { ask, serve } = setUp();
  t.same(ask(false).passed, ['whole']);
  serve(WHOLE_GPU);
  t.same(ask(false).passed, ['whole', 'unknown', 'labelled', 'changing', 'shared']);
});
