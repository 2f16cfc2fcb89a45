import {afterEach, beforeEach, describe, expect, it, vi} from 'vitest';
import type {FleetEvent} from '../state.ts';
import {EventStream, mergeEvents} from './events.ts';

const event = (id: string, second: number): FleetEvent => ({id, type: 'enter', vehicle: 'v', '@timestamp': `2026-01-01T00:00:0${second}.000Z`});

describe('mergeEvents', () => {
  it('has each once, newest first', () => {
    const merged = mergeEvents([event('b', 2), event('a', 1)], [event('c', 3), event('a', 1), event('z', 0)], 10);
    expect(merged.map(e => e.id)).toEqual(['c', 'b', 'a', 'z']);
  });

  it('takes one that comes twice in the same batch once', () => {
    expect(mergeEvents([], [event('a', 1), event('a', 1)], 10)).toHaveLength(1);
  });

  it('drops the oldest over the bound, and stays the same when nothing is new', () => {
    const known = [event('b', 2), event('a', 1)];
    expect(mergeEvents(known, [event('c', 3)], 2).map(e => e.id)).toEqual(['c', 'b']);
    expect(mergeEvents(known, [event('a', 1)], 2)).toBe(known);
  });
});

class Source extends EventTarget {
  static made: Source[] = [];
  onopen: (() => void) | null = null;
  onmessage: ((m: {data: string; lastEventId: string}) => void) | null = null;
  onerror: (() => void) | null = null;
  closed = false;
  constructor(readonly url: URL) {
    super();
    Source.made.push(this);
  }
  close(): void {
    this.closed = true;
  }
}

describe('EventStream', () => {
  beforeEach(() => {
    vi.useFakeTimers();
    Source.made = [];
    vi.stubGlobal('EventSource', Source);
    vi.stubGlobal('location', new URL('http://node.test/'));
    vi.stubGlobal('window', globalThis);
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  const open = () => {
    const on = {events: vi.fn(), problem: vi.fn()};
    const stream = new EventStream(on);
    stream.resume();
    return {on, stream, source: Source.made[0]!};
  };

  it('hands over what comes in one batch', () => {
    const {on, source} = open();
    source.onmessage!({data: JSON.stringify(event('a', 1)), lastEventId: '1'});
    source.onmessage!({data: JSON.stringify(event('b', 2)), lastEventId: '2'});
    vi.runAllTimers();
    expect(on.events.mock.calls.map(c => c[0].map((e: FleetEvent) => e.id))).toEqual([['a', 'b']]);
  });

  it('goes on after the last event when it is resumed', () => {
    const {stream, source} = open();
    source.onmessage!({data: JSON.stringify(event('a', 1)), lastEventId: 'cursor-1'});
    source.onerror!();
    expect(source.closed).toBe(true);
    stream.resume();
    stream.resume();
    expect(Source.made).toHaveLength(2);
    expect(Source.made[1]!.url.searchParams.get('after')).toBe('cursor-1');
  });

  it('gives a cursor up that the node does not take twice', () => {
    const {stream, source} = open();
    source.onmessage!({data: JSON.stringify(event('a', 1)), lastEventId: 'gone'});
    for (let i = 0; i < 2; i++) {
      Source.made[i]!.onerror!();
      stream.resume();
    }
    expect(Source.made[2]!.url.searchParams.has('after')).toBe(false);
  });

  it('says what the node says of its trouble', () => {
    const {on, source} = open();
    source.dispatchEvent(new MessageEvent('problem', {data: '{"detail":"the log is away"}'}));
    expect(on.problem).toHaveBeenLastCalledWith('the log is away');
    expect(source.closed).toBe(true);
  });
});
