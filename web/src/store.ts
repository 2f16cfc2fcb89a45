/** A value that tells its watchers when a part of it changed. */
export interface Store<S extends object> {
  get(): Readonly<S>;
  set(change: Partial<S>): void;
  /** Calls watcher with the chosen part now, and whenever it changes. Returns how to stop. */
  watch<T>(choose: (state: Readonly<S>) => T, watcher: (part: T, before: T | undefined) => void): () => void;
}

export function createStore<S extends object>(initial: S): Store<S> {
  let state = {...initial};
  const watchers = new Set<() => void>();
  return {
    get: () => state,
    set(change) {
      const keys = Object.keys(change) as (keyof S)[];
      if (keys.every(key => Object.is(state[key], change[key]))) return;
      state = {...state, ...change};
      for (const tell of [...watchers]) tell();
    },
    watch(choose, watcher) {
      let part = choose(state);
      const tell = () => {
        const next = choose(state);
        if (Object.is(next, part)) return;
        const before = part;
        part = next;
        watcher(next, before);
      };
      watchers.add(tell);
      watcher(part, undefined);
      return () => watchers.delete(tell);
    },
  };
}
