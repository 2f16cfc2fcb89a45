import {decodeFrame, type Frame} from './frame.ts';
import type {LiveStatus, Look} from '../state.ts';

export interface ViewWish {
  bbox: [number, number, number, number];
  look: Look;
  /** Points at most; absent: as many as there may be. */
  limit?: number;
}

export interface LiveHandlers {
  opened(): void;
  status(status: LiveStatus): void;
  frame(frame: Frame): void;
  /** The connection is gone; the next attempt is at this time (epoch ms). */
  lost(retryAt: number): void;
  connecting(): void;
}

const FIRST_PAUSE = 500, LONGEST_PAUSE = 10_000, SILENCE = 6000;

/** How long to wait before the attempt of this number (from 0), with jitter from 0 to 1. */
export function pause(attempt: number, jitter: number): number {
  return Math.min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** attempt) * (0.75 + 0.5 * jitter);
}

/**
 * The live WebSocket, connected anew whenever it is lost.
 *
 *   connecting ──open──> live ──close, or silent for 6 s──> lost ──pause──> connecting
 */
export class LiveConnection {
  private socket: WebSocket | undefined;
  private wish: ViewWish | undefined;
  private attempts = 0;
  private retry = 0;
  private heard = 0;

  constructor(private readonly url: string, private readonly on: LiveHandlers) {
    addEventListener('online', () => this.hurry());
    document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && this.hurry());
    setInterval(() => this.watch(), 1000);
  }

  connect(): void {
    clearTimeout(this.retry);
    this.retry = 0;
    this.on.connecting();
    const socket = new WebSocket(this.url);
    socket.binaryType = 'arraybuffer';
    this.socket = socket;
    this.heard = performance.now();
    socket.onopen = () => {
      this.heard = performance.now();
      this.on.opened();
      this.send();
    };
    socket.onmessage = message => this.receive(message.data as string | ArrayBuffer);
    socket.onclose = () => this.lose(socket);
  }

  look(wish: ViewWish): void {
    this.wish = wish;
    this.send();
  }

  private send(): void {
    if (!this.wish || this.socket?.readyState !== WebSocket.OPEN) return;
    this.socket.send(JSON.stringify({type: 'view', precision: 0, limit: 50_000, ...this.wish}));
  }

  private receive(data: string | ArrayBuffer): void {
    this.heard = performance.now();
    this.attempts = 0;
    if (typeof data === 'string') {
      const message = JSON.parse(data) as LiveStatus;
      if (message.type === 'status') this.on.status(message);
      return;
    }
    this.on.frame(decodeFrame(data));
  }

  private lose(socket: WebSocket): void {
    if (socket !== this.socket) return;
    this.socket = undefined;
    const wait = pause(this.attempts++, Math.random());
    this.retry = window.setTimeout(() => this.connect(), wait);
    this.on.lost(Date.now() + wait);
  }

  private hurry(): void {
    if (this.retry !== 0) this.connect();
  }

  /** A connection that is open and says nothing is dead, as after a laptop's sleep. */
  private watch(): void {
    const socket = this.socket;
    if (!socket || !this.wish || document.visibilityState === 'hidden' || performance.now() - this.heard < SILENCE) return;
    socket.close();
    this.lose(socket);
  }
}
