import type {FleetEvent} from '../state.ts';
import {at} from './api.ts';

export interface EventHandlers {
  events(batch: FleetEvent[]): void;
  problem(detail: string | null): void;
}

const BATCH_MS = 200;

/** The stream of events. It is opened anew by resume(), from where it got to, whenever the node can be reached again. */
export class EventStream {
  private source: EventSource | undefined;
  private cursor = '';
  private batch: FleetEvent[] = [];
  private timer = 0;
  private failures = 0;

  constructor(private readonly on: EventHandlers) {}

  /** Does nothing while the stream is open. */
  resume(): void {
    if (this.source) return;
    const address = at('api/v1/events/stream');
    if (this.cursor !== '') address.searchParams.set('after', this.cursor);
    const source = new EventSource(address);
    this.source = source;
    source.onopen = () => this.on.problem(null);
    source.onmessage = message => {
      this.failures = 0;
      if (message.lastEventId !== '') this.cursor = message.lastEventId;
      this.take(message.data as string);
    };
    source.addEventListener('problem', message => this.fail(source, (message as MessageEvent<string>).data));
    source.onerror = () => this.fail(source, '');
  }

  stop(): void {
    this.source?.close();
    this.source = undefined;
  }

  private fail(source: EventSource, body: string): void {
    source.close();
    if (source !== this.source) return;
    this.source = undefined;
    if (++this.failures > 1) this.cursor = ''; // a cursor of a log that is gone: begin with what comes
    this.on.problem(detailOf(body));
  }

  private take(data: string): void {
    if (data === '') return;
    this.batch.push(JSON.parse(data) as FleetEvent);
    if (this.timer !== 0) return;
    this.timer = window.setTimeout(() => {
      this.timer = 0;
      this.on.events(this.batch);
      this.batch = [];
    }, BATCH_MS);
  }
}

function detailOf(body: string): string {
  try {
    const problem = JSON.parse(body) as {detail?: string; title?: string};
    return problem.detail ?? problem.title ?? 'the stream of events ended';
  } catch {
    return 'the stream of events ended';
  }
}

/** Events of both lists, each once, newest first, at most so many. */
export function mergeEvents(known: readonly FleetEvent[], fresh: readonly FleetEvent[], most: number): FleetEvent[] {
  const ids = new Set(known.map(e => e.id));
  const added = fresh.filter(e => !ids.has(e.id) && ids.add(e.id));
  if (added.length === 0) return known as FleetEvent[];
  return [...added, ...known].sort((a, b) => (a['@timestamp'] < b['@timestamp'] ? 1 : a['@timestamp'] > b['@timestamp'] ? -1 : 0)).slice(0, most);
}
