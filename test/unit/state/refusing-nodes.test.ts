/** A node whose kubelet refuses pods is taken last for a while, and comes back by itself. */

import tap from 'tap';
import { RefusingNodes } from '#src/state/refusing-nodes.ts';
import { ManualClock } from '../../objects/clock.ts';
import { gpuPod, livePod } from '../../objects/pods.ts';
import { quietState } from '../../objects/records.ts';

function setUp() {
  const { pods } = quietState();
  const clock = new ManualClock();
  const refusing = new RefusingNodes(pods, clock);
  const heard: string[] = [];
  refusing.onRefused(({ node, pod, reason, forMs }) => heard.push(`${node} ${pod} ${reason} ${forMs}`));
  const show = (name: string, node: string, status: object) =>
    pods.update({ ...livePod(gpuPod({ name, gpus: 1 }), name, { nodeName: node }), status });
  const refuse = (name: string, node = 'n', reason = 'UnexpectedAdmissionError') => {
    show(name, node, { phase: 'Pending' });
    show(name, node, { phase: 'Failed', reason });
  };
  return { refusing, clock, heard, show, refuse };
}

tap.test('a pod that its kubelet refuses: two minutes', async (t) => {
  const { refusing, clock, refuse, heard } = setUp();
  t.equal(refusing.has('n'), false);
  refuse('a');
  t.equal(refusing.has('n'), true);
  t.equal(refusing.has('other'), false);
  t.equal(refusing.size, 1);
  t.same(heard, ['n default/a UnexpectedAdmissionError 120000']);
  clock.ms += 119_999;
  t.equal(refusing.has('n'), true);
  clock.ms += 1;
  t.equal(refusing.has('n'), false);
  t.equal(refusing.size, 0);
});

tap.test('twice as long with each refusal in a row, up to ten minutes', async (t) => {
  const { clock, refuse, heard } = setUp();
  for (const name of ['a', 'b', 'c', 'd']) {
    refuse(name);
    clock.ms += 600_000;
  }
  t.same(
    heard.map((line) => line.split(' ').at(-1)),
    ['120000', '240000', '480000', '600000'],
  );
  clock.ms += 600_000;
  refuse('e');
  t.match(heard.at(-1), / 120000$/, 'long after the last it is the first again');
});

tap.test('a pod that starts there ends it at once', async (t) => {
  const { refusing, refuse, show } = setUp();
  refuse('a');
  show('b', 'n', { phase: 'Pending' });
  t.equal(refusing.has('n'), true);
  show('b', 'n', { phase: 'Running' });
  t.equal(refusing.has('n'), false);
});

tap.test('what is no refusal of devices', async (t) => {
  const { refusing, refuse, show } = setUp();
  refuse('a', 'n', 'Evicted');
  refuse('b', 'n', 'OutOfcpu');
  refuse('c', 'n', 'Error');
  show('old', 'n', { phase: 'Failed', reason: 'UnexpectedAdmissionError' });
  t.equal(refusing.size, 0, 'another reason, or one that was there when we came');
  refuse('d', 'n', 'OutOfnvidia.com/gpu');
  t.equal(refusing.has('n'), true);
});

tap.test('a refusal that is told twice is one', async (t) => {
  const { refuse, show, heard } = setUp();
  refuse('a');
  show('a', 'n', { phase: 'Failed', reason: 'UnexpectedAdmissionError', message: 'more' });
  t.equal(heard.length, 1);
});
