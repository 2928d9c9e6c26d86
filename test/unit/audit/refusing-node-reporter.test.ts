/** A node that refuses pods is reported on the node, and in the log where that is not to be had. */

import { setImmediate as turn } from 'node:timers/promises';
import { pino } from 'pino';
import tap from 'tap';
import { reportRefusingNodes } from '#src/audit/refusing-node-reporter.ts';
import type { Refusal } from '#src/state/refusing-nodes.ts';

const REFUSAL: Refusal = { node: 'n', pod: 'team/a', reason: 'UnexpectedAdmissionError', forMs: 240_000 };

function setUp(recordOnce: (on: string, reason: string, message: string) => Promise<void>) {
  const said: { msg: string; error?: string }[] = [];
  let tell: (refusal: Refusal) => void = () => {};
  reportRefusingNodes({
    refusing: {
      onRefused: (listener) => {
        tell = listener;
      },
    },
    events: { recordOnce: ({ kind, name }, reason, message) => recordOnce(`${kind} ${name}`, reason, message) },
    log: pino({ level: 'info' }, { write: (line: string) => void said.push(JSON.parse(line)) }),
  });
  return { said, tell: () => tell(REFUSAL) };
}

tap.test('the event names the pod, the reason, how long, and where to look', async (t) => {
  const recorded: string[][] = [];
  const { tell, said } = setUp(async (...event) => void recorded.push(event));
  tell();
  t.match(recorded, [
    ['Node n', 'RefusesPods', /refused team\/a .*\(UnexpectedAdmissionError\).* 4 minutes.*device plugin on the node/],
  ]);
  t.match(said, [{ node: 'n', pod: 'team/a', reason: 'UnexpectedAdmissionError' }]);
});

tap.test('an event that is refused is said, and stops nothing', async (t) => {
  const { tell, said } = setUp(async () => {
    throw new Error('forbidden');
  });
  tell();
  await turn();
  t.match(said[1], { node: 'n', error: 'forbidden' });
});
