/** Names that Kubernetes makes, and whose they may be; and the other way round: whoever asks finds the pods of their past. */

import tap from 'tap';
import { historyKey, possibleWorkloads } from '#src/telemetry/history/workload-names.ts';

/** Longest name of a Deployment whose pods bear it whole: 46 + a dash, 10 of hash, a dash, 5 of chance. */
const LONG = `${'long-name-'.repeat(4)}abcdef`;

const CASES: readonly [says: string, pod: string, kind: string, name: string][] = [
  ['a pod of a Deployment', 'web-66b6c48dd5-k7x2m', 'Deployment', 'web'],
  ['whose name has dashes and digits', 'web-2-canary-7f9d54c8b6-zzzzz', 'Deployment', 'web-2-canary'],
  ['whose name ends like a hash', 'cache-5d8f7-66b6c48dd5-k7x2m', 'Deployment', 'cache-5d8f7'],
  ['with dots', 'web.v2-66b6c48dd5-k7x2m', 'Deployment', 'web.v2'],
  ['with a short hash', 'web-d9c845-k7x2m', 'Deployment', 'web'],
  ['a pod of a ReplicaSet', 'web-k7x2m', 'ReplicaSet', 'web'],
  ['a pod of a Rollout', 'web-66b6c48dd5-k7x2m', 'Rollout', 'web'],
  ['a Rollout of 50 letters', `${LONG}ghij-66b6c48k7x2m`, 'Rollout', `${LONG}ghij`],
  ['a pod of a revision of Knative', 'hello-00001-deployment-66b6c48dd5-k7x2m', 'Configuration', 'hello'],
  ['of its next revision', 'hello-00042-deployment-66b6c48dd5-k7x2m', 'Configuration', 'hello'],
  ['a pod of a ReplicationController', 'old-k7x2m', 'ReplicationController', 'old'],
  ['a pod of a StatefulSet', 'db-0', 'StatefulSet', 'db'],
  ['the thousandth', 'db-12-999', 'StatefulSet', 'db-12'],
  ['a pod of a Job', 'import-k7x2m', 'Job', 'import'],
  ['a pod of an Indexed Job', 'import-17-k7x2m', 'Job', 'import'],
  ['a pod of a Job of a CronJob', 'nightly-29384756-k7x2m', 'CronJob', 'nightly'],
  ['a pod of an Indexed Job of a CronJob', 'nightly-29384756-3-k7x2m', 'CronJob', 'nightly'],
  ['a pod by itself', 'notebook', 'Pod', 'notebook'],
  ['a pod by itself that looks generated', 'jupyter-anna2', 'Pod', 'jupyter-anna2'],
  ['a pod from generateName', 'run-k7x2m', 'Pod', 'run'],
  ['a pod from generateName without a dash', 'runk7x2m', 'Pod', 'run'],
  ['a name of one letter', 'a-66b6c48dd5-k7x2m', 'Deployment', 'a'],
  ['a Deployment of 46 letters', `${LONG}-66b6c48dd5-k7x2m`, 'Deployment', LONG],
  ['of 47: the last dash is cut', `${LONG}g-66b6c48dd5k7x2m`, 'Deployment', `${LONG}g`],
  ['of 50: the hash is cut', `${LONG}ghij-66b6c48k7x2m`, 'Deployment', `${LONG}ghij`],
  ['of 57: no hash is left', `${LONG}ghijklmnopq-k7x2m`, 'Deployment', `${LONG}ghijklmnopq`],
  ['of 58: nor a dash', `${LONG}ghijklmnopqrk7x2m`, 'Deployment', `${LONG}ghijklmnopqr`],
  ['of 70: its beginning alone', `${LONG}ghijklmnopqrk7x2m`, 'Deployment', `${LONG}ghijklmnopqrstuvwxyz-and-on`],
  ['a Job of 60 letters', `${LONG}ghijklmnopqrk7x2m`, 'Job', `${LONG}ghijklmnopqrst`],
  ['a CronJob of 52: the time is cut', `${LONG}ghijkl-29384k7x2m`, 'CronJob', `${LONG}ghijkl`],
];

for (const [says, pod, kind, name] of CASES) {
  tap.test(`${says}: ${pod} may be of ${kind} ${name}`, async (t) => {
    t.ok(pod.length <= 63);
    t.ok(possibleWorkloads('team', pod).has(historyKey({ namespace: 'team', kind, name })));
  });
}

const NOT: readonly [says: string, pod: string, kind: string, name: string][] = [
  ['letters that Kubernetes never makes names of', 'web-66b6c48dd5-kaeio', 'Deployment', 'web'],
  ['a hash of letters that no hash has', 'web-mmmmmmmm-k7x2m', 'Deployment', 'web'],
  ['a Job whose name ends in a number', 'train-4-k7x2m', 'Deployment', 'train'],
  ['too short an end', 'web-66b6c48dd5-k7x2', 'Deployment', 'web'],
  ['a number that is no time', 'nightly-2938475-k7x2m', 'CronJob', 'nightly'],
  ['no dash before the end', 'web-66b6c48dd5k7x2m', 'Deployment', 'web'],
  ['nothing before the dash', '-k7x2m', 'Job', ''],
];

for (const [says, pod, kind, name] of NOT) {
  tap.test(`${says}: ${pod} is not of ${kind} ${name}`, async (t) => {
    t.notOk(possibleWorkloads('team', pod).has(historyKey({ namespace: 'team', kind, name })));
  });
}

tap.test('another namespace is another workload', async (t) => {
  t.notOk(possibleWorkloads('team', 'db-0').has(historyKey({ namespace: 'other', kind: 'StatefulSet', name: 'db' })));
});

tap.test('a name is of a handful of workloads at most, whatever it is', async (t) => {
  for (const [, pod] of [...CASES, ...NOT]) t.ok(possibleWorkloads('team', pod).size <= 9, pod);
});
