import {describe, expect, it} from 'vitest';
import {store, type LiveStatus, type State} from '../state.ts';
import {choose} from './notices.ts';

const status: LiveStatus = {
  type: 'status', time: 0, in_view: 5, total: 9, moving: 9, stopped: 0, silent: 0, partitions: {asked: 8, answered: 8, missing: []}, look: 'points',
};
const state = (change: Partial<State>): State => ({...store.get(), phase: 'live', status, ...change});

describe('the notice over the map', () => {
  it('is not there when all is well', () => expect(choose(state({}), 0)).toBeUndefined());

  it.each([
    ['loading', {phase: 'connecting' as const, status: null}],
    ['lost', {phase: 'lost' as const, lostAt: 1000, retryAt: 9000}],
    ['partial', {status: {...status, partitions: {asked: 8, answered: 7, missing: [3]}}}],
    ['empty', {status: {...status, total: 0, in_view: 0}}],
    ['elsewhere', {status: {...status, in_view: 0}}],
    ['cut', {cut: true}],
  ])('says %s', (kind, change) => expect(choose(state(change), 5000)?.kind).toBe(kind));

  it('says how old the map is, and when it connects again', () => {
    const notice = choose(state({phase: 'lost', lostAt: 1000, retryAt: 9000}), 5000);
    expect(notice?.text).toContain('4 s old');
    expect(notice?.detail).toContain('in 4 s');
  });

  it('says which partitions are missing', () => {
    expect(choose(state({status: {...status, partitions: {asked: 8, answered: 6, missing: [3, 5]}}}), 0)?.detail).toBe('Missing: 3, 5');
  });
});
