/** This machine's clock against the API server's. */

import { defineCheck } from '../check.ts';

/** More than two machines that follow a time server differ, and less than a certificate or a Lease minds. */
const MAX_SKEW_MS = 5_000;

export const clock = defineCheck({
  name: 'clock',
  about: "this machine's clock against the API server's",
  needs: ['clock'],
  run: ({ clock: { aheadMs, uncertaintyMs } }) => {
    if (Math.abs(aheadMs) <= MAX_SKEW_MS + uncertaintyMs) return [];
    const seconds = Math.round(Math.abs(aheadMs) / 1_000);
    return [
      {
        severity: 'warning',
        message: `this machine's clock is ${seconds} s ${aheadMs > 0 ? 'ahead of' : 'behind'} the API server's: certificates and tokens may be refused, and times of events mislead`,
        fix: 'synchronise the clock that is wrong with a time server (chrony, systemd-timesyncd)',
        objects: [],
      },
    ];
  },
});
