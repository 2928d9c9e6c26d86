/** Several who listen to one reflector. */

import type { Feed } from './cluster-state.ts';

/** Tells all of them, in their order. */
export function fanOut(...feeds: readonly Feed[]): Feed {
  return {
    listing: () => {
      const listings = feeds.map((feed) => feed.listing());
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
      for (const feed of feeds) feed.changed(object);
    },
    deleted: (object) => {
      for (const feed of feeds) feed.deleted(object);
    },
  };
}
