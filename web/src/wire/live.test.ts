import {afterEach, beforeEach, describe, expect, it, vi} from 'vitest';
import {LiveConnection, pause} from './live.ts';

class Socket {
  static readonly OPEN = 1;
  static made: Socket[] = [];
  readyState = 0;
  sent: string[] = [];
  onopen: (() => void) | null = null;
  onclose: (() => void) | null = null;
  onmessage: ((m: {data: string}) => void) | null = null;
  constructor() {
    Socket.made.push(this);
  }
  send(text: string): void {
    this.sent.push(text);
  }
  close(): void {
    this.readyState = 3;
    this.onclose?.();
  }
  open(): void {
    this.readyState = 1;
    this.onopen?.();
  }
}

describe('pause', () => {
  it('doubles up to ten seconds, within a quarter', () => {
    expect([0, 1, 2, 3, 9, 99].map(n => pause(n, 0.5))).toEqual([500, 1000, 2000, 4000, 10_000, 10_000]);
    expect([pause(0, 0), pause(0, 1)]).toEqual([375, 625]);
  });
});

describe('LiveConnection', () => {
  beforeEach(() => {
    vi.useFakeTimers();
    Socket.made = [];
    vi.stubGlobal('WebSocket', Socket);
    vi.stubGlobal('window', globalThis);
    vi.stubGlobal('addEventListener', () => undefined);
    vi.stubGlobal('document', {addEventListener: () => undefined, visibilityState: 'visible'});
  });
  afterEach(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  const connect = () => {
    const on = {opened: vi.fn(), status: vi.fn(), frame: vi.fn(), lost: vi.fn(), connecting: vi.fn()};
    const live = new LiveConnection('ws://node.test/api/v1/live', on);
    live.look({bbox: [-74, 40, -73, 41], look: 'auto'});
    live.connect();
    return {on, live, socket: Socket.made[0]!};
  };

  it('says its view as soon as it is open, and when it changes', () => {
    const {live, socket} = connect();
    expect(socket.sent).toEqual([]);
    socket.open();
    live.look({bbox: [1, 2, 3, 4], look: 'cells'});
    expect(socket.sent.map(s => JSON.parse(s) as unknown)).toEqual([
      {type: 'view', bbox: [-74, 40, -73, 41], look: 'auto', precision: 0, limit: 50_000},
      {type: 'view', bbox: [1, 2, 3, 4], look: 'cells', precision: 0, limit: 50_000},
    ]);
  });

  it('connects again when it is lost', () => {
    const {on, socket} = connect();
    socket.open();
    socket.close();
    expect(on.lost).toHaveBeenCalledTimes(1);
    vi.advanceTimersByTime(700);
    expect(Socket.made).toHaveLength(2);
    Socket.made[1]!.open();
    expect(on.opened).toHaveBeenCalledTimes(2);
    expect(Socket.made[1]!.sent).toHaveLength(1);
  });

  it('takes a connection that says nothing for lost', () => {
    const {on, socket} = connect();
    socket.open();
    for (let i = 0; i < 5; i++) {
      vi.advanceTimersByTime(3000);
      socket.onmessage!({data: '{"type":"status"}'});
    }
    expect(on.lost).not.toHaveBeenCalled();
    vi.advanceTimersByTime(7000);
    expect(on.lost).toHaveBeenCalled();
  });

  it('hands the status over', () => {
    const {on, socket} = connect();
    socket.open();
    socket.onmessage!({data: '{"type":"status","total":7}'});
    expect(on.status).toHaveBeenCalledWith({type: 'status', total: 7});
  });
});
