/** Several who listen to one reflector. */

import type { Feed } from './cluster-state.ts';

/** One reflector, two listeners. */
export function both(a: Feed, b: Feed): Feed {
  return {
    listing: () => {
      const listings = [a.listing(), b.listing()];
      return {
        page: (objects) => {
          for (const listing of listings) listing.page(objects);
        },
        done: () => {
          for (const listing of listings) listing.done();
        },
      };
    },
    changed: (object) => {
      a.changed(object);
      b.changed(object);
    },
    deleted: (object) => {
      a.deleted(object);
      b.deleted(object);
    },
  };
}
