import {describe, expect, it, vi} from 'vitest';
import {createStore} from './store.ts';

describe('store', () => {
  it('tells a watcher the part at once and whenever it changes', () => {
    const store = createStore({a: 1, b: 'x'}), seen = vi.fn();
    store.watch(s => s.a, seen);
    store.set({b: 'y'});
    store.set({a: 2});
    store.set({a: 2});
    expect(seen.mock.calls).toEqual([[1, undefined], [2, 1]]);
  });

  it('does not tell who has stopped watching', () => {
    const store = createStore({a: 1}), seen = vi.fn();
    store.watch(s => s.a, seen)();
    store.set({a: 2});
    expect(seen).toHaveBeenCalledTimes(1);
  });

  it('may be changed by a watcher', () => {
    const store = createStore({a: 0, double: 0});
    store.watch(s => s.a, a => store.set({double: 2 * a}));
    store.set({a: 21});
    expect(store.get()).toEqual({a: 21, double: 42});
  });

  it('keeps what it was made of unchanged', () => {
    const initial = {a: 1};
    createStore(initial).set({a: 2});
    expect(initial.a).toBe(1);
  });
});
